"""Signing catalog snapshots: one chain of documents, each about files that this signer has signed.

The last document is kept with its signature. It is written down before it is signed: from then on its number is taken,
and whoever asked and died before the answer gets it from here.
"""

from __future__ import annotations

import os
import threading
import time
from datetime import datetime
from typing import TYPE_CHECKING

from pydantic import ValidationError

from farm.errors import ServiceError, SigningRefusedError, VerificationError
from farm.model.base import BlobRef, sha256_bytes
from farm.model.catalog import parse_snapshot
from farm.trust.authority.instance import Authority, Claims
from farm.trust.protocol import SignedSnapshot
from farm.trust.snapshots import why_no_snapshot
from farm.trust.verify import verify_file

if TYPE_CHECKING:
    from collections.abc import Callable
    from pathlib import Path

    from farm.model.catalog import CatalogSnapshot
    from farm.trust.identity import ExpectedIdentity
    from farm.trust.signer.signed import SignedFiles
    from farm.trust.verify import Trust

__all__ = ["CatalogSigner"]

_SKEW_SECONDS = 300
"""How far the clock of whoever writes the catalog may be from the signer's."""
_SHOWN = 5
"""Unknown files that a refusal spells out; it names the digests of all."""


class CatalogSigner:
    """Signs the next snapshot, or the last one again; every method may be called from several threads."""

    def __init__(
        self,
        folder: Path,
        signed: SignedFiles,
        authority: Authority,
        trust: Trust,
        identity: ExpectedIdentity,
        clock: Callable[[], float] = time.time,
    ) -> None:
        """Read what was signed last.

        Args:
            folder: private to the signer; made when missing.
            signed: the files that snapshots may name.
            authority: the key code.
            trust: the public trust root, as consumers have it.
            identity: of the catalog; issuer included.
            clock: seconds since the epoch.

        Raises:
            VerificationError: the last snapshot cannot be read: the chain would begin anew.
        """
        self._path = folder / "last.json"
        self._signed = signed
        self._authority = authority
        self._trust = trust
        self._identity = identity
        self._clock = clock
        self._lock = threading.Lock()
        folder.mkdir(mode=0o700, exist_ok=True)
        self._last = self._load()

    def sign(self, document: bytes) -> SignedSnapshot:
        """Sign a snapshot, unless it is the one that was signed last: that one comes back with its signature.

        Raises:
            SigningRefusedError: no canonical snapshot, not of now, not the one that follows the last, or it names a
                file that was never signed as what it says; `details["unknown"]` has the digests then.
            ServiceError: it cannot be kept, or the transparency log cannot be written.
            VerificationError: what was signed does not verify; it is not handed out.
        """
        try:
            snapshot = parse_snapshot(document)
        except ValueError as error:
            raise _invalid(f"this is no catalog snapshot: {why_no_snapshot(error)}") from error
        sha256 = sha256_bytes(document)
        with self._lock:
            last = self._last
            if last is None or last.sha256 != sha256:
                self._check(snapshot)
                fresh = SignedSnapshot(sequence=snapshot.sequence, sha256=sha256, document=document.decode(), bundle="")
                last = self._keep(fresh)
            return self._finish(last)

    def last(self) -> SignedSnapshot | None:
        """Return the last snapshot with its signature, None when there was none.

        Raises:
            ServiceError, VerificationError: it was never signed to the end, and cannot be now.
        """
        with self._lock:
            return None if self._last is None else self._finish(self._last)

    def _check(self, snapshot: CatalogSnapshot) -> None:
        last = self._last
        number, before = (last.sequence, last.sha256) if last else (0, "")
        if snapshot.sequence != number + 1:
            raise SigningRefusedError(
                f"the last snapshot that was signed is number {number}; this is another, number {snapshot.sequence}",
                details={"status": 409},
            )
        if snapshot.previous != before:
            raise SigningRefusedError(
                f"snapshot {snapshot.sequence} follows {snapshot.previous}, the last one is {before}",
                details={"status": 409},
            )
        created = datetime.fromisoformat(snapshot.created).timestamp()
        if abs(created - self._clock()) > _SKEW_SECONDS:
            raise _invalid(f"snapshot {snapshot.sequence} is of {snapshot.created}, which is not now")
        today = snapshot.created[:10]
        unknown = []
        for entry in snapshot.entries:
            if entry.verified_on > today:
                raise _invalid(f"{entry} was verified on {entry.verified_on}, after the snapshot")
            unknown += [(entry, file) for file in self._signed.unknown(entry)]
        if unknown:
            shown = ", ".join(f"{file.filename} ({file.sha256}) of {entry}" for entry, file in unknown[:_SHOWN])
            raise SigningRefusedError(
                f"{len(unknown)} files were never signed as what the snapshot says: {shown}",
                details={"status": 422, "unknown": [file.sha256 for _, file in unknown]},
            )

    def _finish(self, last: SignedSnapshot) -> SignedSnapshot:
        """Return the last snapshot, signed if it was not yet; the caller holds the lock."""
        if last.bundle:
            return last
        claims = Claims(
            identity=self._identity.builder,
            issuer=self._identity.issuer,
            extensions={"build_signer_uri": self._identity.builder, "runner_environment": "self-hosted"},
        )
        bundle = self._authority.sign_document(bytes.fromhex(last.sha256), claims)
        blob = BlobRef(sha256=last.sha256, size=len(last.document.encode()))
        verify_file(self._trust, blob, bundle, self._identity)
        return self._keep(last.model_copy(update={"bundle": bundle}))

    def _keep(self, snapshot: SignedSnapshot) -> SignedSnapshot:
        fresh = self._path.with_suffix(".new")
        try:
            descriptor = os.open(fresh, os.O_WRONLY | os.O_CREAT | os.O_TRUNC | os.O_CLOEXEC, 0o600)
            with os.fdopen(descriptor, "wb") as stream:
                stream.write(snapshot.model_dump_json().encode())
                stream.flush()
                os.fsync(stream.fileno())
            fresh.replace(self._path)
            _sync_folder(self._path.parent)
        except OSError as error:
            raise ServiceError(f"the signer cannot keep snapshot {snapshot.sequence}: {error}") from error
        self._last = snapshot
        return snapshot

    def _load(self) -> SignedSnapshot | None:
        try:
            last = SignedSnapshot.model_validate_json(self._path.read_bytes())
        except FileNotFoundError:
            return None
        except (OSError, ValidationError) as error:
            raise _damaged(self._path) from error
        if sha256_bytes(last.document.encode()) != last.sha256:
            raise _damaged(self._path)
        return last


def _sync_folder(folder: Path) -> None:
    """Make a rename survive a power cut: a number that was given away must not be given away again."""
    descriptor = os.open(folder, os.O_RDONLY | os.O_DIRECTORY | os.O_CLOEXEC)
    try:
        os.fsync(descriptor)
    finally:
        os.close(descriptor)


def _damaged(path: Path) -> VerificationError:
    return VerificationError(
        f"the last catalog snapshot {path} is unreadable",
        remedy="Stop the signer, find out who changed the file, and restore the data folder as a whole from a backup.",
    )


def _invalid(message: str) -> SigningRefusedError:
    return SigningRefusedError(message, details={"status": 422})
