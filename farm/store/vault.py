"""The vault on an object store: blobs under their SHA-256, records with a digest of their own.

Keys: `blobs/sha256/ab/<hex>`, `records/<kind>/<key>.json`, and what was found corrupt under `quarantine/<its old key>`.
"""

from __future__ import annotations

import hashlib
import json
import os
import re
import tempfile
from pathlib import Path
from typing import TYPE_CHECKING, Any, Final

from farm import log
from farm.errors import BlobCorruptError, BlobMissingError
from farm.model.base import BlobRef, canonical_json, sha256_bytes, sha256_file
from farm.store.objects import JSON, SMALL

if TYPE_CHECKING:
    from collections.abc import Callable, Iterator
    from typing import BinaryIO

    from farm.config import Settings
    from farm.store.base import Vault
    from farm.store.objects import ObjectStore

__all__ = ["S3Vault", "blob_key", "ensure", "open_vault", "record_key"]

_BLOBS: Final = "blobs/sha256/"
_RECORDS: Final = "records/"
_SHA256: Final = re.compile(r"[0-9a-f]{64}")
_KIND: Final = re.compile(r"[a-z0-9][a-z0-9-]*")
_KEY: Final = re.compile(r"[A-Za-z0-9_][A-Za-z0-9._@+!-]*(/[A-Za-z0-9_][A-Za-z0-9._@+!-]*)*")

_log = log.get(__name__)


def open_vault(settings: Settings) -> S3Vault:
    """Return the vault of these settings; nothing is sent yet.

    Raises:
        StoreUnavailableError, ConfigError: see `farm.store.config.s3_config`.
    """
    from farm.store.s3 import open_store  # noqa: PLC0415 - boto3 is imported with it

    return S3Vault(open_store(settings, settings.s3.vault_bucket))


def blob_key(sha256: str) -> str:
    """Return the key of a blob."""
    return f"{_BLOBS}{sha256[:2]}/{sha256}"


def record_key(kind: str, key: str) -> str:
    """Return the key of a record.

    Raises:
        ValueError: a kind or key that could leave its folder or that some server refuses.
    """
    if not _KIND.fullmatch(kind) or not _KEY.fullmatch(key):
        msg = f"not a record name: {kind!r}/{key!r}"
        raise ValueError(msg)
    return f"{_RECORDS}{kind}/{key}.json"


