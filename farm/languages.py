"""The languages that farm knows: each folder of `farm/ecosystems` with a module `language` that has a `LANGUAGE`.

They are loaded by name, so that what lies below the ecosystems (recipe, evidence, signer, consumer) can ask how a
language spells things without importing any: a new language is found here without a line changed.
"""

from __future__ import annotations

from functools import cache
from importlib import import_module
from pathlib import Path
from typing import TYPE_CHECKING

if TYPE_CHECKING:
    from farm.model.language import ArchiveKind, Language
    from farm.model.plan import PackageId

__all__ = ["archive_kind", "is_package", "language", "language_names", "language_of_file", "package_url"]

_FOLDER = Path(__file__).parent / "ecosystems"


@cache
def language_names() -> tuple[str, ...]:
    """Return the names of all languages, sorted."""
    return tuple(sorted(path.parent.name for path in _FOLDER.glob("*/language.py")))


@cache
def language(name: str) -> Language:
    """Return the language `name`.

    Raises:
        ValueError: farm does not know it.
    """
    if name not in language_names():
        msg = f"unknown ecosystem {name!r}; known: {', '.join(language_names())}"
        raise ValueError(msg)
    found: Language = import_module(f"farm.ecosystems.{name}.language").LANGUAGE
    return found


def archive_kind(kind: str) -> ArchiveKind:
    """Return the kind of named archive that a pin calls `kind`.

    Raises:
        ValueError: no language has it.
    """
    for name in language_names():
        if language(name).archive.kind == kind:
            return language(name).archive
    msg = f"no ecosystem has archives of the kind {kind!r}"
    raise ValueError(msg)


def language_of_file(filename: str) -> Language:
    """Return the language whose files end like `filename`.

    Raises:
        ValueError: none does.
    """
    for name in language_names():
        if filename.endswith(language(name).suffixes):
            return language(name)
    endings = sorted(suffix for name in language_names() for suffix in language(name).suffixes)
    msg = f"{filename!r} is not the name of a file that farm builds ({', '.join(endings)})"
    raise ValueError(msg)


def is_package(ecosystem: str, name: str, version: str, purl: str) -> bool:
    """Say whether a package URL is of the package `name` of this ecosystem: a lock can hold files of others, too.

    Raises:
        ValueError: farm does not know the ecosystem.
    """
    try:
        own = language(ecosystem).purl(name, version)
    except ValueError:
        return False
    return purl == own or purl.startswith(f"{own}?")


def package_url(package: PackageId) -> str:
    """Return the package URL of a package version, without qualifiers.

    Raises:
        ValueError: farm does not know its ecosystem.
    """
    return language(package.ecosystem).purl(package.name, package.version)
