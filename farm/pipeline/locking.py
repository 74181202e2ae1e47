"""`farm lock`: resolve again and write the recipe's lock; what changed is reported, so that it can be reviewed."""

from __future__ import annotations

from dataclasses import replace
from typing import TYPE_CHECKING

from farm.ecosystems.base import unheard
from farm.errors import LockMissingError, LockStaleError
from farm.model.base import Value
from farm.pipeline import steps
from farm.recipe.catalog import find_recipe, versions_by_name
from farm.recipe.locks import read_lock, write_lock
from farm.recipe.plan import build_images, chosen_image

if TYPE_CHECKING:
    from collections.abc import Callable
    from pathlib import Path

    from farm.model.lock import Lock
    from farm.pipeline.runtime import Runtime

__all__ = ["LockChange", "lock_images", "write_recipe_lock"]


class LockChange(Value):
    """What locking came to."""

    package: str
    path: str
    files: int
    """Files in the new lock."""
    added: tuple[str, ...]
    """`file name (SHA-256, origin)` of what was not in the old lock."""
    removed: tuple[str, ...]
    same: bool
    """True when the new lock equals the old one."""


def lock_images(rt: Runtime, reference: str, image: str = "") -> tuple[str, ...]:
    """Return the images that a recipe version is locked for: all that it names, or the one that is asked for.

    Raises:
        RecipeNotFoundError, RecipeError, SourcePinError.
    """
    found = find_recipe(rt.settings.recipes, reference)
    return (chosen_image(found.recipe, found.version, image),) if image else build_images(found.recipe, found.version)


def write_recipe_lock(
    rt: Runtime, reference: str, *, image: str = "", check: bool = False, tell: Callable[[str], None] = unheard
) -> LockChange:
    """Resolve the requirements of a recipe version for one image and write its lock.

    Where several versions would do, those that have a recipe of their own are taken: they can be rebuilt from source.

    Args:
        rt: the means of the steps.
        reference: which recipe version.
        image: one of those that it names; empty = the primary one.
        check: compare only.
        tell: is called with how far it is, in a few words.

    Raises:
        ResolutionError and the errors of the plan and source steps and of the sandbox.
    """
    plan = steps.plan(rt, reference, image)
    snapshot = steps.prove(rt, plan)  # the resolver may run code of it
    with rt.context("lock", plan.package.ecosystem, rt.image(plan.build.image), tell) as context:
        preferred = versions_by_name(rt.settings.recipes, plan.package.ecosystem)
        new = rt.ecosystem(plan.package.ecosystem).resolve(plan, snapshot, replace(context, preferred=preferred))
    path = steps.recipe_lock_path(rt, plan)
    old = _existing(path)
    if not check:
        write_lock(path, new)
    before, after = _names(old), _names(new)
    return LockChange(
        package=str(plan.package),
        path=str(path),
        files=len(new.files),
        added=tuple(sorted(after - before)),
        removed=tuple(sorted(before - after)),
        same=old == new,
    )


def _existing(path: Path) -> Lock | None:
    try:
        return read_lock(path)
    except (LockMissingError, LockStaleError):
        return None  # whatever was there is replaced


def _names(lock: Lock | None) -> set[str]:
    return {f"{f.filename} ({f.sha256[:12]}, {f.origin})" for f in lock.files} if lock else set()
