"""How each ecosystem spells names, versions and ranges: the one place of this package that knows a language."""

from __future__ import annotations

import re
from dataclasses import dataclass
from typing import TYPE_CHECKING

from packaging.requirements import InvalidRequirement, Requirement
from packaging.specifiers import InvalidSpecifier, SpecifierSet
from packaging.utils import InvalidName, canonicalize_name
from packaging.version import InvalidVersion, Version

if TYPE_CHECKING:
    from collections.abc import Callable, Mapping

__all__ = ["NAMINGS", "Naming", "naming_of"]

_PYTHON_TAGS = re.compile(r"[A-Za-z0-9_.]+-[A-Za-z0-9_.]+-[A-Za-z0-9_.]+")


@dataclass(frozen=True)
class Naming:
    """The rules of one ecosystem. Each function raises ValueError, with words for the user, for what it cannot read."""

    name: Callable[[str], str]
    """Text → normalised package name."""
    version: Callable[[str], Version]
    """Text → comparable version; `str()` of it is the normal form."""
    is_range: Callable[[str], bool]
    """Whether a key of `versions` is meant as a range."""
    contains: Callable[[str, str], bool]
    """Whether a range (first) holds a version (second)."""
    requirement: Callable[[str], str]
    """Requirement text → the requirement's normalised package name."""
    is_pinned: Callable[[str], bool]
    """Whether a requirement allows exactly one version."""
    tags: Callable[[str], bool]
    """Whether text is a compatibility of the ecosystem's artifacts."""


def _python_name(text: str) -> str:
    try:
        return canonicalize_name(text, validate=True)
    except InvalidName:
        msg = f"{text!r} is no Python project name (letters, digits, `.`, `-`, `_`)"
        raise ValueError(msg) from None


def _python_version(text: str) -> Version:
    try:
        return Version(text)
    except InvalidVersion:
        msg = f"{text!r} is no version (PEP 440)"
        raise ValueError(msg) from None


def _specifiers(text: str) -> SpecifierSet:
    try:
        return SpecifierSet(text)
    except InvalidSpecifier:
        msg = f"{text!r} is no range of versions (PEP 440, such as '>=3,<4')"
        raise ValueError(msg) from None


def _python_contains(text: str, version: str) -> bool:
    # A range of a recipe is written by someone who looks at all versions, so pre-releases are in it.
    return _specifiers(text).contains(_python_version(version), prereleases=True)


def _requirement(text: str) -> Requirement:
    try:
        requirement = Requirement(text)
    except InvalidRequirement as error:
        reason = str(error).splitlines()[0]
        msg = f"{text!r} is no requirement (PEP 508): {reason}"
        raise ValueError(msg) from None
    if requirement.url:
        msg = f"{text!r} names an address: requirements come from the configured index"
        raise ValueError(msg)
    return requirement


def _python_requirement(text: str) -> str:
    return canonicalize_name(_requirement(text).name)


def _python_is_pinned(text: str) -> bool:
    return any(s.operator in {"==", "==="} and "*" not in s.version for s in _requirement(text).specifier)


NAMINGS: Mapping[str, Naming] = {
    "python": Naming(
        name=_python_name,
        version=_python_version,
        is_range=lambda text: text.lstrip()[:1] in {"<", ">", "=", "!", "~"},
        contains=_python_contains,
        requirement=_python_requirement,
        is_pinned=_python_is_pinned,
        tags=lambda text: _PYTHON_TAGS.fullmatch(text) is not None,
    ),
}
"""Ecosystem → its rules. A new language adds one entry."""


def naming_of(ecosystem: str) -> Naming:
    """Return the rules of `ecosystem`.

    Raises:
        ValueError: farm does not know it.
    """
    try:
        return NAMINGS[ecosystem]
    except KeyError:
        msg = f"unknown ecosystem {ecosystem!r}; known: {', '.join(sorted(NAMINGS))}"
        raise ValueError(msg) from None
