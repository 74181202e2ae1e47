"""What a recipe wants for its runs against what the farm gives."""

from __future__ import annotations

from typing import TYPE_CHECKING

from farm.errors import RecipeError

if TYPE_CHECKING:
    from farm.config import Settings
    from farm.model.plan import BuildPlan

__all__ = ["AROUND_RUNS", "RUNS", "check_limits"]

RUNS = 3
"""Sandbox runs while a token lives, each with the recipe's time: build, platform tag, test."""
AROUND_RUNS = 900
"""Seconds of the token's life for what farm itself does around them: start, guards, archive, documents, signature."""


def check_limits(plan: BuildPlan, settings: Settings) -> None:
    """Hold what the recipe wants for its runs against what the farm gives: a recipe must not take the host down.

    Raises:
        RecipeError: a limit is above its ceiling, or the token could expire before the build is signed.
    """
    limits = plan.limits
    for name in type(limits).model_fields:
        wanted, ceiling = getattr(limits, name), getattr(settings.sandbox, f"max_{name}")
        if wanted > ceiling:
            msg = f"{plan.package}: limits.{name} is {wanted}, and the setting sandbox.max_{name} allows {ceiling}"
            raise RecipeError(msg, remedy=f"Lower limits.{name} in the recipe, or raise sandbox.max_{name}.")
    needed = RUNS * limits.time_seconds + AROUND_RUNS
    if needed > settings.trust.token_seconds:
        msg = (
            f"{plan.package}: limits.time_seconds is {limits.time_seconds}, for build, platform tag and test each: to"
            f" be signed after them the run needs a token of {needed} s, and the setting trust.token_seconds allows"
            f" {settings.trust.token_seconds}"
        )
        raise RecipeError(msg, remedy="Lower limits.time_seconds in the recipe, or raise trust.token_seconds.")
