"""What must hold between the fields of one recipe, beyond the type of each: the second half of reading it."""

from __future__ import annotations

from dataclasses import dataclass
from typing import TYPE_CHECKING

from farm.languages import language, language_names
from farm.recipe.problem import Place, nearest

if TYPE_CHECKING:
    from collections.abc import Iterator

    from farm.model.language import ArchiveName, ComparableVersion, Language, Naming
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
    if recipe.ecosystem not in language_names():
        known = ", ".join(language_names())
        message = f"unknown ecosystem {recipe.ecosystem!r} (known: {known})"
        return (Finding(("ecosystem",), message, suggestion=nearest(recipe.ecosystem, language_names())),)
    spoken = language(recipe.ecosystem)
    return (
        *_name(recipe, spoken.naming),
        *_source(recipe, spoken),
        *_versions(recipe, spoken),
        *_build(recipe.build, ("build",), spoken),
        *_test(recipe.test, ("test",), spoken),
    )


def _name(recipe: Recipe, naming: Naming) -> Iterator[Finding]:
    try:
        normal = naming.name(recipe.name)
    except ValueError as error:
        yield Finding(("name",), str(error))
        return
    if normal != recipe.name:
        yield Finding(("name",), f"the name {recipe.name!r} is not in its normal form", suggestion=normal)


def _source(recipe: Recipe, spoken: Language) -> Iterator[Finding]:
    named = recipe.source.archive.named if recipe.source.archive is not None else None
    if named is not None:
        yield from _archive(recipe, spoken, *named)
    tag = recipe.source.tag
    if tag and "{version}" not in tag:
        yield Finding(("source", "tag"), f"the tag pattern {tag!r} does not contain {{version}}")


def _archive(recipe: Recipe, spoken: Language, kind: str, text: str) -> Iterator[Finding]:
    place: Place = ("source", "archive", kind)
    if kind != spoken.archive.kind:
        message = f"{kind} belongs to another language: {recipe.ecosystem} has {spoken.archive.kind}, or url"
        yield Finding(place, message, key=True, suggestion=spoken.archive.kind)
        return
    found: dict[ArchiveName, str] = {}
    for version in recipe.pinned:
        try:
            spoken.naming.version(version)
        except ValueError:
            continue  # said where the version stands
        try:
            name = spoken.archive.read(text, version)
        except ValueError as error:
            yield Finding(place, str(error))
            return
        if name in found:
            message = f"the versions {found[name]} and {version} have the same archive: use {{version}} in it"
            yield Finding(place, message)
            return
        found[name] = version


def _versions(recipe: Recipe, spoken: Language) -> Iterator[Finding]:
    naming = spoken.naming
    seen: dict[ComparableVersion, str] = {}
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
            yield from _build(entry.build, (*place, "build"), spoken)
        if entry.test is not None:
            yield from _test(entry.test, (*place, "test"), spoken)
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


def _build(build: BuildChanges, place: Place, spoken: Language) -> Iterator[Finding]:
    refused = tuple(_refused(build, "build", place, spoken))
    yield from refused
    if not refused:
        yield from _requirements(build.requires, (*place, "requires"), spoken.naming)
    if build.tags and not refused and not spoken.naming.tags(build.tags):
        yield Finding((*place, "tags"), f"{build.tags!r} are no tags, such as {spoken.naming.tags_example}")


def _test(test: Test, place: Place, spoken: Language) -> Iterator[Finding]:
    refused = tuple(_refused(test, "test", place, spoken))
    yield from refused
    if not refused:
        yield from _requirements(test.requires, (*place, "requires"), spoken.naming)


def _refused(part: BuildChanges | Test, name: str, place: Place, spoken: Language) -> Iterator[Finding]:
    """Find the keys that say nothing for a language: whoever wrote them expects something of them."""
    for key in type(part).model_fields:
        why = spoken.refused.get(f"{name}.{key}")
        if why is not None and key in part.model_fields_set:
            yield Finding((*place, key), f"{'.'.join(map(str, (*place, key)))}: {why}", key=True)


def _requirements(values: tuple[str, ...], place: Place, naming: Naming) -> Iterator[Finding]:
    for index, value in enumerate(values):
        try:
            naming.requirement(value)
        except ValueError as error:
            yield Finding((*place, index), str(error))
