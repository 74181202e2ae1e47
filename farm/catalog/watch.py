"""What happened upstream to what is pinned: tags that moved, archives that changed or went, and what is new.

Nothing is downloaded. A question without an answer is an observation too: what nobody could look at is not well.
"""

from __future__ import annotations

from typing import TYPE_CHECKING, Literal

from farm.catalog.asking import ask_all
from farm.catalog.cooldown import candidates
from farm.catalog.outdated import choose
from farm.catalog.upstream import not_listed, opened_upstream
from farm.errors import FarmError
from farm.model.base import Value
from farm.model.plan import GitPin
from farm.recipe.catalog import newest_version
from farm.recipe.plan import source_pin

if TYPE_CHECKING:
    from collections.abc import Iterable, Iterator
    from datetime import datetime

    from farm.catalog.upstream import Upstream
    from farm.model.plan import ArchivePin
    from farm.model.release import Release
    from farm.pipeline.runtime import Runtime
    from farm.recipe.model import Recipe

__all__ = ["Observation", "watch"]


class Observation(Value):
    """One thing that is to be known about a pinned version. There is none where all is as it was pinned."""

    package: str
    """`python/click@8.3.1`."""
    kind: Literal["moved-tag", "gone-tag", "changed-archive", "gone-archive", "yanked", "new-release", "unknown"]
    """moved-tag: the tag is another commit than the pinned one. changed-archive: upstream states another SHA-256 than
    the pinned one. yanked: its publisher withdrew it. new-release: about the newest pinned version. unknown: it could
    not be looked at."""
    message: str
    """What happened, in words."""
    expected: str = ""
    """What is pinned: commit or SHA-256."""
    found: str = ""
    """What upstream has instead."""
    version: str = ""
    """Of a new release."""
    state: Literal["", "eligible", "cooling"] = ""
    """Of a new release: whether it may be proposed."""
    until: str = ""
    """Of one that cools: RFC 3339, UTC; empty where nobody says when it came out."""

    @property
    def alarming(self) -> bool:
        """Whether somebody changed what was published: what an attack looks like."""
        return self.kind in {"moved-tag", "changed-archive"}


def watch(rt: Runtime, recipes: Iterable[Recipe], now: datetime) -> tuple[Observation, ...]:
    """Look at every pinned version of `recipes`, several recipes at a time.

    Not looked at, and so without observation: a commit without a tag; the content of an archive that is pinned by its
    address, or of which nobody states a SHA-256.

    Args:
        rt: settings, and the ecosystems to ask.
        recipes: without problems.
        now: the time, for what is new.

    Returns:
        The observations, by recipe in their order, by version in the order of the file, what is new last.
    """
    wanted = tuple(recipes)
    answers = ask_all(wanted, lambda recipe: tuple(_recipe(rt, recipe, now)))
    found: list[Observation] = []
    for recipe, answer in zip(wanted, answers, strict=True):
        if isinstance(answer, FarmError):
            found += [_unknown(_name(recipe, version), answer) for version in recipe.pinned]
        else:
            found += answer
    return tuple(found)


def _recipe(rt: Runtime, recipe: Recipe, now: datetime) -> Iterator[Observation]:
    with opened_upstream(rt, recipe) as upstream:
        why = not_listed(recipe)
        # First, so that the list answers for each version where it can.
        releases = upstream.releases() if not why else ()
        for version in recipe.pinned:
            pin = source_pin(recipe, version, recipe.versions[version])
            try:
                if isinstance(pin, GitPin):
                    yield from _tag(_name(recipe, version), pin, upstream)
                else:
                    yield from _archive(_name(recipe, version), pin, upstream.release(version))
            except FarmError as error:
                yield _unknown(_name(recipe, version), error)
        yield from _news(rt, recipe, upstream, releases, now)


def _tag(package: str, pin: GitPin, upstream: Upstream) -> Iterator[Observation]:
    from farm.source.gitfetch import tag_moved  # noqa: PLC0415 - GitPython is imported with it

    if pin.tag is None:
        return
    now = upstream.commit_of(pin.tag)
    if now == pin.commit:
        return
    yield Observation(
        package=package,
        kind="gone-tag" if now is None else "moved-tag",
        message=tag_moved(pin.url, pin.tag, pin.commit, now).message,
        expected=pin.commit,
        found=now or "",
    )


def _archive(package: str, pin: ArchivePin, release: Release | None) -> Iterator[Observation]:
    if release is None or not release.has_source:
        message = "upstream no longer has the version" if release is None else "upstream no longer has the archive"
        yield Observation(package=package, kind="gone-archive", message=message, expected=pin.sha256)
        return
    if release.pins and pin.sha256 not in release.pins:
        stated = ", ".join(release.pins)
        message = f"upstream states the SHA-256 {stated}; the recipe pins {pin.sha256}"
        yield Observation(
            package=package, kind="changed-archive", message=message, expected=pin.sha256, found=release.pins[0]
        )
    if release.yanked:
        yield Observation(package=package, kind="yanked", message="its publisher withdrew it", expected=pin.sha256)


def _news(
    rt: Runtime, recipe: Recipe, upstream: Upstream, releases: tuple[Release, ...], now: datetime
) -> Iterator[Observation]:
    package = _name(recipe, newest_version(recipe))
    try:
        found = choose(upstream, candidates(recipe, releases), rt.settings.policy.cooldown_days, now)
    except FarmError as error:
        yield _unknown(package, error)
        return
    if found.eligible is not None:
        version = found.eligible.version
        since = found.eligible.released or "nobody knows when"
        message = f"{version} is out since {since}"
        yield Observation(package=package, kind="new-release", message=message, version=version, state="eligible")
    if found.young is not None and found.cooling is not None:
        version = found.young.version
        yield Observation(
            package=package,
            kind="new-release",
            message=f"{version} is out; {found.cooling}",
            version=version,
            state="cooling",
            until=found.cooling.until,
        )
    if found.left and found.eligible is None:
        message = f"none of the newest releases can be taken; {found.left} older ones were not looked at"
        yield Observation(package=package, kind="unknown", message=message)


def _name(recipe: Recipe, version: str) -> str:
    return f"{recipe.ecosystem}/{recipe.name}@{version}"


def _unknown(package: str, error: FarmError) -> Observation:
    return Observation(package=package, kind="unknown", message=f"could not be asked: {error.message}")
