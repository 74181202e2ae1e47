"""What the Maven repository keeps: one record for everything that a version's build put out, and where it lies.

Keys:

    maven2/<path>                                   files, in the Maven2 layout; beside each its checksums and evidence
    versions/maven/<group>/<artifact>/<version>.json  which record has this version: from a path to its record, unlisted
    records/maven/<group>/<artifact>/<version>.json   one `PublishedVersion` of the package, written once: from then on
                                                    all modules and all files of the version are published
    maven2/…/maven-metadata.xml, maven2/.meta/prefixes.txt, pages/maven.json   functions of the records

Jar, POM and modules of a version become visible together, because they are in one record. The bucket's `maven2/` can be
served statically too: then files are there a moment before the metadata names them.
"""

from __future__ import annotations

import hashlib
from typing import TYPE_CHECKING, Annotated, Final

from pydantic import StringConstraints

from farm.ecosystems.maven.naming import split_name
from farm.model.base import CHUNK, BlobRef, Value, canonical_json
from farm.model.plan import PackageId
from farm.repository.model import Record, RepositoryPath, Stored, Suffix, Timestamp
from farm.store.objects import BINARY, JSON

if TYPE_CHECKING:
    from pathlib import Path

__all__ = [
    "ADDRESS",
    "CHECKSUMS",
    "FILES",
    "PAGE_KEY",
    "PREFIXES",
    "PREFIXES_KEY",
    "RECORDS",
    "TEXT",
    "VERSIONS",
    "XML",
    "Module",
    "PublishedPath",
    "PublishedVersion",
    "checksums_of",
    "content_type",
    "pointer_key",
    "record_key",
    "short_checksums",
]

FILES: Final = "maven2/"
VERSIONS: Final = "versions/maven/"
RECORDS: Final = "records/maven/"
PREFIXES: Final = ".meta/prefixes.txt"
PREFIXES_KEY: Final = f"{FILES}{PREFIXES}"
PAGE_KEY: Final = "pages/maven.json"
"""What the page for people lists."""
ADDRESS: Final = "maven/"
"""Where the server has what is below `FILES`."""

CHECKSUMS: Final = ("md5", "sha1", "sha256", "sha512")
"""Endings of what lies beside a file that was generated."""
TEXT: Final = "text/plain; charset=utf-8"
XML: Final = "application/xml"

_TYPES: Final = {
    ".jar": "application/java-archive",
    ".pom": XML,
    ".xml": XML,
    ".module": JSON,
    ".json": JSON,
    ".zip": "application/zip",
    ".tar.gz": "application/gzip",
}

Hex = Annotated[str, StringConstraints(pattern=r"^([0-9a-f]{32}|[0-9a-f]{40}|[0-9a-f]{128})$")]


class PublishedPath(Value):
    """One file of the layout."""

    path: RepositoryPath
    """Below the repository's root."""
    blob: BlobRef
    md5: Hex
    sha1: Hex
    sha512: Hex
    parts: dict[Suffix, BlobRef]
    """Suffix → what lies beside it, besides its checksums."""

    @property
    def filename(self) -> str:
        """The last part of the path."""
        return self.path.rpartition("/")[2]

    @property
    def checksums(self) -> dict[str, str]:
        """Extension → checksum in hex."""
        return {"md5": self.md5, "sha1": self.sha1, "sha256": self.blob.sha256, "sha512": self.sha512}


class Module(Value):
    """One `groupId:artifactId` of a published version."""

    name: str
    packaging: str
    title: str = ""
    """The POM's `<name>`."""
    goal_prefix: str = ""
    """Of a Maven plugin."""


class PublishedVersion(Record):
    """The record of a published version: all modules with all their files."""

    schema_version: int = 1
    package: PackageId
    modules: tuple[Module, ...]
    """By name."""
    files: tuple[PublishedPath, ...]
    """By path."""
    upload_time: Timestamp
    recipe: str
    run_uri: str
    build_key: str

    @property
    def key(self) -> str:
        """See `Record.key`."""
        return record_key(self.package.name, self.package.version)

    @property
    def blobs(self) -> dict[str, BlobRef]:
        """See `Record.blobs`: file names are unique in a version."""
        return {file.filename: file.blob for file in self.files}

    def objects(self) -> dict[str, Stored]:
        """See `Record.objects`: each file, what lies beside it, then what leads from a module to the record."""
        found: dict[str, Stored] = {}
        for file in self.files:
            key = FILES + file.path
            found[key] = Stored(file.blob, content_type(file.path))
            for extension, checksum in file.checksums.items():
                found[f"{key}.{extension}"] = Stored.of(checksum.encode(), TEXT)
            for suffix, ref in sorted(file.parts.items()):
                found[key + suffix] = Stored(ref, JSON)
        for module in self.modules:
            document = canonical_json({"record": self.key})
            found[pointer_key(module.name, self.package.version)] = Stored.of(document, JSON)
        return found


def record_key(name: str, version: str) -> str:
    """Return the key of a package version's record."""
    group, artifact = split_name(name)
    return f"{RECORDS}{group}/{artifact}/{version}.json"


def pointer_key(name: str, version: str) -> str:
    """Return the key of the object that names the record with a module's version."""
    group, artifact = split_name(name)
    return f"{VERSIONS}{group}/{artifact}/{version}.json"


def content_type(path: str) -> str:
    """Return the media type of a file."""
    return next((kind for ending, kind in _TYPES.items() if path.endswith(ending)), BINARY)


def checksums_of(path: Path) -> dict[str, str]:
    """Return md5, sha1 and sha512 of a file in hex, read once."""
    hashers = {
        "md5": hashlib.md5(usedforsecurity=False),
        "sha1": hashlib.sha1(usedforsecurity=False),
        "sha512": hashlib.sha512(),
    }
    with path.open("rb") as stream:
        while chunk := stream.read(CHUNK):
            for hasher in hashers.values():
                hasher.update(chunk)
    return {name: hasher.hexdigest() for name, hasher in hashers.items()}


def short_checksums(data: bytes) -> dict[str, str]:
    """Return all four checksums of something generated, in hex."""
    return {
        "md5": hashlib.md5(data, usedforsecurity=False).hexdigest(),
        "sha1": hashlib.sha1(data, usedforsecurity=False).hexdigest(),
        "sha256": hashlib.sha256(data).hexdigest(),
        "sha512": hashlib.sha512(data).hexdigest(),
    }
