"""What both SBOM formats share: names, identity, time, licence, and what tells the embedded document from the sidecar.

Every document is written twice for a file: embedded in it (PEP 770), where it cannot hold the file's own digest, and
beside it, where it does. `without_file_hash` takes the one difference out again, so that a verifier can compare them.
"""

from __future__ import annotations

import json
from collections import Counter
from datetime import UTC, datetime
from enum import Enum
from typing import TYPE_CHECKING, Any
from uuid import NAMESPACE_URL, UUID, uuid5

from packageurl import PackageURL
from packaging.licenses import InvalidLicenseExpression, canonicalize_license_expression

from farm.languages import package_url
from farm.model.base import Value, canonical_json

if TYPE_CHECKING:
    from collections.abc import Sequence

    from farm.model.build import FileNote
    from farm.model.evidence import SbomFacts
    from farm.model.lock import LockedFile

__all__ = [
    "DOCUMENT_LIMIT",
    "MAIN_REF",
    "SUPPLIER",
    "DeclaredLicense",
    "SbomFormat",
    "component_name",
    "component_url",
    "contained",
    "declared_license",
    "document_id",
    "embedded_name",
    "input_refs",
    "serialize",
    "settled",
    "software_heritage_id",
    "timestamp",
    "without_file_hash",
]

SUPPLIER = "farm"
"""Who supplies what farm built: the organisation's farm, not the upstream project."""

MAIN_REF = "SPDXRef-Package"
"""SPDX id of the described package."""

DOCUMENT_LIMIT = 16 * 1024 * 1024
"""Largest document, in bytes, that is read: a larger one is refused."""

_SHA1_HEX = 40

_LINE = 200
"""Longest name that is made of free licence text."""


class SbomFormat(Enum):
    """A format, by the suffix of its sidecar."""

    CYCLONEDX = ".cdx.json"
    SPDX = ".spdx.json"

    @property
    def media_type(self) -> str:
        """The media type of its JSON."""
        return {".cdx.json": "application/vnd.cyclonedx+json", ".spdx.json": "application/spdx+json"}[self.value]


class DeclaredLicense(Value):
    """A declared licence: an SPDX expression, or free text with a one-line name; all empty when none is declared."""

    expression: str = ""
    name: str = ""
    text: str = ""


def embedded_name(kind: SbomFormat) -> str:
    """Return the file name of the embedded document, below the folder that PEP 770 names."""
    return f"farm{kind.value}"


def settled(facts: SbomFacts) -> SbomFacts:
    """Return the facts with every unordered collection sorted, so that the same facts give the same bytes.

    A file that is listed more than once becomes one with all its roles: documents name each file by its digest.
    """
    files: dict[tuple[str, str], LockedFile] = {}
    for file in facts.inputs:
        key = (file.filename, file.sha256)
        roles = {*file.roles, *(files[key].roles if key in files else ())}
        files[key] = file.model_copy(update={"roles": tuple(sorted(roles))})
    return facts.model_copy(
        update={
            "inputs": tuple(files[key] for key in sorted(files)),
            "contents": tuple(sorted(set(facts.contents), key=lambda note: (note.name, note.value))),
            "requires_dist": tuple(sorted(facts.requires_dist)),
            "environment": dict(sorted(facts.environment.items())),
        }
    )


def component_name(facts: SbomFacts) -> str:
    """Return the name of what the file is of."""
    return facts.component or facts.package.name


def component_url(facts: SbomFacts) -> str:
    """Return the package URL of the file."""
    return facts.purl or package_url(facts.package)


class Contained(Value):
    """A component inside the file: with a package URL where the note's name is one."""

    group: str = ""
    name: str
    version: str = ""
    purl: str = ""


def contained(note: FileNote) -> Contained:
    """Read what the finish step found inside of the file: a package URL or a name, and a version."""
    if note.name.startswith("pkg:"):
        try:
            found = PackageURL.from_string(note.name)
        except ValueError:
            return Contained(name=note.name, version=note.value)
        return Contained(
            group=found.namespace or "",
            name=found.name,
            version=found.version or note.value,
            purl=found.to_string(),
        )
    return Contained(name=note.name, version=note.value)


