"""The open runs: each job record as it was before foreign code ran, kept until its token expires or the run is closed.

Records are on disk too, so that a restart of the signer does not lose a long build. A file that cannot be read back is
no open run.
"""

from __future__ import annotations

import os
import threading
import time
from typing import TYPE_CHECKING

from pydantic import Field, ValidationError

from farm import log
from farm.errors import ServiceError, SigningRefusedError
from farm.model.base import Value
from farm.model.evidence import JobRecord
from farm.trust.protocol import RunToken
from farm.trust.signer.claims import check_job

if TYPE_CHECKING:
    from collections.abc import Callable
    from pathlib import Path

    from farm.trust.signer.tokens import TokenMint

__all__ = ["RunRegister"]

_LOG = log.get(__name__)


class _OpenRun(Value):
    job: JobRecord
    serial: str
    expires: int
    signed: dict[str, str] = Field(default_factory=dict)
    """Release (as `check_filename` returns it) → SHA-256 of the only bytes that this run may have signed under it."""


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
            SigningRefusedError: the record contradicts itself, or the run is open with another one: facts do not
                change once a build may have begun.
            ServiceError: the record cannot be written.
        """
        now = int(self._clock())
        check_job(job, now)
        with self._lock:
            self._expire(now)
            known = self._runs.get(job.run_id)
            if known and known.job != job:
                raise SigningRefusedError(
                    f"the run {job.run_id} is open with another job record", details={"status": 409}
                )
            token, name = self._mint.mint(job.run_id, now, self._seconds)
            signed = known.signed if known else {}
            run = _OpenRun(job=job, serial=name.serial, expires=now + self._seconds, signed=signed)
            self._write(run)
            self._runs[job.run_id] = run
        return RunToken(run_id=job.run_id, token=token, expires=run.expires)

    def find(self, run_id: str, token: str) -> JobRecord:
        """Return the job record of an open run for the holder of its token.

        Raises:
            SigningRefusedError: the token is not valid, is of another run, or the run is not open any more.
        """
        serial = self._serial(run_id, token)
        with self._lock:
            return self._open_run(run_id, serial).job

    def settle(self, run_id: str, token: str, release: str, sha256: str) -> None:
        """Bind a file's name to its bytes for the rest of the run; the same bytes again are a retry.

        Args:
            run_id: the run.
            token: its token.
            release: what the file is to an installer, as `check_filename` returns it.
            sha256: of its bytes, as the signer computed it.

        Raises:
            SigningRefusedError: as in `find`; or the run has had other bytes under that name.
            ServiceError: the record cannot be written.
        """
        serial = self._serial(run_id, token)
        with self._lock:
            run = self._open_run(run_id, serial)
            before = run.signed.get(release)
            if before is None:
                run = run.model_copy(update={"signed": {**run.signed, release: sha256}})
                self._write(run)
                self._runs[run_id] = run
            elif before != sha256:
                raise SigningRefusedError(
                    f"the run {run_id} has had {release} with the digest {before}, now it comes with {sha256}",
                    details={"status": 409},
                )

    def close(self, run_id: str, token: str) -> None:
        """End a run; nothing happens when it is not open.

        Raises:
            SigningRefusedError: the token is not valid or is of another run.
        """
        serial = self._serial(run_id, token)
        with self._lock:
            run = self._runs.get(run_id)
            if run is not None and run.serial == serial:
                self._drop(run_id)

    def _serial(self, run_id: str, token: str) -> str:
        name = self._mint.check(token)
        if name.run_id != run_id:
            raise SigningRefusedError(f"this token is not of the run {run_id}")
        return name.serial

    def _open_run(self, run_id: str, serial: str) -> _OpenRun:
        """Return the run; the caller holds the lock."""
        self._expire(int(self._clock()))
        run = self._runs.get(run_id)
        if run is None or run.serial != serial:
            raise SigningRefusedError(f"the run {run_id} is closed, or this token of it was replaced")
        return run

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
