"""What a recipe says about a Python build beyond what every build has: `build.options`."""

from __future__ import annotations

from typing import TYPE_CHECKING, Annotated

from pydantic import AfterValidator, BaseModel, ConfigDict

from farm.recipe.rules import relative_folder

if TYPE_CHECKING:
    from farm.model.plan import BuildPlan

__all__ = ["PythonOptions", "cargo_locks", "options_of"]


class PythonOptions(BaseModel):
    """Python's builds are described by PEP 517; this is what goes beyond it."""

    model_config = ConfigDict(extra="forbid", frozen=True, use_attribute_docstrings=True)

    cargo: tuple[Annotated[str, AfterValidator(relative_folder)], ...] = ()
    """Folders of the source (`.` is its root) with a Cargo.lock: its crates are locked, and the build has only them."""


def options_of(plan: BuildPlan) -> PythonOptions:
    """Return the options of the plan, checked."""
    return PythonOptions.model_validate(plan.build.options)


def cargo_locks(plan: BuildPlan) -> tuple[str, ...]:
    """Return the paths of the plan's Cargo.lock files, below the root of the source."""
    return tuple(f"{folder}/Cargo.lock" if folder else "Cargo.lock" for folder in options_of(plan).cargo)
