"""The Vault protocol: blobs by SHA-256 and small records by key. The digest is checked on every read."""

from __future__ import annotations

from typing import TYPE_CHECKING, Protocol

if TYPE_CHECKING:
    from pathlib import Path

    from farm.model.base import BlobRef

__all__ = ["Vault"]


class Vault(Protocol):
    """Content-addressed store shared by all workers. Every method may raise StoreUnavailableError."""

    def put_file(self, path: Path) -> BlobRef:
        """Store the file (streamed; nothing is sent when a blob of that name and size is there) and return its name."""
        ...

    def put_bytes(self, data: bytes) -> BlobRef:
        """Store `data` and return its name."""
        ...

    def has(self, ref: BlobRef) -> bool:
        """Return whether a blob of that name and size is there (its bytes are not read)."""
        ...

    def fetch(self, ref: BlobRef, target: Path) -> None:
        """Write the blob to `target` (streamed, digest checked, appears only when it is right).

        Raises:
            BlobMissingError: not there.
            BlobCorruptError: other bytes than its name says; it was moved to quarantine first.
        """
        ...

    def read(self, ref: BlobRef) -> bytes:
        """Return the bytes of a small blob (at most 64 MiB); raises like `fetch`."""
        ...

    def put_record(self, kind: str, key: str, data: bytes) -> None:
        """Store a small record (JSON) under `kind` and `key` together with its digest; the last writer wins."""
        ...

    def get_record(self, kind: str, key: str) -> bytes | None:
        """Return the record, or None when there is none or its digest does not fit (then it is put into quarantine)."""
        ...
