"""The open runs: each job record as it was before foreign code ran, kept until its token expires or the run is closed.

Records are on disk too, so that a restart of the signer does not lose a long build. A file that cannot be read back is
no open run.
"""

from __future__ import annotations

import os
import re
import threading
import time
from typing import TYPE_CHECKING

from pydantic import ValidationError

from farm import log
from farm.errors import ServiceError, SigningRefusedError
from farm.model.base import Value
from farm.model.evidence import JobRecord
from farm.trust.protocol import RUN_ID_PATTERN, RunToken

if TYPE_CHECKING:
    from collections.abc import Callable
    from pathlib import Path

    from farm.trust.signer.tokens import TokenMint

__all__ = ["RunRegister"]

_LOG = log.get(__name__)
_RUN_ID = re.compile(RUN_ID_PATTERN)


class _OpenRun(Value):
    job: JobRecord
    serial: str
    expires: int


class RunRegister:
    """Opens, finds and closes runs; every method may be called from several threads."""

    def __init__(self, folder: Path, mint: TokenMint, seconds: int, clock: Callable[[], float] = time.time) -> None:
        """Read the runs that are open in `folder` (made when missing).

        Args:
            folder: private to the signer.
            mint: makes the tokens.
            seconds: life of a token.
            clock: seconds since the epoch.
        """
        self._folder = folder
        self._mint = mint
        self._seconds = seconds
        self._clock = clock
        self._lock = threading.Lock()
        self._runs: dict[str, _OpenRun] = {}
        folder.mkdir(mode=0o700, exist_ok=True)
        self._load()

    def __len__(self) -> int:
        with self._lock:
            return len(self._runs)

    def open(self, job: JobRecord) -> RunToken:
        """Keep a job record and return the token for its run; an earlier token of the same run ends.

        Raises:
            SigningRefusedError: the run is open with another record: facts do not change once a build may have begun.
            ServiceError: the record cannot be written.
        """
        _check_job(job)
        with self._lock:
            now = int(self._clock())
            self._expire(now)
            known = self._runs.get(job.run_id)
            if known and known.job != job:
                raise SigningRefusedError(
                    f"the run {job.run_id} is open with another job record", details={"status": 409}
                )
            token, name = self._mint.mint(job.run_id, now, self._seconds)
            run = _OpenRun(job=job, serial=name.serial, expires=now + self._seconds)
            self._write(run)
            self._runs[job.run_id] = run
        return RunToken(run_id=job.run_id, token=token, expires=run.expires)

    def find(self, run_id: str, token: str) -> JobRecord:
        """Return the job record of an open run for the holder of its token.

        Raises:
            SigningRefusedError: the token is not valid, is of another run, or the run is not open any more.
        """
        name = self._mint.check(token)
        if name.run_id != run_id:
            raise SigningRefusedError(f"this token is not of the run {run_id}")
        with self._lock:
            self._expire(int(self._clock()))
            run = self._runs.get(run_id)
            if run is None or run.serial != name.serial:
                raise SigningRefusedError(f"the run {run_id} is closed, or this token of it was replaced")
            return run.job

    def close(self, run_id: str, token: str) -> None:
        """End a run; nothing happens when it is not open.

        Raises:
            SigningRefusedError: the token is not valid or is of another run.
        """
        name = self._mint.check(token)
        if name.run_id != run_id:
            raise SigningRefusedError(f"this token is not of the run {run_id}")
        with self._lock:
            run = self._runs.get(run_id)
            if run is not None and run.serial == name.serial:
                self._drop(run_id)

    def _expire(self, now: int) -> None:
        for run_id in [run_id for run_id, run in self._runs.items() if run.expires <= now]:
            self._drop(run_id)

    def _drop(self, run_id: str) -> None:
        del self._runs[run_id]
        self._path(run_id).unlink(missing_ok=True)

    def _path(self, run_id: str) -> Path:
        return self._folder / f"{run_id}.json"

    def _write(self, run: _OpenRun) -> None:
        path = self._path(run.job.run_id)
        fresh = path.with_suffix(".new")
        try:
            descriptor = os.open(fresh, os.O_WRONLY | os.O_CREAT | os.O_TRUNC | os.O_CLOEXEC, 0o600)
            with os.fdopen(descriptor, "wb") as stream:
                stream.write(run.canonical())
                stream.flush()
                os.fsync(stream.fileno())
            fresh.replace(path)
        except OSError as error:
            raise ServiceError(f"the signer cannot keep the record of run {run.job.run_id}: {error}") from error

    def _load(self) -> None:
        for path in sorted(self._folder.glob("*.json")):
            try:
                run = _OpenRun.model_validate_json(path.read_bytes())
            except (OSError, ValidationError) as error:
                _LOG.warning("dropped an unreadable run record", file=str(path), error=str(error).splitlines()[0])
                continue
            if path == self._path(run.job.run_id):
                self._runs[run.job.run_id] = run
        self._expire(int(self._clock()))


def _check_job(job: JobRecord) -> None:
    """Refuse a record that contradicts itself: the source that was pinned must be the one that was taken."""
    if not _RUN_ID.fullmatch(job.run_id):
        raise SigningRefusedError(f"{job.run_id!r} is not usable as a run id", details={"status": 422})
    pin, snapshot = job.plan.source, job.snapshot
    pinned, taken = (pin.commit, snapshot.commit) if pin.kind == "git" else (pin.sha256, snapshot.origin_sha256)
    if pinned != taken:
        raise SigningRefusedError(
            f"the plan of {job.plan.package} pins the source {pinned}, its snapshot is of {taken}",
            details={"status": 422},
        )
