"""What both SBOM formats share: names, identity, time, licence, and the form in which they are written.

Every format has two documents for a file. The one inside of it (PEP 770) says what the file is and contains, so that
equal content stays equal bytes whatever it was built with. The one beside it says the same and what only it can or
should say: the file's own digest, and what built it. `farm.evidence.parts` leads from the second to the first.
"""

from __future__ import annotations

import json
from collections import Counter
from datetime import UTC, datetime
from enum import Enum
from typing import TYPE_CHECKING, Any, TypeVar
from uuid import NAMESPACE_URL, UUID, uuid5

from packageurl import PackageURL
from packaging.licenses import InvalidLicenseExpression, canonicalize_license_expression

from farm.languages import package_url
from farm.model.base import Value, canonical_json

if TYPE_CHECKING:
    from collections.abc import Mapping, Sequence

    from farm.model.build import FileNote
    from farm.model.evidence import ComponentFacts
    from farm.model.lock import LockedFile

__all__ = [
    "DOCUMENT_LIMIT",
    "SUPPLIER",
    "WRITER",
    "DeclaredLicense",
    "SbomFormat",
    "component_name",
    "component_url",
    "contained",
    "content_id",
    "declared_license",
    "embedded_name",
    "identified",
    "input_refs",
    "serialize",
    "settled",
    "settled_inputs",
    "software_heritage_id",
    "timestamp",
]

F = TypeVar("F", bound="ComponentFacts")

SUPPLIER = "farm"
"""Who supplies what farm built: the organisation's farm, not the upstream project."""

WRITER = ("farm", "documents-2")
"""Name and version of the tool that documents name as their writer.

The version is that of their form, raised when they come to say the same in other words. Neither farm's own version nor
that of its build rules will do: the documents inside of a file would change with it.
"""

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

    @property
    def identity(self) -> str:
        """The member that identifies a document."""
        return {".cdx.json": "serialNumber", ".spdx.json": "documentNamespace"}[self.value]


class DeclaredLicense(Value):
    """A declared licence: an SPDX expression, or free text with a one-line name; all empty when none is declared."""

    expression: str = ""
    name: str = ""
    text: str = ""


def embedded_name(kind: SbomFormat) -> str:
    """Return the file name of the embedded document, below the folder that PEP 770 names."""
    return f"farm{kind.value}"


def settled(facts: F) -> F:
    """Return the facts with every unordered collection sorted, so that the same facts give the same bytes."""
    return facts.model_copy(
        update={
            "contents": tuple(sorted(set(facts.contents), key=lambda note: (note.name, note.value))),
            "requires_dist": tuple(sorted(facts.requires_dist)),
        }
    )


def settled_inputs(inputs: Sequence[LockedFile]) -> tuple[LockedFile, ...]:
    """Return build inputs sorted.

    A file that is listed more than once becomes one with all its roles: documents name each file by its digest.
    """
    files: dict[tuple[str, str], LockedFile] = {}
    for file in inputs:
        key = (file.filename, file.sha256)
        roles = {*file.roles, *(files[key].roles if key in files else ())}
        files[key] = file.model_copy(update={"roles": tuple(sorted(roles))})
    return tuple(files[key] for key in sorted(files))


def component_name(facts: ComponentFacts) -> str:
    """Return the name of what the file is of."""
    return facts.component or facts.package.name


def component_url(facts: ComponentFacts) -> str:
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


def identified(kind: SbomFormat, document: Mapping[str, Any]) -> dict[str, Any]:
    """Return the document with its identity: a UUID (version 5) that follows from all the rest of it, and nothing else.

    Raises:
        ValueError: it is no JSON that has a canonical form.
    """
    rest = {key: value for key, value in document.items() if key != kind.identity}
    return rest | {kind.identity: content_id(rest).urn}


def content_id(content: Any) -> UUID:
    """Return the UUID (version 5) of JSON-ready content.

    Raises:
        ValueError: it has no canonical form.
    """
    try:
        return uuid5(NAMESPACE_URL, canonical_json(content).decode())
    except RecursionError as error:
        raise ValueError("it is nested too deeply") from error


def timestamp(facts: ComponentFacts) -> datetime:
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
