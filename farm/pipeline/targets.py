"""The targets of a recipe version: one for each builder image that it names."""

from __future__ import annotations

from typing import TYPE_CHECKING

from farm.errors import RecipeError
from farm.model.plan import Target
from farm.recipe.plan import build_images

if TYPE_CHECKING:
    from farm.config import Settings
    from farm.recipe.model import Recipe

__all__ = ["target_of"]


def target_of(settings: Settings, recipe: Recipe, version: str, image: str) -> Target:
    """Return what is built for in `image`, one of those that `version` names.

    Raises:
        RecipeNotFoundError: the recipe does not pin this version.
        RecipeError: another of its images has the same target: locks and results are kept by target.
        ImageBuildError: there is no such image, or its definition cannot be read.
    """
    from farm.image.definition import load_definition  # noqa: PLC0415 - only the plan step reads definitions

    def of(name: str) -> Target:
        definition = load_definition(settings.images / name)
        return Target(platform=definition.platform, interpreter=definition.interpreter)

    target = of(image)
    for other in build_images(recipe, version):
        if other != image and of(other) == target:
            msg = f"{recipe.ecosystem}/{recipe.name}@{version}: {image} and {other} are both for {target.key}"
            raise RecipeError(msg, remedy="Name one of these images in build.image of the recipe.")
    return target
