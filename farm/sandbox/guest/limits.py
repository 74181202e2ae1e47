"""The limits as the guest sees them: what the kernel counted in the container's cgroup, how full its folders are."""

from __future__ import annotations

import contextlib
import os
from pathlib import Path

NEARLY_FULL = 0.995
CGROUP = Path("/sys/fs/cgroup")


def _number(names: tuple[str, ...], key: str = "") -> int:
    """Read a number from the first cgroup file that is there (version 2 names first), on the line `key` if given."""
    for name in names:
        with contextlib.suppress(OSError, ValueError, IndexError):
            for line in (CGROUP / name).read_text(encoding="ascii").splitlines():
                words = line.split()
                if not key or words[0] == key:
                    return int(words[-1])
    return -1


class Watch:
    """Looks at the limits: what the kernel counted, and how full the writable file systems have been."""

    def __init__(self, writable: list[str], disk_bytes: int) -> None:
        self._writable = writable
        self._disk = disk_bytes
        self._kills = self._oom_kills()
        self._forks = self._refused_forks()
        self.refused = 0
        """Times that the guest itself could not start a process."""
        self.fullest = 0.0
        self.fullest_path = ""

    @staticmethod
    def _oom_kills() -> int:
        return max(0, _number(("memory.events", "memory/memory.oom_control"), "oom_kill"))

    @staticmethod
    def _refused_forks() -> int:
        return max(0, _number(("pids.events", "pids/pids.events"), "max"))

    def reached(self) -> str:
        """Return the limit that was reached: `disk`, `memory`, `pids` or nothing."""
        self._measure()
        # Full tmpfs folders are memory too: when both are reached, the disk is the cause.
        if self.fullest >= NEARLY_FULL:
            return "disk"
        if self._oom_kills() > self._kills:
            return "memory"
        if self.refused or self._refused_forks() > self._forks:
            return "pids"
        return ""

    def _measure(self) -> None:
        total = 0
        for path in self._writable:
            try:
                state = os.statvfs(path)
            except OSError:
                continue
            used = (state.f_blocks - state.f_bfree) * state.f_frsize
            total += used
            self._note(used / self._disk, path)
            if state.f_files:
                self._note(1 - state.f_ffree / state.f_files, path)
        self._note(total / self._disk, "the writable folders together")

    def _note(self, share: float, path: str) -> None:
        if share > self.fullest:
            self.fullest, self.fullest_path = share, path

    @staticmethod
    def peak_memory() -> int:
        """Return the peak of memory in bytes as the kernel saw it, -1 where it does not say."""
        return _number(("memory.peak", "memory/memory.max_usage_in_bytes"))
