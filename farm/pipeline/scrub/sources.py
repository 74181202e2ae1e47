"""Where the right bytes of a damaged blob can be had: each source is asked for what the ones before it did not have.

Only what is damaged is asked for, and everything that comes is held against its digest before it is written.
"""

from __future__ import annotations

from contextlib import ExitStack
from typing import TYPE_CHECKING, Any

from farm import log
from farm.ecosystems.repositories import layouts
from farm.errors import FarmError, LockMissingError, LockStaleError, VerificationError
from farm.languages import language_names
from farm.model.plan import GitPin
from farm.model.scrub import Healed, Lost
from farm.pipeline import steps
from farm.recipe.catalog import list_recipes, recipe_versions
from farm.recipe.load import load_recipe
from farm.recipe.locks import read_lock
from farm.source.taking import known_snapshot
from farm.store.vault import blob_key

if TYPE_CHECKING:
    from collections.abc import Callable, Iterator
    from pathlib import Path

    from farm.model.lock import LockedFile
    from farm.model.plan import BuildPlan
    from farm.pipeline.runtime import Runtime

__all__ = ["heal"]

_log = log.get(__name__)


def heal(rt: Runtime, damaged: dict[str, str], tell: Callable[[str], None]) -> tuple[list[Healed], list[Lost]]:
    """Bring back damaged blobs.

    Args:
        rt: the stores, recipes, and what fetches.
        damaged: digest → what is wrong with the blob.
        tell: called with how far it is.

    Returns:
        What is right again, and the rest: that is in quarantine then, so that nobody meets wrong bytes.

    Raises:
        StoreUnavailableError: the object store does not answer.
    """
    left, healed = dict(damaged), list[Healed]()
    for source in (_published, _cached, _locked, _recipes):
        if not left:
            break
        tell(f"vault: {len(left)} damaged blobs, healing")
        with rt.scratch("scrub") as work:
            for sha256, where in source(rt, left, work):
                _log.warning("blob healed", sha256=sha256, source=where)
                healed.append(Healed(key=blob_key(sha256), source=where))
                del left[sha256]
    for sha256 in left:
        rt.vault.put_aside(sha256)
    return healed, [Lost(key=blob_key(sha256), reason=reason) for sha256, reason in left.items()]


def _published(rt: Runtime, left: dict[str, str], work: Path) -> Iterator[tuple[str, str]]:
    """Take what is published with that digest."""
    places: dict[str, list[str]] = {}
    for layout in layouts():
        for key in layout.record_keys(rt.repository):
            for place, item in _objects(rt, layout, key):
                if item.data is None and item.ref.sha256 in left:
                    places.setdefault(item.ref.sha256, []).append(place)
    for sha256, keys in places.items():
        path = work / sha256
        found = (key for key in keys if _download(rt, key, path) and rt.vault.restore(sha256, path))
        if where := next(found, None):
            yield sha256, f"published object {where}"
        path.unlink(missing_ok=True)


def _objects(rt: Runtime, layout: Any, key: str) -> list[tuple[str, Any]]:
    try:
        record = layout.record_at(rt.repository, key)
    except VerificationError:
        return []  # the repository's own scrub says so
    return [] if record is None else list(record.objects().items())


def _download(rt: Runtime, key: str, path: Path) -> bool:
    with rt.repository.open(key) as found:
        if found is None:
            return False
        with path.open("wb") as sink:
            sink.writelines(found.chunks)
    return True


def _cached(rt: Runtime, left: dict[str, str], work: Path) -> Iterator[tuple[str, str]]:
    """Take what builds on this host have kept."""
    for sha256 in list(left):
        path = work / sha256
        if rt.cache.copy(sha256, path) and rt.vault.restore(sha256, path):
            yield sha256, "this host's cache"
        path.unlink(missing_ok=True)


def _locked(rt: Runtime, left: dict[str, str], work: Path) -> Iterator[tuple[str, str]]:
    """Fetch what committed locks name, from where they say that it comes from."""
    for ecosystem in language_names():
        wanted = _in_locks(rt.settings.recipes / ecosystem, left)
        if not wanted:
            continue
        with ExitStack() as stack:
            try:
                fetch = stack.enter_context(rt.ecosystem(ecosystem).fetcher(rt.settings, rt.own_index(ecosystem)))
            except FarmError as error:  # no index is configured, say
                for sha256 in wanted:
                    left[sha256] += f"; {error.message}"
                continue
            for sha256, (file, lock) in wanted.items():
                path = work / sha256
                try:
                    fetch(file, path)
                except FarmError as error:  # whatever keeps it away: the next source may have it
                    left[sha256] += f"; {file.filename} of the lock {lock}: {error.message}"
                    continue
                if rt.vault.restore(sha256, path):
                    yield sha256, f"{file.filename} of the lock {lock}, fetched again"
                path.unlink(missing_ok=True)


def _in_locks(folder: Path, left: dict[str, str]) -> dict[str, tuple[LockedFile, str]]:
    """Return the damaged files that locks below `folder` name, with the lock."""
    found: dict[str, tuple[LockedFile, str]] = {}
    for path in sorted(folder.glob("*/locks/*.json")):
        try:
            lock = read_lock(path)
        except (LockMissingError, LockStaleError):
            continue  # of no use to a build either, which says so
        for file in lock.files:
            if file.sha256 in left:
                found.setdefault(file.sha256, (file, f"{path.parent.parent.name}/{path.name}"))
    return found


def _recipes(rt: Runtime, left: dict[str, str], work: Path) -> Iterator[tuple[str, str]]:
    """Take sources again that recipes pin, and the recipes' own patches."""
    del work
    for sha256 in left:
        # From here on the steps of a build do the work, and they put nothing where something is.
        rt.vault.put_aside(sha256)
    for reference in _references(rt.settings.recipes):
        if not left:
            return
        try:
            plan = steps.plan(rt, reference)
        except FarmError as error:  # a recipe that cannot be built is no source
            _log.info("not a source", recipe=reference, reason=error.message)
            continue
        for patch in plan.build.patches:
            if patch.blob.sha256 in left and rt.vault.is_right(patch.blob.sha256):
                yield patch.blob.sha256, f"patch {patch.name} of {plan.package}"
        yield from _source(rt, plan, left)


def _source(rt: Runtime, plan: BuildPlan, left: dict[str, str]) -> Iterator[tuple[str, str]]:
    """Take the source of a plan again, if it gives something that is wanted."""
    known = known_snapshot(rt.vault, plan.source)
    gives = {known.archive.sha256} if known else set[str]()
    if not isinstance(plan.source, GitPin):
        gives.add(plan.source.sha256)
    wanted = sorted(gives & left.keys())
    if not wanted:
        return
    try:
        steps.prove(rt, plan)
    except FarmError as error:
        for sha256 in wanted:
            left[sha256] += f"; the source of {plan.package}: {error.message}"
        return
    for sha256 in wanted:
        if rt.vault.is_right(sha256):
            yield sha256, f"the source of {plan.package}, taken again"


def _references(recipes: Path) -> Iterator[str]:
    """Yield every recipe version, as users write it."""
    for path in list_recipes(recipes):
        try:
            recipe = load_recipe(path)
        except FarmError as error:
            _log.info("not a source", recipe=str(path), reason=error.message)
            continue
        for version in recipe_versions(recipe):
            yield f"{recipe.ecosystem}/{recipe.name}@{version}"
