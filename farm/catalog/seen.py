"""What the night saw upstream, in words for its report."""

from __future__ import annotations

from datetime import UTC, datetime
from typing import TYPE_CHECKING

from farm.catalog.watch import watch
from farm.errors import FarmError
from farm.recipe.catalog import list_recipes
from farm.recipe.load import load_recipe

if TYPE_CHECKING:
    from collections.abc import Iterator

    from farm.catalog.engine import Engine
    from farm.catalog.watch import Observation
    from farm.pipeline.runtime import Runtime
    from farm.recipe.model import Recipe

__all__ = ["look_upstream"]


def look_upstream(rt: Runtime, engine: Engine) -> list[str]:
    """Look at what every recipe pins; return what there is to know.

    What somebody changed after it was pinned becomes an alarm of the run.
    """
    notes: list[str] = []
    for seen in watch(rt, _recipes(rt), datetime.now(UTC)):
        words = f"{seen.package}: {seen.kind}: {_words(seen)}"
        (engine.alarms if seen.alarming else notes).append(words)
    return notes


def _recipes(rt: Runtime) -> Iterator[Recipe]:
    for path in list_recipes(rt.settings.recipes):
        try:
            yield load_recipe(path)
        except FarmError:
            continue  # the catalog says what is wrong with it


def _words(seen: Observation) -> str:
    found = f" (pinned {seen.expected}, found {seen.found})" if seen.found else ""
    return f"{seen.message}{found}"
