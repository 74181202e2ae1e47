"""Whose something is that outlives a killed process: a mark that names this process, told from any other of its number.

Only processes of this boot and this namespace of process ids can be judged. Whatever belongs to others (another host, a
container, an earlier boot) or cannot be read counts as alive: what a live process uses is never taken.
"""

from __future__ import annotations

import os
from pathlib import Path

__all__ = ["is_gone", "mark_of", "own_mark"]


def own_mark() -> str:
    """Return the mark of this process; empty where it cannot be known."""
    return mark_of(os.getpid())


def mark_of(pid: int) -> str:
    """Return the mark of a living process, `boot/namespace/pid/start`; empty where it cannot be known."""
    place = _place()
    try:
        return f"{place}/{pid}/{_started(pid)}" if place else ""
    except (OSError, IndexError):
        return ""


def is_gone(mark: str) -> bool:
    """Return whether the process of `mark` is gone for certain."""
    here = _place()
    place, _, started = mark.rpartition("/")
    place, _, pid = place.rpartition("/")
    try:
        if not here or place != here or not started:
            return False
        return _started(int(pid)) != started
    except FileNotFoundError:
        return not _exists(int(pid))
    except (OSError, ValueError, IndexError):
        return False


def _place() -> str:
    """Return where a process id means something: this boot of the kernel, this namespace. Empty: it cannot be known."""
    try:
        if str(Path("/proc/self").readlink()) != str(os.getpid()):
            return ""  # /proc shows another namespace than this process lives in
        boot = Path("/proc/sys/kernel/random/boot_id").read_text(encoding="ascii").strip()
        return f"{boot}/{Path('/proc/self/ns/pid').stat().st_ino}" if boot else ""
    except (OSError, UnicodeDecodeError):
        return ""


def _started(pid: int) -> str:
    """Return when the process started, in ticks since boot (proc(5), field 22): unlike a date, no clock changes it."""
    fields = Path(f"/proc/{pid}/stat").read_text(encoding="utf-8", errors="replace")
    # The program's name, in parentheses, may hold anything: fields are counted from behind it.
    return fields.rpartition(")")[2].split()[19]


def _exists(pid: int) -> bool:
    """Return whether there is such a process. The kernel is asked: /proc may hide those of other users (hidepid)."""
    try:
        os.kill(pid, 0)
    except ProcessLookupError:
        return False
    except (OSError, OverflowError):
        return True
    return True
