"""An append-only file of lines that survives crashes and shows every change: the disk side of the transparency log.

Beside the file lies its seal: size and SHA-256 of everything written so far, signed with the log's key. A write is a
line, an fsync, then a new seal. So at start the sealed part must hash to the seal, byte for byte, and what follows it
can only be the lines of one write that a crash cut off before its seal: whole lines are handed to the caller to check
on their own signatures, a last line without its end is dropped. Everything else refuses to start.
"""

from __future__ import annotations

import hashlib
import json
import os
from typing import TYPE_CHECKING

from cryptography.exceptions import InvalidSignature
from cryptography.hazmat.primitives import hashes
from cryptography.hazmat.primitives.asymmetric import ec

from farm import log
from farm.errors import ServiceError, VerificationError
from farm.model.base import CHUNK, canonical_json
from farm.trust.authority import encoding

if TYPE_CHECKING:
    from collections.abc import Iterator, Sequence
    from pathlib import Path

__all__ = ["Journal"]

_LOG = log.get(__name__)
_SEAL_CONTEXT = b"farm transparency log seal v1\n"
"""Put before what the seal's signature covers, so that no other signature of the log's key can pass for one."""
_REMEDY = "Stop the signer, find out who changed the file, and restore the data folder as a whole from a backup."


class Journal:
    """The file at `path` with its seal; call `replay` once before the first `append`."""

    def __init__(self, path: Path, key: ec.EllipticCurvePrivateKey) -> None:
        self._path = path
        self._seal_path = path.with_suffix(".seal")
        self._key = key
        self._hasher = hashlib.sha256()
        self._size = 0
        self._usable = False

    @classmethod
    def create(cls, path: Path, key: ec.EllipticCurvePrivateKey) -> None:
        """Make an empty journal with its seal; neither may exist."""
        journal = cls(path, key)
        _write_new(path, b"")
        journal._write_seal(0, journal._hasher.hexdigest())

    def replay(self) -> Iterator[tuple[bytes, bool]]:
        """Read every line (without its end) and whether the seal covers it; afterwards the journal can be appended to.

        Raises:
            VerificationError: the sealed part was changed or cut, the seal is missing or not ours.
        """
        sealed, digest = self._read_seal()
        try:
            self._hasher, found = _hash_prefix(self._path, sealed)
        except OSError as error:
            raise VerificationError(f"the log {self._path} cannot be read: {error}", remedy=_REMEDY) from error
        if found != sealed or self._hasher.hexdigest() != digest:
            raise VerificationError(
                f"the log {self._path} was changed: its first {sealed} bytes are not those that were sealed",
                remedy=_REMEDY,
            )
        with self._path.open("rb") as stream:
            for line in stream:
                if not line.endswith(b"\n"):
                    break
                self._size += len(line)
                if self._size > sealed:
                    self._hasher.update(line)
                yield line[:-1], self._size <= sealed
        self._drop_torn_line()
        self._write_seal(self._size, self._hasher.hexdigest())
        self._usable = True

    def append(self, lines: Sequence[bytes]) -> None:
        """Write lines (none holds a line end) durably: when this returns they survive a power cut.

        Raises:
            ServiceError: the disk refused, and the write was taken back; or the file is not as this process left it,
                and then every later call raises too.
        """
        if not self._usable:
            raise ServiceError(f"the log {self._path} takes no entries: an earlier write failed", remedy=_REMEDY)
        data = b"".join(line + b"\n" for line in lines)
        hasher = self._hasher.copy()
        hasher.update(data)
        self._usable = False
        try:
            with self._path.open("r+b") as stream:
                self._write(stream.fileno(), data, hasher.hexdigest())
        except OSError as error:
            raise ServiceError(f"the log {self._path} cannot be written: {error}") from error
        self._hasher, self._size, self._usable = hasher, self._size + len(data), True

    def _write(self, descriptor: int, data: bytes, digest: str) -> None:
        found = os.fstat(descriptor).st_size
        if found != self._size:
            raise ServiceError(
                f"the log {self._path} has {found} bytes where the signer left {self._size}", remedy=_REMEDY
            )
        try:
            done = 0
            while done < len(data):
                done += os.pwrite(descriptor, data[done:], self._size + done)
            os.fsync(descriptor)
            self._write_seal(self._size + len(data), digest)
        except OSError:
            # The seal is replaced last, so the old one still stands: take the bytes back and all is as before.
            os.ftruncate(descriptor, self._size)
            os.fsync(descriptor)
            self._usable = True
            raise

    def _drop_torn_line(self) -> None:
        with self._path.open("r+b") as stream:
            found = os.fstat(stream.fileno()).st_size
            if found > self._size:
                _LOG.warning("dropped a torn last line", log=str(self._path), bytes=found - self._size)
                stream.truncate(self._size)
                os.fsync(stream.fileno())

    def _read_seal(self) -> tuple[int, str]:
        try:
            seal = json.loads(self._seal_path.read_bytes())
            size, digest, signature = seal["size"], seal["sha256"], bytes.fromhex(seal["signature"])
            self._key.public_key().verify(signature, _sealed_bytes(size, digest), ec.ECDSA(hashes.SHA256()))
        except (OSError, ValueError, KeyError, TypeError, InvalidSignature) as error:
            raise VerificationError(
                f"the seal {self._seal_path} is missing, unreadable or not signed by this log's key", remedy=_REMEDY
            ) from error
        return int(size), str(digest)

    def _write_seal(self, size: int, digest: str) -> None:
        signature = encoding.sign(self._key, _sealed_bytes(size, digest))
        seal = canonical_json({"size": size, "sha256": digest, "signature": signature.hex()})
        fresh = self._seal_path.with_suffix(".new")
        fresh.unlink(missing_ok=True)
        _write_new(fresh, seal)
        # A power cut may lose the rename: then the old seal covers less, and the tail is checked on its own signatures.
        fresh.replace(self._seal_path)


def _sealed_bytes(size: int, digest: str) -> bytes:
    return _SEAL_CONTEXT + canonical_json({"size": size, "sha256": digest})


def _hash_prefix(path: Path, size: int) -> tuple[hashlib._Hash, int]:
    """Hash the first `size` bytes of a file; return the hasher and how many bytes there were."""
    hasher, found = hashlib.sha256(), 0
    with path.open("rb") as stream:
        while found < size and (chunk := stream.read(min(size - found, CHUNK))):
            hasher.update(chunk)
            found += len(chunk)
    return hasher, found


def _write_new(path: Path, data: bytes) -> None:
    descriptor = os.open(path, os.O_WRONLY | os.O_CREAT | os.O_EXCL | os.O_CLOEXEC, 0o600)
    with os.fdopen(descriptor, "wb") as stream:
        stream.write(data)
        stream.flush()
        os.fsync(stream.fileno())
