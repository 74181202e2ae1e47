"""What the Python index keeps: a record for each wheel, and where everything lies in the bucket.

Keys (none ends in `/`, since some servers refuse that):

    files/<2 hex>/<62 hex>/<filename>[suffix]   the file's digest is in the path, so other bytes have another key
    integrity/<name>/<version>/<filename>/provenance   the PEP 740 provenance object
    records/python/<name>/<filename>.json       one `PublishedFile`, written once: from then on the file is published
    simple/<name>/index.json, index.html        project pages, a function of the records
    simple/index.json, index.html               the root page
"""

from __future__ import annotations

import re
from typing import TYPE_CHECKING, Final, NamedTuple

from packaging.utils import BuildTag, InvalidWheelFilename, parse_wheel_filename

from farm.errors import VerificationError
from farm.model.base import BlobRef
from farm.model.plan import PackageId
from farm.repository.model import Filename, Record, Stored, Suffix, Timestamp
from farm.store.objects import BINARY, JSON

if TYPE_CHECKING:
    from packaging.tags import Tag

__all__ = [
    "METADATA",
    "RECORDS",
    "ROOT_HTML",
    "ROOT_JSON",
    "SIMPLE",
    "TEXT",
    "PublishedFile",
    "Release",
    "file_key",
    "integrity_key",
    "page_keys",
    "record_key",
    "release_of",
]

METADATA: Final = ".metadata"
"""Suffix of the core metadata file beside a wheel (PEP 658)."""

RECORDS: Final = "records/python/"
SIMPLE: Final = "simple/"
ROOT_JSON: Final = "simple/index.json"
ROOT_HTML: Final = "simple/index.html"
TEXT: Final = "text/plain; charset=utf-8"

_FILENAME: Final = re.compile(r"[A-Za-z0-9][A-Za-z0-9_.+!-]{0,254}")


class PublishedFile(Record):
    """The record of one published wheel. It exists: everything that it names has been written before."""

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

    @property
    def key(self) -> str:
        """See `Record.key`."""
        return record_key(self.package.name, self.filename)

    @property
    def blobs(self) -> dict[str, BlobRef]:
        """See `Record.blobs`."""
        return {self.filename: self.blob}

    def objects(self) -> dict[str, Stored]:
        """See `Record.objects`: the file itself first."""
        digest = self.blob.sha256
        return {
            file_key(digest, self.filename): Stored(self.blob, BINARY),
            **{
                file_key(digest, self.filename + suffix): Stored(ref, TEXT if suffix == METADATA else JSON)
                for suffix, ref in sorted(self.parts.items())
            },
            integrity_key(self.package, self.filename): Stored(self.provenance, JSON),
        }


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
