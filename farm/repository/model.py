"""The repository's values: what is asked to be published, and the record that says what was.

Keys in the bucket (none ends in `/`, since some servers refuse that):

    files/<2 hex>/<62 hex>/<filename>[suffix]   the file's digest is in the path, so other bytes have another key
    integrity/<name>/<version>/<filename>/provenance   the PEP 740 provenance object
    records/python/<name>/<filename>.json       one `PublishedFile`, written once: from then on the file is published
    simple/<name>/index.json, index.html        project pages, a function of the records
    simple/index.json, index.html               the root page
    leases/python.json                          who is publishing
    trust/trust_config.json                     what consumers verify with
"""

from __future__ import annotations

import re
from typing import TYPE_CHECKING, Annotated, Final, NamedTuple

from packaging.utils import BuildTag, InvalidWheelFilename, parse_wheel_filename
from pydantic import Field, StringConstraints

from farm.errors import VerificationError
from farm.model.base import BlobRef, Value
from farm.model.plan import PackageId

if TYPE_CHECKING:
    from packaging.tags import Tag

__all__ = [
    "BUNDLE",
    "CYCLONEDX",
    "LEASE_KEY",
    "METADATA",
    "PROVENANCE_BUNDLE",
    "RECORDS",
    "ROOT_HTML",
    "ROOT_JSON",
    "SIMPLE",
    "SPDX",
    "TRUST_KEY",
    "Publication",
    "PublishFile",
    "Published",
    "PublishedFile",
    "Release",
    "file_key",
    "integrity_key",
    "page_keys",
    "record_key",
    "release_of",
]

METADATA: Final = ".metadata"
BUNDLE: Final = ".sigstore.json"
PROVENANCE_BUNDLE: Final = ".provenance.sigstore.json"
CYCLONEDX: Final = ".cdx.json"
SPDX: Final = ".spdx.json"

RECORDS: Final = "records/python/"
SIMPLE: Final = "simple/"
ROOT_JSON: Final = "simple/index.json"
ROOT_HTML: Final = "simple/index.html"
LEASE_KEY: Final = "leases/python.json"
TRUST_KEY: Final = "trust/trust_config.json"

Timestamp = Annotated[str, StringConstraints(pattern=r"^\d{4}-\d\d-\d\dT\d\d:\d\d:\d\d(\.\d{1,6})?Z$")]
Filename = Annotated[str, StringConstraints(pattern=r"^[A-Za-z0-9][A-Za-z0-9_.+!-]*$", max_length=255)]
Suffix = Annotated[str, StringConstraints(pattern=r"^(\.[a-z0-9]+)+$", max_length=64)]

_FILENAME: Final = re.compile(r"[A-Za-z0-9][A-Za-z0-9_.+!-]{0,254}")


class PublishFile(Value):
    """One file that is to be published; all bytes lie in the vault."""

    filename: Filename
    blob: BlobRef
    metadata: BlobRef
    """The core metadata file (PEP 658)."""
    sidecars: dict[Suffix, BlobRef]
    """Suffix → document. `.sigstore.json` and `.provenance.sigstore.json` must be there."""


class Publication(Value):
    """What one build asks to publish."""

    package: PackageId
    recipe: str
    """Where the recipe is: its path below the recipes folder, with the commit where it has one."""
    run_uri: str
    build_key: str
    upload_time: Timestamp
    """RFC 3339, UTC."""
    files: tuple[PublishFile, ...] = Field(min_length=1)


class PublishedFile(Value):
    """The record of one published file. It exists: everything that it names has been written before."""

    schema_version: int = 1
    package: PackageId
    filename: Filename
    blob: BlobRef
    parts: dict[Suffix, BlobRef]
    """Suffix → what lies beside the file: metadata, bundles, SBOMs."""
    provenance: BlobRef
    """The PEP 740 provenance object."""
    requires_python: str
    yanked: bool | str = False
    upload_time: Timestamp
    recipe: str
    run_uri: str
    build_key: str


class Published(Value):
    """What `publish` did."""

    files: tuple[PublishedFile, ...]
    written: tuple[str, ...]
    """Names of the files that were new; the others were there with the same bytes."""
    healed: tuple[str, ...] = ()
    """Keys of published objects that were missing or corrupt and were written again from the vault."""


class Release(NamedTuple):
    """What a wheel's file name says (PEP 427), normalised; two names with the same release are the same file to pip."""

    project: str
    version: str
    build: BuildTag
    tags: frozenset[Tag]


def release_of(filename: str) -> Release:
    """Read a wheel's file name.

    Raises:
        VerificationError: no such name, or characters that have no place in one.
    """
    try:
        name, version, build, tags = parse_wheel_filename(filename)
    except InvalidWheelFilename as error:
        msg = f"{filename!r} is not the name of a wheel"
        raise VerificationError(msg) from error
    if not _FILENAME.fullmatch(filename):
        msg = f"{filename!r} holds characters that have no place in the name of a wheel"
        raise VerificationError(msg)
    return Release(str(name), str(version), build, tags)


def file_key(sha256: str, filename: str) -> str:
    """Return the key of a file (or, with a suffix on the name, of what lies beside it)."""
    return f"files/{sha256[:2]}/{sha256[2:]}/{filename}"


def integrity_key(package: PackageId, filename: str) -> str:
    """Return the key of the PEP 740 provenance object."""
    return f"integrity/{package.name}/{package.version}/{filename}/provenance"


def record_key(name: str, filename: str) -> str:
    """Return the key of a file's record."""
    return f"{RECORDS}{name}/{filename}.json"


def page_keys(name: str) -> tuple[str, str]:
    """Return the keys of a project's pages: HTML, JSON (the order in which they are written)."""
    return f"{SIMPLE}{name}/index.html", f"{SIMPLE}{name}/index.json"
