"""What the publisher itself reads of a wheel: its core metadata, to hold the index's claims against the file."""

from __future__ import annotations

import zipfile
import zlib
from typing import TYPE_CHECKING, Final, NamedTuple

from packaging.metadata import parse_email
from packaging.specifiers import InvalidSpecifier, SpecifierSet
from packaging.utils import canonicalize_name
from packaging.version import InvalidVersion, Version

from farm.ecosystems.python.repository.model import release_of
from farm.errors import VerificationError

if TYPE_CHECKING:
    from pathlib import Path

__all__ = ["CoreMetadata", "check_metadata"]

_LIMIT: Final = 16 * 1024 * 1024


class CoreMetadata(NamedTuple):
    """The facts that a page repeats."""

    name: str
    """Normalised."""
    version: str
    """Normalised."""
    requires_python: str


def check_metadata(path: Path, filename: str, metadata: bytes) -> CoreMetadata:
    """Return the facts of `metadata`, after making sure that it is what the wheel at `path` holds.

    pip resolves with the metadata beside the file (PEP 658) before it has the file: if the two differed, it would
    decide on facts that nobody signed.

    Raises:
        VerificationError: unreadable wheel, other metadata inside, or another name or version than the file's.
    """
    if _inside(path, filename) != metadata:
        msg = f"{filename}: the core metadata beside the wheel differs from the METADATA inside it"
        raise VerificationError(msg)
    raw, _ = parse_email(metadata)
    requires = raw.get("requires_python", "")
    try:
        SpecifierSet(requires)
        facts = CoreMetadata(canonicalize_name(raw["name"]), str(Version(raw["version"])), requires)
    except (KeyError, InvalidVersion, InvalidSpecifier) as error:
        msg = f"{filename}: its core metadata has no usable Name, Version or Requires-Python"
        raise VerificationError(msg) from error
    release = release_of(filename)
    if (facts.name, facts.version) != (release.project, release.version):
        msg = f"{filename}: its core metadata is of {facts.name} {facts.version}"
        raise VerificationError(msg)
    return facts


def _inside(path: Path, filename: str) -> bytes:
    try:
        with zipfile.ZipFile(path) as wheel:
            found = [
                entry
                for entry in wheel.infolist()
                if entry.filename.count("/") == 1 and entry.filename.endswith(".dist-info/METADATA")
            ]
            if len(found) != 1 or found[0].file_size > _LIMIT:
                msg = f"{filename}: expected exactly one .dist-info/METADATA below 16 MiB inside, found {len(found)}"
                raise VerificationError(msg)
            with wheel.open(found[0]) as stream:
                # The size in the directory is a claim; this is the cap.
                return stream.read(_LIMIT)
    except (zipfile.BadZipFile, zlib.error, NotImplementedError, RuntimeError, EOFError, OSError) as error:
        msg = f"{filename} is not a readable wheel: {error}"
        raise VerificationError(msg) from error
