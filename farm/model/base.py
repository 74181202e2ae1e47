"""What every value of farm has in common: frozen, strict about unknown keys, one canonical JSON form, digests."""

from __future__ import annotations

import hashlib
from typing import TYPE_CHECKING, Annotated, Any, BinaryIO

import rfc8785
from pydantic import BaseModel, ConfigDict, StringConstraints

if TYPE_CHECKING:
    from pathlib import Path

__all__ = [
    "CHUNK",
    "BlobRef",
    "GitCommit",
    "Sha256",
    "Value",
    "canonical_json",
    "sha256_bytes",
    "sha256_file",
    "sha256_stream",
    "unique_keys",
]

CHUNK = 1024 * 1024
"""Bytes read at a time wherever a file streams."""

Sha256 = Annotated[str, StringConstraints(pattern=r"^[0-9a-f]{64}$")]
GitCommit = Annotated[str, StringConstraints(pattern=r"^([0-9a-f]{40}|[0-9a-f]{64})$")]


class Value(BaseModel):
    """Base of all values: frozen, unknown keys are errors."""

    model_config = ConfigDict(extra="forbid", frozen=True)

    def canonical(self) -> bytes:
        """Return the RFC 8785 JSON of this value."""
        return canonical_json(self.model_dump(mode="json"))

    def fingerprint(self) -> str:
        """Return the SHA-256 (hex) of `canonical()`."""
        return sha256_bytes(self.canonical())


class BlobRef(Value):
    """A blob of the vault: its SHA-256 (hex) and its size in bytes."""

    sha256: Sha256
    size: int


def canonical_json(value: Any) -> bytes:
    """Return `value` (JSON-ready) as canonical JSON (RFC 8785), UTF-8."""
    return rfc8785.dumps(value)


def unique_keys(pairs: list[tuple[str, Any]]) -> dict[str, Any]:
    """Make a JSON object (`object_pairs_hook`) and refuse two values for one key: readers disagree on which counts.

    Raises:
        ValueError: a key is there twice.
    """
    found = dict(pairs)
    if len(found) != len(pairs):
        msg = "a JSON object has the same key twice"
        raise ValueError(msg)
    return found


def sha256_bytes(data: bytes) -> str:
    """Return the SHA-256 of `data` in hex."""
    return hashlib.sha256(data).hexdigest()


def sha256_stream(stream: BinaryIO) -> BlobRef:
    """Read `stream` to its end in chunks and return its digest and size."""
    hasher, size = hashlib.sha256(), 0
    while chunk := stream.read(CHUNK):
        hasher.update(chunk)
        size += len(chunk)
    return BlobRef(sha256=hasher.hexdigest(), size=size)


def sha256_file(path: Path) -> BlobRef:
    """Return digest and size of the file at `path`, read in chunks."""
    with path.open("rb") as stream:
        return sha256_stream(stream)
