"""Asking upstream about one recipe: the index of its language, the tags of its repository, the host of its archive."""

from __future__ import annotations

from contextlib import contextmanager
from typing import TYPE_CHECKING, Protocol

from farm.languages import language
from farm.model.plan import ArchivePin, GitPin
from farm.model.release import Release
from farm.recipe.catalog import newest_version
from farm.recipe.model import VersionEntry
from farm.recipe.plan import source_pin

if TYPE_CHECKING:
    from collections.abc import Iterator, Mapping
    from pathlib import Path

    from farm.pipeline.runtime import Runtime
    from farm.recipe.model import Recipe

__all__ = ["Upstream", "candidate_pin", "not_listed", "opened_upstream", "version_of"]

_NO_COMMIT = "0" * 40
_NO_SHA256 = "0" * 64


class Upstream(Protocol):
    """What can be asked about a recipe. Each method may raise SourceUnavailableError and ConfigError."""

    def releases(self) -> tuple[Release, ...]:
        """Return what there is, in no order, versions as the recipe would spell them; see `Release.listed_only`."""
        ...

    def release(self, version: str) -> Release | None:
        """Return everything that is known of one version, None when there is none."""
        ...

    def commit_of(self, tag: str) -> str | None:
        """Return the commit that a tag resolves to, None when there is no such tag."""
        ...


def not_listed(recipe: Recipe) -> str:
    """Return why nobody can be asked which versions there are, in words; empty when somebody can (pure)."""
    source = recipe.source
    if source.git is not None:
        return "" if _patterns(recipe) else "its source has no tag pattern, so nothing says which commit a version is"
    if source.archive is None or source.archive.named is None:
        return "its source is an address, and nothing lists what else there is"
    key = newest_version(recipe)
    pin = candidate_pin(recipe, key)
    naming = language(recipe.ecosystem).naming
    if isinstance(pin, ArchivePin) and naming.version(pin.version) != naming.version(key):
        return f"its archive has versions of its own ({pin.version} for {key})"
    return ""


def candidate_pin(recipe: Recipe, version: str) -> GitPin | ArchivePin:
    """Return the pin that `version` would have, with a digest or commit of zeros (pure).

    Raises:
        ValueError: it is no version of the ecosystem.
    """
    entry = VersionEntry(commit=_NO_COMMIT) if recipe.source.git is not None else VersionEntry(sha256=_NO_SHA256)
    return source_pin(recipe, version, entry)


def version_of(recipe: Recipe, tag: str) -> str:
    """Return the version whose tag, by the recipe's patterns, is `tag`; empty when it is the tag of none (pure)."""
    naming = language(recipe.ecosystem).naming
    for pattern in _patterns(recipe):
        before, *others = pattern.split("{version}")
        if not others:
            continue
        length = (len(tag) - len(before) - sum(map(len, others))) // len(others)
        version = tag[len(before) : len(before) + max(length, 0)]
        try:
            naming.version(version)
        except ValueError:
            continue
        # What counts is the way back; ranges of the recipe can give this very version another tag.
        pin = candidate_pin(recipe, version)
        if isinstance(pin, GitPin) and pin.tag == tag:
            return version
    return ""


def _patterns(recipe: Recipe) -> tuple[str, ...]:
    naming = language(recipe.ecosystem).naming
    ranges = (entry.tag for key, entry in recipe.versions.items() if naming.is_range(key))
    return tuple(dict.fromkeys(pattern for pattern in (recipe.source.tag, *ranges) if pattern))


@contextmanager
def opened_upstream(rt: Runtime, recipe: Recipe) -> Iterator[Upstream]:
    """Give what can be asked about `recipe`, with a scratch folder until the end where it takes one."""
    source = recipe.source
    if source.git is not None:
        with rt.scratch("tags") as work:
            yield _Tags(recipe, source.git, rt.settings.sources, work)
    elif source.archive is not None and source.archive.named is not None:
        yield _Index(rt, recipe)
    else:
        yield _Address(recipe)


class _Index:
    """Named archives, by the configured index of the language."""

    def __init__(self, rt: Runtime, recipe: Recipe) -> None:
        self._ecosystem = rt.ecosystem(recipe.ecosystem)
        self._settings = rt.settings
        self._recipe = recipe
        self._listed: dict[str, Release] = {}

    def releases(self) -> tuple[Release, ...]:
        found = self._ecosystem.releases(_archive(self._recipe, newest_version(self._recipe)), self._settings)
        self._listed = {release.version: release for release in found}
        return found

    def release(self, version: str) -> Release | None:
        listed = self._listed.get(version)
        if listed is not None and not listed.listed_only:
            return listed
        found = self._ecosystem.release(_archive(self._recipe, version), self._settings)
        return None if found is None else found.model_copy(update={"version": version})

    def commit_of(self, tag: str) -> str | None:
        del tag
        return None


class _Tags:
    """Tags of the repository."""

    def __init__(self, recipe: Recipe, url: str, sources: Mapping[str, str], work: Path) -> None:
        self._recipe = recipe
        self._url = url
        self._sources = sources
        self._work = work
        self._tags: dict[str, str] | None = None

    def releases(self) -> tuple[Release, ...]:
        named = ((version_of(self._recipe, tag), commit) for tag, commit in self._all().items())
        return tuple(Release(version=name, pins=(commit,), listed_only=True) for name, commit in named if name)

    def release(self, version: str) -> Release | None:
        from farm.source.gittags import tag_time  # noqa: PLC0415 - GitPython is imported with it

        pin = candidate_pin(self._recipe, version)
        tag = pin.tag if isinstance(pin, GitPin) else None
        commit = self.commit_of(tag or "")
        if tag is None or commit is None:
            return None
        released = tag_time(self._url, tag, commit, self._sources, self._work)
        return Release(version=version, released=released, pins=(commit,))

    def commit_of(self, tag: str) -> str | None:
        return self._all().get(tag)

    def _all(self) -> dict[str, str]:
        from farm.source.gittags import list_tags  # noqa: PLC0415 - GitPython is imported with it

        if self._tags is None:
            self._tags = list_tags(self._url, self._sources, self._work)
        return self._tags


class _Address:
    """An archive by its address: nobody says which others there are."""

    def __init__(self, recipe: Recipe) -> None:
        self._recipe = recipe

    def releases(self) -> tuple[Release, ...]:
        return ()

    def release(self, version: str) -> Release | None:
        from farm.source.download import look_at  # noqa: PLC0415 - httpx is imported with it

        released = look_at(_archive(self._recipe, version))
        return None if released is None else Release(version=version, released=released)

    def commit_of(self, tag: str) -> str | None:
        del tag
        return None


def _archive(recipe: Recipe, version: str) -> ArchivePin:
    pin = candidate_pin(recipe, version)
    if isinstance(pin, GitPin):
        msg = f"{recipe.ecosystem}/{recipe.name} has a git source"
        raise TypeError(msg)
    return pin
