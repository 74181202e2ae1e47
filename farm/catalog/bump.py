"""`farm recipe bump`: a version more in a recipe, with its pin, taken from upstream."""

from __future__ import annotations

import os
import stat
import tempfile
from pathlib import Path
from typing import TYPE_CHECKING, Literal

from farm.catalog.cooldown import candidates, cooling
from farm.catalog.outdated import choose
from farm.catalog.upstream import candidate_pin, not_listed, opened_upstream
from farm.errors import (
    FarmError,
    RecipeNotFoundError,
    ReleaseCoolingError,
    ReleaseMissingError,
    ReleaseYankedError,
    SourceDigestError,
    VersionPinnedError,
)
from farm.languages import language
from farm.model.base import Value, sha256_file
from farm.model.plan import GitPin
from farm.recipe.catalog import find_recipe, newest_version
from farm.recipe.edit import with_version
from farm.recipe.load import load_recipe
from farm.recipe.plan import applying
from farm.recipe.reference import split

if TYPE_CHECKING:
    from collections.abc import Iterator
    from datetime import datetime

    from farm.catalog.upstream import Upstream
    from farm.model.release import Release
    from farm.pipeline.runtime import Runtime
    from farm.recipe.model import Recipe

__all__ = ["Bump", "bump"]


class Bump(Value):
    """What came of it."""

    package: str
    """`python/click`."""
    recipe: str
    """The recipe file below the recipes folder."""
    state: Literal["pinned", "would-pin", "current"]
    """current: upstream has nothing newer, and nothing was done."""
    version: str
    """The version that is pinned now; of `current` the newest that was pinned already."""
    kind: Literal["sha256", "commit", ""] = ""
    pin: str = ""
    released: str = ""
    """Since when it is out, as upstream says: RFC 3339, UTC; empty when nobody says."""
    notes: tuple[str, ...] = ()
    """What whoever reviews the change should know."""
    next: tuple[str, ...] = ()
    """The commands that come next."""


def bump(
    rt: Runtime, reference: str, version: str, now: datetime, *, allow_young: bool = False, dry_run: bool = False
) -> Bump:
    """Add a version to a recipe: the one that is named, else the newest eligible release.

    Args:
        rt: settings, and the ecosystems to ask.
        reference: as in `find_recipe`; a version in it is what to pin.
        version: what to pin; empty = what the reference says, else the newest release that is eligible.
        now: the time.
        allow_young: whether a release that is too young may be taken.
        dry_run: decide and fetch, but write nothing.

    Raises:
        RecipeNotFoundError, RecipeError, SourcePinError: no recipe, or one with problems.
        VersionPinnedError: the recipe has the version.
        ReleaseMissingError: upstream does not have it, or not its source.
        ReleaseYankedError: upstream withdrew it.
        ReleaseCoolingError: it is too young.
        RecipeEditError: the file cannot be added to; it is as it was.
        SourceDigestError: the archive is not what the index says it is.
        SourceUnavailableError and other errors of asking and fetching.
    """
    name, asked = split(reference)
    if version and asked not in {"", version}:
        raise RecipeNotFoundError(f"two versions are named: {asked} and {version}", remedy="Name one of them.")
    version = version or asked
    found = find_recipe(rt.settings.recipes, name)
    recipe, days = found.recipe, rt.settings.policy.cooldown_days
    package = f"{recipe.ecosystem}/{recipe.name}"
    if version:
        _check_new(recipe, version, package)
    with opened_upstream(rt, recipe) as upstream:
        release = (
            _named(recipe, upstream, version) if version else _newest(recipe, upstream, days, now, young=allow_young)
        )
    if release is None:
        return Bump(package=package, recipe=found.relative, state="current", version=newest_version(recipe))
    waits = cooling(release, days, now)
    if waits is not None and not allow_young:
        raise _too_young(package, release, days, str(waits))
    kind: Literal["sha256", "commit"] = "commit" if recipe.source.git is not None else "sha256"
    pin = release.pins[0] if kind == "commit" else _fetched(rt, recipe, release)
    notes = tuple(_notes(recipe, release))
    if waits is not None:
        notes = (f"{release.version} is younger than {days} days ({waits}); taken because of --allow-young", *notes)
    path = found.path.resolve()
    old = path.read_bytes()
    new = with_version(old.decode("utf-8"), found.relative, release.version, pin)
    if not dry_run:
        _replace(path, new.encode("utf-8"), old)
    this = f"{package}@{release.version}"
    return Bump(
        package=package,
        recipe=found.relative,
        state="would-pin" if dry_run else "pinned",
        version=release.version,
        kind=kind,
        pin=pin,
        released=release.released,
        notes=notes,
        next=(f"farm lock {this}", f"farm build {this}"),
    )


def _check_new(recipe: Recipe, version: str, package: str) -> None:
    naming = language(recipe.ecosystem).naming
    try:
        wanted = naming.version(version)
    except ValueError as error:
        raise ReleaseMissingError(f"{package} has no release {version!r}: {error}") from error
    for known in recipe.pinned:
        if naming.version(known) == wanted:
            spelled = "" if known == version else f" (as {known})"
            raise VersionPinnedError(f"{package} pins the version {version} already{spelled}")