class S3Vault:
    """Implements `farm.store.base.Vault` on one bucket."""

    def __init__(self, store: ObjectStore) -> None:
        self._store = store

    def put_file(self, path: Path) -> BlobRef:
        """See `Vault.put_file`. A blob of the right size but other bytes stays: the next read finds it out."""
        ref = sha256_file(path)
        if not self.has(ref):
            self._store.put_file(blob_key(ref.sha256), path)
        return ref

    def put_bytes(self, data: bytes) -> BlobRef:
        """See `Vault.put_bytes`."""
        ref = BlobRef(sha256=sha256_bytes(data), size=len(data))
        if not self.has(ref):
            self._store.put_bytes(blob_key(ref.sha256), data)
        return ref

    def has(self, ref: BlobRef) -> bool:
        """See `Vault.has`."""
        found = self._store.head(blob_key(ref.sha256))
        return found is not None and found.size == ref.size

    def fetch(self, ref: BlobRef, target: Path) -> None:
        """See `Vault.fetch`. The temporary file lies beside `target`, so that the last step is a rename."""
        handle, name = tempfile.mkstemp(prefix=".fetch-", dir=target.parent)
        temporary = Path(name)
        try:
            with os.fdopen(handle, "wb") as sink:
                self._read_into(ref, sink)
            temporary.chmod(0o644)
            temporary.replace(target)
        finally:
            temporary.unlink(missing_ok=True)

    def read(self, ref: BlobRef) -> bytes:
        """See `Vault.read`."""
        if ref.size > SMALL:
            msg = f"blob {ref.sha256} has {ref.size} bytes: too large to be read in one piece"
            raise ValueError(msg)
        with tempfile.SpooledTemporaryFile(max_size=SMALL) as sink:
            self._read_into(ref, sink)
            sink.seek(0)
            return sink.read()

    def put_record(self, kind: str, key: str, data: bytes) -> None:
        """See `Vault.put_record`. `data` is UTF-8."""
        name = record_key(kind, key)
        body = {"data": data.decode("utf-8"), "key": key, "kind": kind}
        sealed = {**body, "sha256": sha256_bytes(canonical_json(body))}
        self._store.put_bytes(name, canonical_json(sealed), content_type=JSON)

    def get_record(self, kind: str, key: str) -> bytes | None:
        """See `Vault.get_record`."""
        try:
            return self.read_record(kind, key)
        except BlobCorruptError:
            return None

    def read_record(self, kind: str, key: str) -> bytes | None:
        """Return the record, None when there is none.

        Raises:
            BlobCorruptError: its digest does not fit; it was put into quarantine.
        """
        name = record_key(kind, key)
        raw = self._store.get_bytes(name)
        if raw is None:
            return None
        data = _unseal(raw, kind, key)
        if data is None:
            self._quarantine(name, sha256_bytes(raw))
            msg = f"the record {name} holds other bytes than were written; quarantined"
            raise BlobCorruptError(msg)
        return data

    def blobs(self) -> Iterator[tuple[str, int]]:
        """Yield digest and size of everything that lies where blobs lie, as they are listed; no byte is read.

        The digest is empty for what has the name of no blob.
        """
        for info in self._store.list(_BLOBS):
            sha256 = info.key.rpartition("/")[2]
            yield (sha256 if _SHA256.fullmatch(sha256) and blob_key(sha256) == info.key else "", info.size)

    def all_records(self) -> Iterator[tuple[str, str]]:
        """Yield kind and key of every record, as they are listed; both are empty for what has the name of no record."""
        for info in self._store.list(_RECORDS):
            kind, _, key = info.key.removeprefix(_RECORDS).partition("/")
            named = key.endswith(".json") and _KIND.fullmatch(kind) and _KEY.fullmatch(key.removesuffix(".json"))
            yield (kind, key.removesuffix(".json")) if named else ("", "")

    def is_right(self, sha256: str) -> bool | None:
        """Read a blob and return whether it holds the bytes of its name, None when it is not there. It stays there."""
        actual = self._digest(sha256)
        return None if actual is None else actual == sha256

    def put_aside(self, sha256: str) -> None:
        """Put a blob into quarantine, unless it is right or gone: from then on it is missing, and can be put again."""
        actual = self._digest(sha256)
        if actual is not None and actual != sha256:
            self._quarantine(blob_key(sha256), actual)

    def restore(self, sha256: str, path: Path) -> bool:
        """Write the file at `path` as the blob, whatever is there now, if it has that digest; return whether it had.

        A copy of what is there is put into quarantine first. There is no moment without the blob.
        """
        if sha256_file(path).sha256 != sha256:
            return False
        key, actual = blob_key(sha256), self._digest(sha256)
        if actual is not None and actual != sha256:
            self._store.copy(key, _aside(key, actual))
        self._store.put_file(key, path)
        return True

    def _digest(self, sha256: str) -> str | None:
        """Return the digest of what lies under a blob's name, None when nothing does."""
        hasher = hashlib.sha256()
        with self._store.open(blob_key(sha256)) as found:
            if found is None:
                return None
            for chunk in found.chunks:
                hasher.update(chunk)
        return hasher.hexdigest()

    def records(self, kind: str, prefix: str = "") -> Iterator[str]:
        """See `Vault.records`."""
        start = f"records/{kind}/"
        for info in self._store.list(start + prefix):
            yield info.key.removeprefix(start).removesuffix(".json")

    def _read_into(self, ref: BlobRef, sink: BinaryIO | tempfile.SpooledTemporaryFile[bytes]) -> None:
        """Stream the blob into `sink`; on other bytes than named, quarantine it and raise BlobCorruptError."""
        key = blob_key(ref.sha256)
        hasher, size = hashlib.sha256(), 0
        with self._store.open(key) as found:
            if found is None:
                msg = f"blob {ref.sha256} ({ref.size} bytes) is not in the vault"
                raise BlobMissingError(msg)
            for chunk in found.chunks:
                hasher.update(chunk)
                size += len(chunk)
                if size > ref.size:
                    # Nothing beyond the promised size is worth reading, and it would fill the disk.
                    break
                sink.write(chunk)
        actual = hasher.hexdigest()
        if actual == ref.sha256 and size == ref.size:
            return
        self._quarantine(key, actual)
        msg = f"blob {ref.sha256} ({ref.size} bytes) holds other bytes (SHA-256 {actual}, {size} read); quarantined"
        raise BlobCorruptError(msg, details={"expected": ref.sha256, "actual": actual})

    def _quarantine(self, key: str, actual: str) -> None:
        # Copy before delete: a crash between the two leaves the corrupt object to be found again, never nothing.
        place = _aside(key, actual)
        _log.warning("quarantined", key=key, actual_sha256=actual, place=place)
        if self._store.copy(key, place):
            self._store.delete(key)


def _aside(key: str, actual: str) -> str:
    """Return where an object that holds bytes of the digest `actual` instead of its own is put."""
    return f"quarantine/{key}.{actual[:16]}"


def ensure(vault: Vault, ref: BlobRef, target: Path, refetch: Callable[[Path], None]) -> bool:
    """Write the blob to `target`; when it is missing or corrupt, let `refetch` get it again and store it.

    Args:
        vault: where to look first.
        ref: what is wanted.
        target: appears only with the right bytes.
        refetch: writes the file, from where it came, to the path it is given.

    Returns:
        True when it had to be fetched again.

    Raises:
        BlobCorruptError: what `refetch` brought is not it either.
    """
    try:
        vault.fetch(ref, target)
    except (BlobMissingError, BlobCorruptError) as reason:
        _log.info("fetched again", sha256=ref.sha256, because=type(reason).__name__)
        with tempfile.TemporaryDirectory(prefix=".refetch-", dir=target.parent) as folder:
            fresh = Path(folder) / "file"
            refetch(fresh)
            got = sha256_file(fresh)
            if got != ref:
                msg = f"blob {ref.sha256} was fetched again and is {got.sha256} ({got.size} bytes) instead"
                raise BlobCorruptError(msg, details={"expected": ref.sha256, "actual": got.sha256}) from reason
            vault.put_file(fresh)
            fresh.replace(target)
        return True
    return False


def _unseal(raw: bytes, kind: str, key: str) -> bytes | None:
    """Return the data of a record's envelope, None unless the digest and the names fit."""
    try:
        sealed: Any = json.loads(raw)
        digest = sealed.pop("sha256")
        intact = sealed.keys() == {"data", "key", "kind"} and sha256_bytes(canonical_json(sealed)) == digest
        if not intact or (sealed["kind"], sealed["key"]) != (kind, key):
            return None
        data: bytes = sealed["data"].encode("utf-8")
    except (ValueError, AttributeError, KeyError, TypeError, RecursionError):
        # Corrupt bytes can be any JSON, or none: whatever does not have the envelope's shape is no record.
        return None
    return data
