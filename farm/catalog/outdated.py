"""`farm catalog outdated`: for each recipe the newest release upstream that may be proposed, and those that cool."""

from __future__ import annotations

from typing import TYPE_CHECKING, Literal

from farm.catalog.asking import ask_all, failure_of_all
from farm.catalog.cooldown import Cooling, candidates, cooling
from farm.catalog.upstream import not_listed, opened_upstream
from farm.errors import FarmError
from farm.model.base import Value
from farm.model.release import Release
from farm.recipe.catalog import find_recipe, list_recipes, newest_version
from farm.recipe.load import load_recipe

if TYPE_CHECKING:
    from collections.abc import Iterable, Sequence
    from datetime import datetime
    from pathlib import Path

    from farm.catalog.upstream import Upstream
    from farm.pipeline.runtime import Runtime
    from farm.recipe.model import Recipe

__all__ = ["Choice", "Standing", "choose", "outdated", "standing"]

_LOOKED_AT = 20
"""Releases of one package that are looked at one by one, newest first: each takes a request or two."""


class Choice(Value):
    """What can follow the newest pinned version of a recipe."""

    eligible: Release | None = None
    """The newest release that may be proposed."""
    young: Release | None = None
    """The newest release, where it is newer than that and too young."""
    cooling: Cooling | None = None
    """Until when it is."""
    left: int = 0
    """Releases that were not looked at, since none of the many newer ones can be taken."""


class Standing(Value):
    """How the newest pinned version of one recipe stands against upstream."""

    package: str
    """`python/click`."""
    pinned: str = ""
    """The newest pinned version."""
    state: Literal["current", "outdated", "cooling", "not-asked", "failed"]
    """outdated: there is an eligible release. cooling: there are newer ones, all of them too young. not-asked: nobody
    lists the versions of this source. failed: it could not be asked."""
    newest: str = ""
    """The newest eligible release."""
    released: str = ""
    """Since when it is out: RFC 3339, UTC."""
    cooling: str = ""
    """A release that is newer still, and too young."""
    cooling_until: str = ""
    """RFC 3339, UTC; empty where nobody says when that release came out."""
    reason: str = ""
    """Words for people: what cools until when, why nobody was asked, what went wrong."""


def outdated(rt: Runtime, references: Sequence[str], now: datetime) -> tuple[Standing, ...]:
    """Compare the recipes that are named with upstream; with none named, all of them.

    Args:
        rt: settings, and the ecosystems to ask.
        references: as in `find_recipe`; which version is named does not matter.
        now: the time.

    Returns:
        One standing for each recipe, in their order. A recipe that cannot be read or asked about is one too.

    Raises:
        RecipeNotFoundError, RecipeError, SourcePinError: a recipe that was named is none, or has problems.
        FarmError: the first error, when each question failed for reasons of the infrastructure.
    """
    if references:
        named = (find_recipe(rt.settings.recipes, reference) for reference in references)
        wanted = tuple(dict.fromkeys(found.path.resolve() for found in named))
    else:
        wanted = list_recipes(rt.settings.recipes)
    read = tuple(map(_read, wanted))
    recipes = [item for item in read if not isinstance(item, Standing)]
    answers = ask_all(recipes, lambda recipe: standing(rt, recipe, now))
    asked = (answer for answer in answers if not (isinstance(answer, Standing) and answer.state == "not-asked"))
    failed = failure_of_all(asked)
    if failed is not None:
        raise failed
    found = (
        Standing(package=_package(recipe), pinned=newest_version(recipe), state="failed", reason=_words(answer))
        if isinstance(answer, FarmError)
        else answer
        for recipe, answer in zip(recipes, answers, strict=True)
    )
    return tuple(item if isinstance(item, Standing) else next(found) for item in read)


def standing(rt: Runtime, recipe: Recipe, now: datetime) -> Standing:
    """Compare one recipe with upstream.

    Raises:
        SourceUnavailableError, ConfigError and other errors of asking.
    """
    package, pinned = _package(recipe), newest_version(recipe)
    why = not_listed(recipe)
    if why:
        return Standing(package=package, pinned=pinned, state="not-asked", reason=f"not looked at: {why}")
    with opened_upstream(rt, recipe) as upstream:
        releases = upstream.releases()
        if not releases:
            return Standing(package=package, pinned=pinned, state="failed", reason="upstream lists no release at all")
        found = choose(upstream, candidates(recipe, releases), rt.settings.policy.cooldown_days, now)
    words = [f"{found.young.version} {found.cooling}"] if found.young is not None else []
    if found.left:
        words.append(f"none of the {_LOOKED_AT} newest can be taken; {found.left} older ones were not looked at")
    return Standing(
        package=package,
        pinned=pinned,
        state="outdated" if found.eligible else "cooling" if found.young else "failed" if found.left else "current",
        newest=found.eligible.version if found.eligible is not None else "",
        released=found.eligible.released if found.eligible is not None else "",
        cooling=found.young.version if found.young is not None else "",
        cooling_until=found.cooling.until if found.cooling is not None else "",
        reason="; ".join(words),
    )


def choose(upstream: Upstream, newest_first: Iterable[Release], days: int, now: datetime) -> Choice:
    """Look at releases, newest first, until one may be proposed.

    Args:
        upstream: asked for what a list does not say.
        newest_first: see `candidates`.
        days: the setting `policy.cooldown_days`.
        now: the time.

    Raises:
        what asking raises.
    """
    listed = list(newest_first)
    young: Release | None = None
    until: Cooling | None = None
    for known in listed[:_LOOKED_AT]:
        release = upstream.release(known.version) if known.listed_only else known
        if release is None or release.yanked or not release.has_source:
            continue
        found = cooling(release, days, now)
        if found is None:
            return Choice(eligible=release, young=young, cooling=until)
        if young is None:
            young, until = release, found
    return Choice(young=young, cooling=until, left=len(listed[_LOOKED_AT:]))


def _read(path: Path) -> Recipe | Standing:
    try:
        return load_recipe(path)
    except FarmError as error:
        package = f"{path.parent.parent.name}/{path.parent.name}"
        return Standing(package=package, state="failed", reason=_words(error))


def _package(recipe: Recipe) -> str:
    return f"{recipe.ecosystem}/{recipe.name}"


def _words(error: FarmError) -> str:
    return f"could not be asked: {error.message}"
