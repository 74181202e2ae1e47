"""The repository's values: what is asked to be published, and what the record of a language must say of it.

Keys in the bucket that no language owns (none ends in `/`, since some servers refuse that):

    leases/<ecosystem>.json      who is publishing
    trust/trust_config.json      what consumers verify with
    digests/<sha256>.json        where files with that digest are, for those that are found by digest
    catalog/…                    the signed snapshots of what is published, see `farm.repository.snapshot`
"""

from __future__ import annotations

from abc import abstractmethod
from dataclasses import dataclass
from typing import TYPE_CHECKING, Annotated, Final, Generic, NamedTuple, TypeVar

from pydantic import Field, StringConstraints

from farm.model.base import BlobRef, Value, sha256_bytes
from farm.model.evidence import BUNDLE, PROVENANCE_BUNDLE
from farm.model.names import Filename, RepositoryPath
from farm.model.plan import PackageId

if TYPE_CHECKING:
    from collections.abc import Mapping

__all__ = [
    "BUNDLE",
    "CYCLONEDX",
    "PROVENANCE_BUNDLE",
    "SPDX",
    "TRUST_KEY",
    "Filename",
    "Publication",
    "PublishFile",
    "Published",
    "Record",
    "RepositoryPath",
    "Stored",
    "Suffix",
    "Timestamp",
    "lease_key",
]

CYCLONEDX: Final = ".cdx.json"
SPDX: Final = ".spdx.json"

TRUST_KEY: Final = "trust/trust_config.json"

Timestamp = Annotated[str, StringConstraints(pattern=r"^\d{4}-\d\d-\d\dT\d\d:\d\d:\d\d(\.\d{1,6})?Z$")]
Suffix = Annotated[str, StringConstraints(pattern=r"^(\.[a-z0-9]+)+$", max_length=64)]


class PublishFile(Value):
    """One file that is to be published; all bytes lie in the vault."""

    filename: Filename
    path: RepositoryPath = ""
    """Where the ecosystem's repository has it, where that does not follow from the name."""
    blob: BlobRef
    sidecars: dict[Suffix, BlobRef]
    """Suffix → what lies beside it. `.sigstore.json` and `.provenance.sigstore.json` must be there."""


class Publication(Value):
    """What one build asks to publish."""

    package: PackageId
    names: tuple[str, ...] = ()
    """The names that files of this publication may have besides the package's own (modules); normalised."""
    recipe: str
    """Where the recipe is: its path below the recipes folder, with the commit where it has one."""
    run_uri: str
    build_key: str
    upload_time: Timestamp
    """RFC 3339, UTC."""
    files: tuple[PublishFile, ...] = Field(min_length=1)


class Stored(NamedTuple):
    """One object that a record stands for."""

    ref: BlobRef
    content_type: str
    data: bytes | None = None
    """The bytes, where they follow from the record; else they are in the vault."""

    @classmethod
    def of(cls, data: bytes, content_type: str) -> Stored:
        """Return the object that holds `data`, which follows from the record."""
        return cls(BlobRef(sha256=sha256_bytes(data), size=len(data)), content_type, data)


class Record(Value):
    """What becomes visible together. It exists: everything that it names has been written before, and never changes."""

    @property
    @abstractmethod
    def key(self) -> str:
        """Where the record itself is."""

    @property
    @abstractmethod
    def blobs(self) -> Mapping[str, BlobRef]:
        """The published files: name → digest and size."""

    @abstractmethod
    def objects(self) -> Mapping[str, Stored]:
        """Return every object that the record stands for, by key, in the order in which they are written."""


_R = TypeVar("_R", bound=Record)


@dataclass(frozen=True)
class Published(Generic[_R]):
    """What `publish` did."""

    files: tuple[_R, ...]
    """The records."""
    written: tuple[str, ...]
    """Names of the files that were new; the others were there with the same bytes."""
    healed: tuple[str, ...] = ()
    """Keys of published objects that were missing or corrupt and were written again."""


def lease_key(ecosystem: str) -> str:
    """Return the key of the lease under which the files of an ecosystem are published."""
    return f"leases/{ecosystem}.json"
