"""What the rest of farm must know of a language to name things: pure rules, supplied by `farm/ecosystems/<language>`.

What a language *does* (lock, build, inspect, lay out) is `farm.ecosystems.base.Ecosystem`; this is what its names look
like. Recipe, evidence, signer and consumer know this protocol and no language.
"""

from __future__ import annotations

from dataclasses import dataclass, field
from typing import TYPE_CHECKING, Any, Protocol

if TYPE_CHECKING:
    from collections.abc import Callable, Iterable, Mapping
    from typing import BinaryIO

    from pydantic import BaseModel

    from farm.model.plan import BuildPlan

__all__ = ["ArchiveKind", "ArchiveName", "ComparableVersion", "Language", "Naming"]


class ComparableVersion(Protocol):
    """A version in the order of its ecosystem; `str()` of it is the normal form."""

    @property
    def is_prerelease(self) -> bool:
        """Whether it comes before a release."""
        ...

    def __lt__(self, other: Any, /) -> bool: ...

    def __hash__(self) -> int: ...


@dataclass(frozen=True)
class Naming:
    """How names, versions and ranges are spelled. Each function raises ValueError, with words for the user."""

    name: Callable[[str], str]
    """Text → normalised package name."""
    folder: Callable[[str], str]
    """A package name, or what stands for it in a reference, → the recipe's folder."""
    version: Callable[[str], ComparableVersion]
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
    """Whether text is a compatibility of the ecosystem's artifacts; `{interpreter}` in it stands for the target's."""
    one_image: Callable[[str], str]
    """Tags of a recipe → why a package with them is built in one image alone; empty where each gives another file."""
    tags_example: str = ""
    """Two such texts, for messages."""
    tags_missing: str = ""
    """Why a recipe should say what must come out, for the linter; empty where artifacts have no such words."""


@dataclass(frozen=True)
class ArchiveName:
    """An archive by name, version and, where a version has several files, which of them."""

    name: str
    version: str
    variant: str = ""


@dataclass(frozen=True)
class ArchiveKind:
    """Source archives that are found by name through the language's configured index."""

    kind: str
    """What the recipe's key and the pin's `kind` are: `pypi-sdist`."""
    description: str
    """What stands under the key, for the reference of recipes."""
    read: Callable[[str, str], ArchiveName]
    """Text of the recipe, version → what it names. Raises ValueError, with words for the user."""
    purl: Callable[[ArchiveName], str]
    """The archive's package URL, without its file name."""


@dataclass(frozen=True)
class Language:
    """The names of one language."""

    name: str
    """The ecosystem: also the folder under recipes/."""
    naming: Naming
    purl: Callable[[str, str], str]
    """Package name, version → package URL without qualifiers."""
    build_type: str
    """Last part but one of the build type's URI: `python-wheel`."""
    archive: ArchiveKind
    options: type[BaseModel]
    """Model of `build.options` of a recipe: what only this language's build tool knows. Every field has a default."""
    remarks: Callable[[Mapping[str, Any]], Iterable[tuple[str, str]]] = field(kw_only=True, default=lambda _: ())
    """Options (checked) → key and words for the linter's warnings: what is allowed, but better done otherwise."""
    refused: Mapping[str, str] = field(kw_only=True, default_factory=dict)
    """Keys of a recipe that say nothing for this language (`build.tags`) → why, and what to use instead."""
    tests_in_build: bool = field(kw_only=True, default=False)
    """Whether the build tool runs the package's tests; otherwise they run against the finished artifact."""
    release: Callable[[BuildPlan, str], str]
    """Plan, file name → the release that it names: equal for all names of which a run may have one signed only, since
    installers take one of them for the other.

    Raises SigningRefusedError for what is no file of the plan's package, version and target: the signer's last guard.
    """
    is_file_of: Callable[[str, str, str], bool]
    """Package name, version, file name → whether the file can be one of that version. Raises ValueError for a name
    that is none of the language's."""
    suffixes: tuple[str, ...]
    """How the names of its files end, with the dot."""
    component: Callable[[str, str, str], tuple[str, str]]
    """Package name, version, `Artifact.path` → name and package URL of the one file, for its SBOM. A build can put out
    several components."""
    modules: Callable[[Mapping[str, Any]], tuple[str, ...]] = field(kw_only=True, default=lambda _: ())
    """Options of a build, as its provenance has them → further names under which its files are published."""
    embedded: Callable[[BinaryIO], Mapping[str, bytes]] | None = None
    """Reads the SBOM documents inside a file, by the suffix of their sidecars; None where files carry none.

    Raises VerificationError for an unreadable archive, a document that is missing, there twice or too large.
    """
