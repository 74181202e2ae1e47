"""Core metadata: the fields that farm uses, read leniently from METADATA and held strictly where they decide."""

from __future__ import annotations

from dataclasses import dataclass
from typing import TYPE_CHECKING

from packaging.metadata import parse_email
from packaging.utils import canonicalize_name
from packaging.version import InvalidVersion, Version

from farm.errors import GuardError

if TYPE_CHECKING:
    from collections.abc import Sequence

    from farm.model.plan import PackageId

__all__ = ["CoreMetadata", "check_identity", "read_metadata"]

_LONG_LICENSE = 200


@dataclass(frozen=True)
class CoreMetadata:
    """The fields of METADATA that farm uses."""

    name: str
    version: str
    license: str
    """The SPDX expression (PEP 639), else the short License field, else the licence classifiers."""
    summary: str
    requires_dist: tuple[str, ...]
    requires_python: str


def read_metadata(data: bytes, origin: str) -> CoreMetadata:
    """Read METADATA (the core metadata specification).

    Args:
        data: the file.
        origin: what to call it in an error.

    Raises:
        GuardError: it cannot be read, or has no name or version.
    """
    try:
        raw, _ = parse_email(data)
    except ValueError as error:
        raise GuardError(f"{origin}: METADATA cannot be read: {error}") from error
    name, version = raw.get("name", ""), raw.get("version", "")
    if not name or not version:
        raise GuardError(f"{origin}: METADATA has no single Name and Version")
    return CoreMetadata(
        name=name,
        version=version,
        license=_license(raw.get("license_expression", ""), raw.get("license", ""), raw.get("classifiers", [])),
        summary=raw.get("summary", ""),
        requires_dist=tuple(raw.get("requires_dist", [])),
        requires_python=raw.get("requires_python", ""),
    )


def check_identity(package: PackageId, found: CoreMetadata) -> None:
    """Raise GuardError unless the metadata is of the package and version that the recipe names."""
    try:
        same = Version(found.version) == Version(package.version)
    except InvalidVersion:
        same = found.version == package.version
    if not same or canonicalize_name(found.name) != canonicalize_name(package.name):
        raise GuardError(
            f"the source builds {found.name} {found.version}, the recipe says {package.name} {package.version}",
            details={"name": found.name, "version": found.version},
        )


def _license(expression: str, text: str, classifiers: Sequence[str]) -> str:
    if expression:
        return expression
    # Some projects put the whole licence text into the field; that is no name of a licence.
    if text and "\n" not in text and len(text) <= _LONG_LICENSE:
        return text
    prefix = "License :: "
    return ", ".join(sorted(c.rpartition(" :: ")[2] for c in classifiers if c.startswith(prefix)))
