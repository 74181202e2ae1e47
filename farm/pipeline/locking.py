"""`farm lock`: resolve again and write the recipe's lock; what changed is reported, so that it can be reviewed."""

from __future__ import annotations

from dataclasses import replace
from typing import TYPE_CHECKING

from farm.ecosystems.base import unheard
from farm.errors import LockMissingError, LockStaleError
from farm.model.base import Value
from farm.pipeline import steps
from farm.recipe.catalog import versions_by_name
from farm.recipe.locks import read_lock, write_lock

if TYPE_CHECKING:
    from collections.abc import Callable
    from pathlib import Path

    from farm.model.lock import Lock
    from farm.pipeline.runtime import Runtime

__all__ = ["LockChange", "write_recipe_lock"]


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


def write_recipe_lock(
    rt: Runtime, reference: str, *, check: bool = False, tell: Callable[[str], None] = unheard
) -> LockChange:
    """Resolve the requirements of a recipe version and write its lock (`check`: compare only).

    Where several versions would do, those that have a recipe of their own are taken: they can be rebuilt from source.
    `tell` is called with how far it is, in a few words.

    Raises:
        ResolutionError and the errors of the plan and source steps and of the sandbox.
    """
    plan = steps.plan(rt, reference)
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
