"""How Maven spells names (`groupId:artifactId`), versions and ranges.

Versions are ordered as Maven's `ComparableVersion` orders them (the library univers implements it). A range in a recipe
is a list of comparisons, as in every recipe: `">=3.3,<4"`.
"""

from __future__ import annotations

import re
from dataclasses import dataclass
from functools import total_ordering
from typing import TYPE_CHECKING, Any, cast

from univers import maven

from farm.model.language import Naming

if TYPE_CHECKING:
    from collections.abc import Callable

__all__ = ["NAMING", "MavenVersion", "split_name"]

_order: Callable[[str], Any] = cast("Any", maven.Version)
"""Text → what orders it (the library has no types)."""

_PART = r"[A-Za-z0-9_](?:[A-Za-z0-9_.-]*[A-Za-z0-9_-])?"
_NAME = re.compile(rf"({_PART}):({_PART})")
_FOLDER = re.compile(_PART)
_VERSION = re.compile(r"[A-Za-z0-9][A-Za-z0-9_.+-]{0,199}")
_PRERELEASE = re.compile(r"(^|[.-]|(?<=\d))((alpha|beta|milestone|rc|cr|snapshot)(?![a-z])|[abm](?=\d))", re.IGNORECASE)
_CLAUSE = re.compile(r"\s*(<=|>=|<|>|==|!=)\s*(\S+)\s*")


@total_ordering
@dataclass(frozen=True, eq=False)
class MavenVersion:
    """A version; equal to another where Maven finds them equal (`1.0` and `1`)."""

    text: str

    @property
    def is_prerelease(self) -> bool:
        """Whether a qualifier says that it comes before a release."""
        return _PRERELEASE.search(self.text) is not None

    def __str__(self) -> str:
        return self.text

    def __eq__(self, other: object) -> bool:
        return isinstance(other, MavenVersion) and bool(self._order == other._order)

    def __lt__(self, other: Any) -> bool:
        return bool(self._order < other._order)

    def __hash__(self) -> int:
        # Equal versions are spelled differently (`1` and `1.0`), but all begin with the same number.
        found = re.match(r"\d+", self.text)
        return int(found[0]) if found else 0

    @property
    def _order(self) -> Any:
        return _order(self.text)


def split_name(name: str) -> tuple[str, str]:
    """Return groupId and artifactId of `groupId:artifactId`.

    Raises:
        ValueError: it is no such name.
    """
    found = _NAME.fullmatch(name)
    if found is None or ".." in name:
        msg = f"{name!r} is no Maven name (groupId:artifactId)"
        raise ValueError(msg)
    return found[1], found[2]


def _name(text: str) -> str:
    return ":".join(split_name(text.strip()))


def _folder(text: str) -> str:
    group, colon, artifact = text.partition(":")
    if colon:
        return ".".join(split_name(text))
    if not _FOLDER.fullmatch(group) or ".." in group or artifact:
        msg = f"{text!r} is no Maven name (groupId:artifactId, or its folder groupId.artifactId)"
        raise ValueError(msg)
    return group


def _version(text: str) -> MavenVersion:
    if not _VERSION.fullmatch(text) or ".." in text:
        msg = f"{text!r} is no version"
        raise ValueError(msg)
    if text.upper().endswith("SNAPSHOT") or text.upper() in {"LATEST", "RELEASE"}:
        msg = f"{text!r} is no release: what it names can change"
        raise ValueError(msg)
    return MavenVersion(text)


def _contains(text: str, version: str) -> bool:
    wanted = _version(version)
    for clause in text.split(","):
        found = _CLAUSE.fullmatch(clause)
        if found is None:
            msg = f"{text!r} is no range of versions (such as '>=3.3,<4')"
            raise ValueError(msg)
        bound = _version(found[2])
        holds = {
            "<": wanted < bound,
            "<=": wanted <= bound,
            ">": wanted > bound,
            ">=": wanted >= bound,
            "==": wanted == bound,
            "!=": wanted != bound,
        }
        if not holds[found[1]]:
            return False
    return True


def _no_requirement(text: str) -> str:
    msg = f"{text!r}: what a Maven build needs stands in its POM, and the lock holds it; a patch can change it"
    raise ValueError(msg)


def _never(text: str) -> bool:
    _no_requirement(text)
    return False


NAMING = Naming(
    name=_name,
    folder=_folder,
    version=_version,
    is_range=lambda text: text.lstrip()[:1] in {"<", ">", "=", "!"},
    contains=_contains,
    requirement=_no_requirement,
    is_pinned=_never,
    tags=lambda _: False,
    one_image=lambda _: "the names of jars do not say what built them, so all come from one image",
)
"""The rules of Maven."""