def input_refs(files: Sequence[LockedFile]) -> tuple[str, ...]:
    """Return for each settled input what documents call it: its digest, numbered where files have the same bytes."""
    seen: Counter[str] = Counter()
    refs = []
    for file in files:
        seen[file.sha256] += 1
        number = seen[file.sha256]
        refs.append(file.sha256 if number == 1 else f"{file.sha256}-{number}")
    return tuple(refs)


def document_id(facts: SbomFacts) -> UUID:
    """Return the UUID (version 5) of a document: a function of what is in it, the file's own digest excepted."""
    # How this host calls the image, and how the image was described, is not what it consists of.
    apart: dict[str, Any] = {"file": True, "image": {"image_id", "definition"}}
    basis = settled(facts).model_dump(mode="json", exclude=apart)
    return uuid5(NAMESPACE_URL, canonical_json(basis).decode())


def timestamp(facts: SbomFacts) -> datetime:
    """Return the time that stands in the documents: the source's epoch, since a wall clock would differ each time."""
    return datetime.fromtimestamp(facts.snapshot.epoch, tz=UTC)


def declared_license(text: str) -> DeclaredLicense:
    """Read the `License-Expression` or the older free-text `License` of the metadata."""
    stripped = text.strip()
    if not stripped or stripped.upper() == "UNKNOWN":
        return DeclaredLicense()
    try:
        return DeclaredLicense(expression=str(canonicalize_license_expression(stripped)))
    except InvalidLicenseExpression:
        return DeclaredLicense(name=stripped.splitlines()[0].strip()[:_LINE], text=stripped)


def software_heritage_id(commit: str | None) -> str:
    """Return the SWHID of a commit; empty where there is none (they are defined for SHA-1 commits alone)."""
    return f"swh:1:rev:{commit}" if commit and len(commit) == _SHA1_HEX else ""


def serialize(document: dict[str, Any]) -> bytes:
    """Return the document as JSON that people can read too: keys sorted, two spaces, one line end at the end."""
    return (json.dumps(document, sort_keys=True, indent=2, ensure_ascii=False) + "\n").encode()


def without_file_hash(kind: SbomFormat, document: dict[str, Any]) -> tuple[dict[str, Any], str]:
    """Take the described file's SHA-256 out of a parsed document.

    Returns:
        The document as it is embedded, and the digest that was taken out (empty when there was none).

    Raises:
        ValueError: the document does not have the shape that farm writes.
    """
    if kind is SbomFormat.CYCLONEDX:
        metadata = _mapping(document, "metadata")
        main = _mapping(metadata, "component")
        hashes, bare = main.get("hashes", []), {k: v for k, v in main.items() if k != "hashes"}
        return document | {"metadata": metadata | {"component": bare}}, _sha256(hashes, "alg", "SHA-256", "content")
    packages = document.get("packages")
    if not isinstance(packages, list) or not all(isinstance(p, dict) for p in packages):
        raise ValueError("packages is no list of objects")
    mains = [p for p in packages if p.get("SPDXID") == MAIN_REF]
    if len(mains) != 1:
        raise ValueError(f"it describes {len(mains)} packages as {MAIN_REF}, not one")
    rest = [{k: v for k, v in p.items() if k != "checksums"} if p is mains[0] else p for p in packages]
    digest = _sha256(mains[0].get("checksums", []), "algorithm", "SHA256", "checksumValue")
    return document | {"packages": rest}, digest


def _mapping(holder: dict[str, Any], key: str) -> dict[str, Any]:
    found = holder.get(key)
    if not isinstance(found, dict):
        raise ValueError(f"{key} is no object")  # noqa: TRY004 - the caller handles one class for every wrong shape
    return found


def _sha256(entries: Any, kind: str, algorithm: str, value: str) -> str:
    """Return the one SHA-256 of a list of digests; another kind of digest or a second one is a wrong shape."""
    if entries == []:
        return ""
    if isinstance(entries, list) and len(entries) == 1 and isinstance(entries[0], dict):
        entry = entries[0]
        if set(entry) == {kind, value} and entry[kind] == algorithm and isinstance(entry[value], str):
            return str(entry[value])
    raise ValueError(f"the digests of the described file are not one {algorithm}")
