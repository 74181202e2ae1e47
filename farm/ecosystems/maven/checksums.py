"""Digests of files in a Maven repository: measured, read from what a repository states, checked on reading."""

from __future__ import annotations

import hashlib
import re
from dataclasses import dataclass
from typing import TYPE_CHECKING, Final, Literal

from farm.errors import BlobCorruptError
from farm.model.base import CHUNK, BlobRef

if TYPE_CHECKING:
    from collections.abc import Iterator, Mapping
    from pathlib import Path

__all__ = ["STATED", "Checked", "Digests", "Measure", "Stated", "digest_of", "read_checksum", "stated_in", "verified"]

Stated = Literal["sha1", "sha256", "md5"]
Checked = Literal["sha1", "sha256", "md5", ""]
"""What a file was held against; empty where its repository states nothing."""

STATED: Final[tuple[Stated, ...]] = ("sha1", "sha256", "md5")
"""What is asked of a repository, in this order: every repository in Maven's layout has the first."""

_LENGTHS: Final[Mapping[Stated, int]] = {"md5": 32, "sha1": 40, "sha256": 64}
_LARGEST: Final = 4096
_HEX: Final = re.compile(r"(?<![0-9A-Za-z])[0-9A-Fa-f]+(?![0-9A-Za-z])")
_TAG: Final = re.compile(r"\{SHA1\{([0-9a-fA-F]{40})\}\}")
"""How one kind of repository manager states the digest: in the entity tag."""


@dataclass(frozen=True)
class Digests:
    """What was measured of a file."""

    size: int
    sha256: str
    sha1: str
    md5: str

    @property
    def ref(self) -> BlobRef:
        """Where the vault keeps it."""
        return BlobRef(sha256=self.sha256, size=self.size)

    def fits(self, algorithm: Stated, value: str) -> bool:
        """Return whether the digest by `algorithm` (one of STATED) is `value`."""
        return {"sha1": self.sha1, "sha256": self.sha256, "md5": self.md5}[algorithm] == value.lower()


class Measure:
    """Takes a file chunk by chunk."""

    def __init__(self) -> None:
        self.size = 0
        self._sha256 = hashlib.sha256()
        self._sha1 = hashlib.sha1(usedforsecurity=False)
        self._md5 = hashlib.md5(usedforsecurity=False)

    def update(self, chunk: bytes) -> None:
        """Take the next bytes."""
        self.size += len(chunk)
        for hasher in (self._sha256, self._sha1, self._md5):
            hasher.update(chunk)

    def digests(self) -> Digests:
        """Return what was measured up to here."""
        return Digests(self.size, self._sha256.hexdigest(), self._sha1.hexdigest(), self._md5.hexdigest())


def stated_in(headers: Mapping[str, str]) -> tuple[Stated, str] | None:
    """Return algorithm and digest (hex) that a repository manager states in its response headers, if it does.

    Args:
        headers: of the response; its `get` does not mind case.
    """
    managers: tuple[Stated, ...] = ("sha256", "sha1")
    for algorithm in managers:
        value = headers.get(f"x-checksum-{algorithm}", "").strip().lower()
        if re.fullmatch(rf"[0-9a-f]{{{_LENGTHS[algorithm]}}}", value):
            return algorithm, value
    tag = _TAG.search(headers.get("etag", ""))
    return ("sha1", tag.group(1).lower()) if tag else None


def read_checksum(data: bytes, algorithm: Stated) -> str | None:
    """Read a checksum file in any of the forms in use: `hex`, `hex  name`, `SHA1(name)= hex`.

    Returns:
        The digest in lower-case hex; None when there is none, or when there are several.
    """
    if len(data) > _LARGEST:
        return None
    words = _HEX.findall(data.decode("utf-8", errors="replace"))
    found = {word.lower() for word in words if len(word) == _LENGTHS[algorithm]}
    return found.pop() if len(found) == 1 else None


def digest_of(path: Path, algorithm: str) -> str:
    """Return the digest of the file by any algorithm of hashlib's, read in chunks."""
    hasher = hashlib.new(algorithm, usedforsecurity=False)
    with path.open("rb") as stream:
        while chunk := stream.read(CHUNK):
            hasher.update(chunk)
    return hasher.hexdigest()


def verified(path: Path, ref: BlobRef) -> Iterator[bytes]:
    """Yield the file in chunks; the last one is held back until the digest is known to be right.

    Raises:
        BlobCorruptError: the file holds other bytes; what was yielded is then shorter than `ref.size`.
    """
    hasher, size, held = hashlib.sha256(), 0, b""
    with path.open("rb") as stream:
        while chunk := stream.read(CHUNK):
            hasher.update(chunk)
            size += len(chunk)
            if size > ref.size:
                break
            if held:
                yield held
            held = chunk
    if size != ref.size or hasher.hexdigest() != ref.sha256:
        msg = f"the file {path.name} of the recorder's folder was changed while the recorder ran"
        raise BlobCorruptError(msg, details={"expected": ref.sha256, "actual": hasher.hexdigest()})
    if held:
        yield held
