"""Starting and ending the processes of a service, and never anyone else's."""

from __future__ import annotations

import os
import secrets
import subprocess
import time
from datetime import UTC, datetime
from pathlib import Path
from typing import TYPE_CHECKING

import psutil

from farm.errors import ServiceError
from farm.sandbox.owner import mark_of
from farm.services.registry import MARKER, ServiceRecord, alive

if TYPE_CHECKING:
    from collections.abc import Mapping, Sequence

__all__ = ["exit_note", "log_tail", "owned", "spawn", "stop"]

_ROTATE = 10 * 1024 * 1024
_TAIL = 16 * 1024
_KILL_SECONDS = 5.0
_EXEC_SECONDS = 10.0

_CHILDREN: dict[int, subprocess.Popen[bytes]] = {}
"""Services that this process itself started: they are its children and must be waited for to be gone."""


def spawn(
    name: str,
    argv: Sequence[str],
    env: Mapping[str, str],
    *,
    log: Path,
    cwd: Path,
    url: str,
    basis: str,
    umask: int = -1,
) -> ServiceRecord:
    """Start `argv` in a session of its own, without a terminal, its output appended to `log`; return its record.

    From then on the service is recognised by its mark, if it has not ended by itself.

    Raises:
        ServiceError: the program cannot be started.
    """
    mark = secrets.token_hex(16)
    log.parent.mkdir(parents=True, exist_ok=True)
    if log.exists() and log.stat().st_size > _ROTATE:
        log.replace(log.with_suffix(".log.1"))
    now = datetime.now(UTC).isoformat(timespec="milliseconds")
    with log.open("ab") as stream:
        stream.write(f"--- {now} starting {name}\n".encode())
        stream.flush()
        start = stream.tell()
        try:
            process = subprocess.Popen(
                list(argv),
                env={**env, MARKER: mark},
                cwd=cwd,
                stdin=subprocess.DEVNULL,
                stdout=stream,
                stderr=subprocess.STDOUT,
                start_new_session=True,
                umask=umask,
            )
        except OSError as error:
            msg = f"{name}: {argv[0]} cannot be started: {error.strerror}"
            raise ServiceError(msg, remedy="Run `make setup`; the program belongs to farm's environment.") from error
    _CHILDREN[process.pid] = process
    record = ServiceRecord(
        name=name,
        pid=process.pid,
        mark=mark,
        process=mark_of(process.pid),
        since=now,
        url=url,
        log=str(log),
        log_start=start,
        basis=basis,
    )
    # The kernel lets go of this side before it has set up the new program: until then its environment reads as empty,
    # and on a busy host whoever asked at once would take the service for dead.
    deadline = time.monotonic() + _EXEC_SECONDS
    while not alive(record) and process.poll() is None and time.monotonic() < deadline:
        time.sleep(0.005)
    return record


def owned(record: ServiceRecord) -> list[psutil.Process]:
    """Return every living process that carries the mark of `record`: the service, and children it may have left."""
    found = []
    for process in psutil.process_iter():
        try:
            if process.pid == record.pid:
                if alive(record):
                    found.append(process)
            elif process.status() != psutil.STATUS_ZOMBIE and process.environ().get(MARKER) == record.mark:
                found.append(process)
        except psutil.Error:
            continue  # gone, or another user's
    return found


def stop(record: ServiceRecord, grace: float) -> int:
    """End all processes of `record`: TERM, up to `grace` seconds, then KILL; return how many there were.

    A process is signalled only when it carries the record's mark, and psutil refuses a pid that was recycled since.

    Raises:
        ServiceError: a process outlived KILL.
    """
    processes = owned(record)
    _signal(processes, kill=False)
    deadline = time.monotonic() + grace
    remaining = _wait(processes, grace)
    # A service may have started a child meanwhile; whoever carries the mark goes.
    late = {p.pid: p for p in (*remaining, *owned(record))}
    left = _wait(list(late.values()), max(0.0, deadline - time.monotonic()))
    _signal(left, kill=True)
    stuck = _wait(left, _KILL_SECONDS)
    child = _CHILDREN.pop(record.pid, None)
    if child is not None and not stuck:
        child.wait(_KILL_SECONDS)
    if stuck:
        msg = f"{record.name}: process {', '.join(str(p.pid) for p in stuck)} does not end"
        raise ServiceError(msg, remedy="It hangs in the kernel (a dead mount?); look at it with ps.")
    return len(processes)


def _signal(processes: Sequence[psutil.Process], *, kill: bool) -> None:
    for process in processes:
        try:
            if kill:
                process.kill()
            else:
                process.terminate()
        except psutil.Error:
            continue  # it ended by itself


def _wait(processes: Sequence[psutil.Process], seconds: float) -> list[psutil.Process]:
    """Wait for the ends; return who still lives. A zombie that somebody else has to reap counts as ended."""
    deadline = time.monotonic() + seconds
    living = list(processes)
    while True:
        _, living = psutil.wait_procs(living, timeout=0)
        living = [p for p in living if _lives(p)]
        if not living or time.monotonic() >= deadline:
            return living
        time.sleep(0.05)


def _lives(process: psutil.Process) -> bool:
    try:
        if not process.is_running():
            return False
        # A zombie whose other threads are still ending holds its ports yet.
        return process.status() != psutil.STATUS_ZOMBIE or process.num_threads() > 1
    except psutil.Error:
        return False


def exit_note(record: ServiceRecord) -> str:
    """Return how the service ended, as far as it can be known: only a parent learns the exit code."""
    child = _CHILDREN.get(record.pid)
    code = child.poll() if child is not None else None
    return "ended" if code is None else f"ended with exit code {code}"


def log_tail(record: ServiceRecord, lines: int = 15) -> str:
    """Return the last lines that the service has logged since this start (at most 16 KiB)."""
    try:
        with Path(record.log).open("rb") as stream:
            end = stream.seek(0, os.SEEK_END)
            stream.seek(max(record.log_start if record.log_start <= end else 0, end - _TAIL))
            text = stream.read(_TAIL).decode("utf-8", "replace")
    except OSError:
        return ""
    return "\n".join(text.splitlines()[-lines:])
