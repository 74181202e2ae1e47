"""How Python spells names (PEP 503), versions (PEP 440), requirements (PEP 508) and compatibility tags (PEP 425)."""

from __future__ import annotations

import re

from packaging.requirements import InvalidRequirement, Requirement
from packaging.specifiers import InvalidSpecifier, SpecifierSet
from packaging.utils import InvalidName, canonicalize_name
from packaging.version import InvalidVersion, Version

from farm.model.language import Naming

__all__ = ["NAMING"]

_PART = r"(?:[A-Za-z0-9_.]|\{interpreter\})+"
_PYTHON_TAGS = re.compile(rf"{_PART}-{_PART}-[A-Za-z0-9_.]+")


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


def _one_image(tags: str) -> str:
    if tags.endswith("-none-any"):
        return f"a pure wheel ({tags}) is the same for every interpreter, so it is built in one image"
    if "{interpreter}" not in tags:
        said = f"the tags {tags} are of one of them" if tags else "without tags nobody notices when it comes out pure"
        return f"{said}; a native package says '{{interpreter}}-{{interpreter}}-linux'"
    return ""


NAMING = Naming(
    name=_python_name,
    folder=_python_name,
    version=_python_version,
    is_range=lambda text: text.lstrip()[:1] in {"<", ">", "=", "!", "~"},
    contains=_python_contains,
    requirement=_python_requirement,
    is_pinned=_python_is_pinned,
    tags=lambda text: _PYTHON_TAGS.fullmatch(text) is not None,
    one_image=_one_image,
    tags_example="py3-none-any or cp311-cp311-linux",
    tags_missing="without build.tags nobody notices when a native package comes out pure",
)
"""The rules of Python."""
