"""What must hold between the fields of one recipe, beyond the type of each: the second half of reading it."""

from __future__ import annotations

from dataclasses import dataclass
from typing import TYPE_CHECKING

from farm.recipe.naming import NAMINGS, Naming
from farm.recipe.problem import Place, nearest

if TYPE_CHECKING:
    from collections.abc import Iterator

    from packaging.version import Version

    from farm.recipe.model import BuildChanges, Recipe, Test, VersionEntry

__all__ = ["Finding", "findings"]


@dataclass(frozen=True)
class Finding:
    """One inconsistency, by its place in the recipe."""

    place: Place
    message: str
    key: bool = False
    """Whether the key at the place is meant, not its value."""
    pin: bool = False
    suggestion: str = ""


def findings(recipe: Recipe) -> tuple[Finding, ...]:
    """Return every inconsistency of `recipe`, in the order of its fields."""
    naming = NAMINGS.get(recipe.ecosystem)
    if naming is None:
        known = ", ".join(sorted(NAMINGS))
        message = f"unknown ecosystem {recipe.ecosystem!r} (known: {known})"
        return (Finding(("ecosystem",), message, suggestion=nearest(recipe.ecosystem, NAMINGS)),)
    return (
        *_name(recipe, naming),
        *_source(recipe, naming),
        *_versions(recipe, naming),
        *_build(recipe.build, ("build",), naming),
        *_test(recipe.test, ("test",), naming),
    )


def _name(recipe: Recipe, naming: Naming) -> Iterator[Finding]:
    try:
        normal = naming.name(recipe.name)
    except ValueError as error:
        yield Finding(("name",), str(error))
        return
    if normal != recipe.name:
        yield Finding(("name",), f"the name {recipe.name!r} is not in its normal form", suggestion=normal)


def _source(recipe: Recipe, naming: Naming) -> Iterator[Finding]:
    archive = recipe.source.archive
    if archive is not None and archive.pypi_sdist is not None:
        try:
            naming.name(archive.pypi_sdist)
        except ValueError as error:
            yield Finding(("source", "archive", "pypi-sdist"), str(error))
    tag = recipe.source.tag
    if tag and "{version}" not in tag:
        yield Finding(("source", "tag"), f"the tag pattern {tag!r} does not contain {{version}}")


def _versions(recipe: Recipe, naming: Naming) -> Iterator[Finding]:
    seen: dict[Version, str] = {}
    for key, entry in recipe.versions.items():
        place: Place = ("versions", key)
        if naming.is_range(key):
            yield from _range(key, entry, place, naming)
        else:
            try:
                version = naming.version(key)
            except ValueError as error:
                yield Finding(place, str(error), key=True)
                continue
            if version in seen:
                yield Finding(place, f"the version {key} is there already as {seen[version]}", key=True)
            seen[version] = key
            yield from _pin(recipe, key, entry, place)
        if entry.build is not None:
            yield from _build(entry.build, (*place, "build"), naming)
        if entry.test is not None:
            yield from _test(entry.test, (*place, "test"), naming)
        if entry.tag and recipe.source.git is None:
            yield Finding((*place, "tag"), "tag belongs to git sources", key=True)
    if all(naming.is_range(key) for key in recipe.versions):
        yield Finding(("versions",), "no version is pinned: there are only ranges", key=True, pin=True)


def _range(key: str, entry: VersionEntry, place: Place, naming: Naming) -> Iterator[Finding]:
    try:
        naming.contains(key, "0")
    except ValueError as error:
        yield Finding(place, str(error), key=True)
    for name in ("commit", "sha256"):
        if getattr(entry, name) is not None:
            yield Finding((*place, name), f"{name} pins one version; {key!r} is a range", key=True, pin=True)


def _pin(recipe: Recipe, key: str, entry: VersionEntry, place: Place) -> Iterator[Finding]:
    git = recipe.source.git is not None
    needed, other = ("commit", "sha256") if git else ("sha256", "commit")
    what = "full commit" if git else "SHA-256 of the archive"
    if getattr(entry, needed) is None:
        yield Finding(place, f"version {key} has no {needed}: pin the {what}", key=True, pin=True)
    if getattr(entry, other) is not None:
        kind = "git" if git else "archive"
        yield Finding((*place, other), f"{other} does not pin a source of the kind {kind}", key=True, pin=True)


def _build(build: BuildChanges, place: Place, naming: Naming) -> Iterator[Finding]:
    yield from _requirements(build.requires, (*place, "requires"), naming)
    if build.tags and not naming.tags(build.tags):
        yield Finding((*place, "tags"), f"{build.tags!r} are no tags, such as py3-none-any or cp311-cp311-linux")


def _test(test: Test, place: Place, naming: Naming) -> Iterator[Finding]:
    yield from _requirements(test.requires, (*place, "requires"), naming)


def _requirements(values: tuple[str, ...], place: Place, naming: Naming) -> Iterator[Finding]:
    for index, value in enumerate(values):
        try:
            naming.requirement(value)
        except ValueError as error:
            yield Finding((*place, index), str(error))
