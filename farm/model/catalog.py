"""The catalog snapshot: one document that says what the repository holds, to be signed as a whole.

Snapshots form a chain: each has the next number and names the digest of the one before. Whoever has seen one notices an
older one that is put in its place, and a second document for the same number.
"""

from __future__ import annotations

from datetime import date
from itertools import pairwise
from typing import TYPE_CHECKING, Annotated, Final, Literal, Self, TypeVar

from pydantic import AfterValidator, Field, StringConstraints, model_validator

from farm.model.base import Sha256, Value
from farm.model.evidence import Timestamp
from farm.model.names import Filename, RepositoryPath

if TYPE_CHECKING:
    from collections.abc import Iterable

    from farm.model.lock import LockedFile

__all__ = [
    "MAX_SNAPSHOT_BYTES",
    "CatalogEntry",
    "CatalogFile",
    "CatalogSnapshot",
    "SnapshotPointer",
    "following",
    "parse_snapshot",
]

MAX_SNAPSHOT_BYTES: Final = 32 * 1024 * 1024
"""Largest document that is signed, published or read: some 60,000 entries."""
_SAFE: Final = 2**53 - 1
"""The largest integer that every reader of JSON has (RFC 8785, 3.2.2.3)."""


_Key = TypeVar("_Key", str, tuple[str, str, str, str])


def _is_a_day(text: str) -> str:
    if text:
        date.fromisoformat(text)  # ValueError for a 30th of February
    return text


Count = Annotated[int, Field(ge=0, le=_SAFE)]
Day = Annotated[str, StringConstraints(pattern=r"^(\d{4}-\d\d-\d\d)?$"), AfterValidator(_is_a_day)]
Name = Annotated[str, StringConstraints(pattern=r"^[A-Za-z0-9_][A-Za-z0-9._:+!~-]*$", max_length=300)]
OptionalSha256 = Annotated[str, StringConstraints(pattern=r"^([0-9a-f]{64})?$")]


class CatalogFile(Value):
    """One published file."""

    filename: Filename
    path: RepositoryPath = ""
    """Where the language's repository has it, where that does not follow from name and digest (Maven)."""
    sha256: Sha256
    size: Count

    @model_validator(mode="after")
    def _place_fits(self) -> Self:
        if self.path and self.path.rpartition("/")[2] != self.filename:
            msg = f"{self.path} is no place for {self.filename}"
            raise ValueError(msg)
        return self


class RebuiltShare(Value):
    """How many of the inputs of a build farm has rebuilt itself."""

    own: Count
    total: Count

    @model_validator(mode="after")
    def _part_of_all(self) -> Self:
        if self.own > self.total:
            msg = f"{self.own} of {self.total} inputs cannot be farm's own"
            raise ValueError(msg)
        return self

    @classmethod
    def of(cls, inputs: Iterable[LockedFile]) -> RebuiltShare:
        """Count the inputs of the build itself; what only runs or tests the result does not count."""
        read = [file for file in inputs if set(file.roles) & {"build", "backend"}]
        return cls(own=sum(file.origin == "farm" for file in read), total=len(read))

    def __str__(self) -> str:
        return f"{self.own}/{self.total}"


class CatalogEntry(Value):
    """What is published of one package version for one target."""

    ecosystem: Annotated[str, StringConstraints(pattern=r"^[a-z][a-z0-9-]{0,63}$")]
    name: Name
    version: Name
    target: Annotated[str, StringConstraints(pattern=r"^[a-z0-9][a-z0-9._-]{0,99}$")]
    """`cp311-linux-amd64`."""
    build_key: Sha256
    files: tuple[CatalogFile, ...] = Field(min_length=1)
    """By name."""
    rebuilt: RebuiltShare
    """Of the inputs of the build (`RebuiltShare.of`)."""
    verified_on: Day = ""
    """Day of the last rebuild that gave the same bytes; empty when there was none."""
    verdict: Literal["reproduced", "drifted", ""] = ""
    """What the last rebuild came to."""

    @property
    def order(self) -> tuple[str, str, str, str]:
        """What entries are sorted by; no two are equal in it."""
        return self.ecosystem, self.name, self.version, self.target

    def __str__(self) -> str:
        return f"{self.ecosystem}/{self.name}@{self.version}:{self.target}"

    @model_validator(mode="after")
    def _consistent(self) -> Self:
        _ascending((file.filename for file in self.files), "files")
        if self.verdict == "reproduced" and not self.verified_on:
            msg = "reproduced, but on no day"
            raise ValueError(msg)
        return self


class CatalogSnapshot(Value):
    """What the repository holds at one moment."""

    schema_version: Literal[1] = 1
    sequence: int = Field(ge=1, le=_SAFE)
    previous: OptionalSha256
    """SHA-256 of the document before; empty for the first."""
    created: Timestamp
    entries: tuple[CatalogEntry, ...]
    """By ecosystem, name, version, target."""

    @model_validator(mode="after")
    def _consistent(self) -> Self:
        if (self.sequence == 1) != (self.previous == ""):
            msg = "the first snapshot follows no other, and every other follows one"
            raise ValueError(msg)
        _ascending((entry.order for entry in self.entries), "entries")
        return self

    def holders(self, sha256: str, filename: str) -> tuple[CatalogEntry, ...]:
        """Return the entries with a file of these bytes under this name."""
        wanted = (sha256, filename)
        return tuple(e for e in self.entries if any((file.sha256, file.filename) == wanted for file in e.files))


class SnapshotPointer(Value):
    """Which snapshot is the present one: the only object of the catalog that is ever replaced."""

    sequence: int = Field(ge=1, le=_SAFE)
    sha256: Sha256

    @property
    def path(self) -> str:
        """Where the document is, relative to the pointer; its bundle has `.sigstore.json` after it."""
        return f"snapshots/{self.sequence}-{self.sha256}.json"


def parse_snapshot(document: bytes) -> CatalogSnapshot:
    """Return the snapshot that `document` is: of this shape, in canonical JSON, so that it has one digest alone.

    Raises:
        ValueError: it is too large, of another shape, or the same value would be written in other bytes.
    """
    if len(document) > MAX_SNAPSHOT_BYTES:
        msg = f"it has {len(document)} bytes, at most {MAX_SNAPSHOT_BYTES} are read"
        raise ValueError(msg)
    snapshot = CatalogSnapshot.model_validate_json(document)
    if snapshot.canonical() != document:
        msg = "it is not canonical JSON (RFC 8785)"
        raise ValueError(msg)
    return snapshot


def following(before: CatalogSnapshot | None, entries: Iterable[CatalogEntry], created: str) -> CatalogSnapshot:
    """Return the snapshot that comes after `before` (None: the first).

    Args:
        before: the present one.
        entries: what is published, in any order.
        created: now (RFC 3339, UTC, whole seconds).

    Raises:
        ValueError: an entry is there twice.
    """
    return CatalogSnapshot(
        sequence=before.sequence + 1 if before else 1,
        previous=before.fingerprint() if before else "",
        created=created,
        entries=tuple(sorted(entries, key=lambda entry: entry.order)),
    )


def _ascending(keys: Iterable[_Key], what: str) -> None:
    for low, high in pairwise(keys):
        if low >= high:
            msg = f"the {what} are not sorted, or one is there twice: {low}, {high}"
            raise ValueError(msg)