def _named(recipe: Recipe, upstream: Upstream, version: str) -> Release:
    """Return the release that the user named, in upstream's spelling, if it can be pinned."""
    naming = language(recipe.ecosystem).naming
    package = f"{recipe.ecosystem}/{recipe.name}"
    source = recipe.source
    address = source.archive.url if source.archive is not None else None
    why = not_listed(recipe) if source.git is not None else ""
    if address is not None and "{version}" not in address:
        why = "its source is one address for every version"
    if why:
        remedy = "Add the version and its pin by hand, or change the source of the recipe first."
        raise ReleaseMissingError(f"{package}: {why}", remedy=remedy)
    wanted = naming.version(version)
    spelled = (release.version for release in upstream.releases() if _is(release, wanted, recipe))
    release = upstream.release(next(spelled, version))
    if release is None:
        raise ReleaseMissingError(f"upstream has no release {version} of {package}")
    if not release.has_source:
        raise ReleaseMissingError(f"upstream has {package} {version}, but not the source that the recipe names")
    if release.yanked:
        raise ReleaseYankedError(f"upstream withdrew {package} {version}")
    return release


def _is(release: Release, wanted: object, recipe: Recipe) -> bool:
    try:
        return language(recipe.ecosystem).naming.version(release.version) == wanted
    except ValueError:
        return False


def _newest(recipe: Recipe, upstream: Upstream, days: int, now: datetime, *, young: bool) -> Release | None:
    """Return the newest release that may be taken, None when none is newer than what is pinned."""
    package = f"{recipe.ecosystem}/{recipe.name}"
    why = not_listed(recipe)
    if why:
        remedy = (
            "Add the version and its pin by hand."
            if recipe.source.git is not None
            else "Name the version, if its address follows from it; else add it and its pin by hand."
        )
        raise ReleaseMissingError(f"{package}: {why}", remedy=remedy)
    releases = upstream.releases()
    if not releases:
        raise ReleaseMissingError(f"upstream lists no release of {package} at all")
    found = choose(upstream, candidates(recipe, releases), 0 if young else days, now)
    if found.eligible is None and found.young is not None:
        raise _too_young(package, found.young, days, str(found.cooling))
    if found.eligible is None and found.left:
        raise ReleaseMissingError(f"none of the newest releases of {package} can be taken, by age or by source")
    return found.eligible


def _too_young(package: str, release: Release, days: int, waits: str) -> ReleaseCoolingError:
    since = f"since {release.released}" if release.released else "since nobody knows when"
    return ReleaseCoolingError(
        f"{package} {release.version} is out {since}; policy.cooldown_days wants {days} days: {waits}",
        details={"version": release.version, "released": release.released, "cooldown_days": days},
    )


def _fetched(rt: Runtime, recipe: Recipe, release: Release) -> str:
    """Fetch the archive of a release and return its SHA-256, which is the one that the index states, if it does."""
    pin = candidate_pin(recipe, release.version)
    if isinstance(pin, GitPin):
        raise TypeError(recipe.name)
    with rt.scratch("bump") as work:
        target = work / "archive"
        if pin.kind == "url":
            from farm.source.download import fetch_url  # noqa: PLC0415 - httpx is imported with it

            fetch_url(pin, target)
        else:
            # Of several archives the stated digest picks the one.
            wanted = pin.model_copy(update={"sha256": release.pins[0]}) if release.pins else pin
            rt.ecosystem(recipe.ecosystem).fetch_archive(wanted, target, rt.settings)
        found = sha256_file(target).sha256
    if release.pins and found not in release.pins:
        raise SourceDigestError(
            f"the archive of {recipe.name} {release.version} has the SHA-256 {found}, its index states another",
            remedy="Find out why before you pin it: this is what an attack looks like.",
            details={"expected": list(release.pins), "found": found},
        )
    return found


def _notes(recipe: Recipe, release: Release) -> Iterator[str]:
    naming = language(recipe.ecosystem).naming
    version, last = release.version, recipe.pinned[-1]
    ranges = [key for key, entry in applying(recipe, version) if naming.is_range(key) and entry.model_fields_set]
    if ranges:
        yield f"the changes under {', '.join(ranges)} apply to {version}"
    own = sorted(recipe.versions[last].model_fields_set - {"commit", "sha256"})
    if own:
        yield f"{last} has {', '.join(own)} of its own, which {version} does not get"
    if recipe.source.git is None and not release.pins:
        yield "nobody states a SHA-256 of the archive: the pin is of what was fetched now"
    if naming.version(version).is_prerelease:
        yield f"{version} is a pre-release"
    if recipe.source.git is not None:
        yield "the tag's date is its author's word, and so is its age"


def _replace(path: Path, new: bytes, old: bytes) -> None:
    """Write the recipe whole or not at all, and put the old text back if it does not load.

    Raises:
        FarmError: it has problems; the file is as it was.
    """
    _write(path, new)
    try:
        load_recipe(path)
    except FarmError:
        _write(path, old)
        raise


def _write(path: Path, data: bytes) -> None:
    handle, name = tempfile.mkstemp(prefix=f".{path.name}-", dir=path.parent)
    temporary = Path(name)
    try:
        with os.fdopen(handle, "wb") as stream:
            stream.write(data)
            os.fchmod(stream.fileno(), stat.S_IMODE(path.stat().st_mode))
        temporary.replace(path)
    finally:
        temporary.unlink(missing_ok=True)
