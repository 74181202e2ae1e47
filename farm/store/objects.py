"""The ObjectStore protocol: one bucket, in the few operations that the vault and the repository are written with.

Correctness never rests on conditional writes: servers differ in them, and some ignore them without a word. `put_if`
uses them where they work; whoever needs to know asks twice (see `farm.repository.lease`).
"""

from __future__ import annotations

from dataclasses import dataclass
from typing import TYPE_CHECKING, Protocol

if TYPE_CHECKING:
    from collections.abc import Iterator
    from contextlib import AbstractContextManager
    from datetime import datetime
    from pathlib import Path

__all__ = ["BINARY", "JSON", "SMALL", "ObjectInfo", "ObjectStore", "OpenObject"]

BINARY = "application/octet-stream"
JSON = "application/json"
SMALL = 64 * 1024 * 1024
"""The most that is ever read into memory in one piece."""


@dataclass(frozen=True)
class ObjectInfo:
    """What a listing or a HEAD says about one object."""

    key: str
    size: int
    etag: str
    modified: datetime


@dataclass(frozen=True)
class OpenObject:
    """An object being read: what is known of it, and its bytes in chunks (of the range that was asked for)."""

    info: ObjectInfo
    """`size` is the size of the whole object, also for a range."""
    chunks: Iterator[bytes]


class ObjectStore(Protocol):
    """One bucket. Any method may raise StoreUnavailableError (server down) or ConfigError (keys refused, no bucket)."""

    def put_file(self, key: str, path: Path, *, content_type: str = BINARY) -> None:
        """Write the file at `path` as `key`, streamed; readers see the old object or the whole new one."""
        ...

    def put_bytes(self, key: str, data: bytes, *, content_type: str = BINARY) -> None:
        """Write `data` as `key`; readers see the old object or the whole new one."""
        ...

    def put_if(self, key: str, data: bytes, *, etag: str | None, content_type: str = BINARY) -> bool:
        """Write `data` if the object still has `etag` (None: if there is no object); return whether it was written.

        Advisory: a server that ignores conditions overwrites and this returns True.
        """
        ...

    def open(self, key: str, *, start: int = 0, end: int | None = None) -> AbstractContextManager[OpenObject | None]:
        """Open the object for reading, bytes `start` to `end` (inclusive), or give None when it is not there."""
        ...

    def get_bytes(self, key: str, *, limit: int = SMALL) -> bytes | None:
        """Return the object's bytes, None when it is not there.

        Raises:
            BlobCorruptError: it is larger than `limit`.
        """
        ...

    def head(self, key: str) -> ObjectInfo | None:
        """Return what is known of the object, None when it is not there."""
        ...

    def list(self, prefix: str) -> Iterator[ObjectInfo]:
        """Yield every object whose key begins with `prefix`, page by page, in the server's order."""
        ...

    def folders(self, prefix: str) -> Iterator[str]:
        """Yield the names directly below `prefix` (which ends in `/`) that have objects below them."""
        ...

    def copy(self, source: str, target: str) -> bool:
        """Copy on the server; return False when `source` is not there."""
        ...

    def delete(self, key: str) -> None:
        """Remove the object; it is no error when it is not there."""
        ...
