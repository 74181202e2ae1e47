"""Which recipes there are, and finding the one that a reference means."""

from __future__ import annotations

from dataclasses import dataclass
from pathlib import Path
from typing import TYPE_CHECKING

from farm.errors import RecipeNotFoundError
from farm.languages import language, language_names
from farm.recipe.load import load_recipe, read_recipe
from farm.recipe.problem import nearest
from farm.recipe.reference import is_path, split

if TYPE_CHECKING:
    from farm.recipe.model import Recipe

__all__ = ["FILE_NAME", "Found", "find_recipe", "list_recipes", "newest_version", "recipe_versions", "versions_by_name"]

FILE_NAME = "recipe.yaml"


@dataclass(frozen=True)
class Found:
    """A recipe and the version of it that was meant."""

    path: Path
    """The recipe file."""
    relative: str
    """The file below the recipes folder, POSIX: `python/markupsafe/recipe.yaml`."""
    recipe: Recipe
    version: str
    """As the recipe spells it."""

    @property
    def folder(self) -> Path:
        """Where the recipe's locks and patches are."""
        return self.path.parent


def list_recipes(recipes: Path) -> tuple[Path, ...]:
    """Return every recipe file below `recipes` (`<ecosystem>/<name>/recipe.yaml`), sorted; none for no folder."""
    return tuple(sorted(recipes.glob(f"*/*/{FILE_NAME}")))


def find_recipe(recipes: Path, reference: str) -> Found:
    """Find the recipe and version that `reference` means.

    Args:
        recipes: the recipes folder.
        reference: `python/markupsafe`, `python/markupsafe@3.0.2`, or the path of a recipe file or its folder, with or
            without `@version`. Without a version the newest one that is no pre-release is meant (the newest
            pre-release where there are only those). A leading word `recipe` is passed over.

    Returns:
        The recipe with the version.

    Raises:
        RecipeNotFoundError: no such recipe or version (the message has the nearest name), or not in the folder.
        RecipeError, SourcePinError: the recipe has problems.
    """
    name, version = split(reference)
    path = _as_path(name)
    if path is None:
        path = _by_name(recipes, name)
    relative = _below(path, recipes)
    recipe = load_recipe(path)
    if not is_path(name):
        _check_name(recipe, name)
    return Found(path, relative, recipe, _version(recipe, version))


def recipe_versions(recipe: Recipe) -> tuple[str, ...]:
    """Return the pinned versions as the recipe spells them, oldest first."""
    naming = language(recipe.ecosystem).naming
    return tuple(sorted(recipe.pinned, key=naming.version))


def newest_version(recipe: Recipe) -> str:
    """Return the newest pinned version; a pre-release only where there is nothing else."""
    return _released(recipe)[-1]


def versions_by_name(recipes: Path, ecosystem: str) -> dict[str, tuple[str, ...]]:
    """Return what the recipes of one ecosystem pin: normal name → versions in normal form, newest first.

    Pre-releases are left out where there is anything else, as `newest_version` does. A recipe with problems is left
    out: it can give no version, and `farm recipe check` tells of it.
    """
    naming = language(ecosystem).naming
    found = {}
    for path in list_recipes(recipes):
        if path.relative_to(recipes).parts[0] != ecosystem:
            continue
        reading = read_recipe(path)
        if reading.recipe is None or reading.problems or reading.recipe.ecosystem != ecosystem:
            continue
        versions = reversed(_released(reading.recipe))
        found[reading.recipe.name] = tuple(str(naming.version(version)) for version in versions)
    return found


def _released(recipe: Recipe) -> tuple[str, ...]:
    """Return the pinned versions, oldest first, without pre-releases where there is anything else."""
    naming = language(recipe.ecosystem).naming
    ordered = recipe_versions(recipe)
    return tuple(version for version in ordered if not naming.version(version).is_prerelease) or ordered


def _as_path(name: str) -> Path | None:
    """Return the recipe file when `name` is written as a path."""
    if not is_path(name):
        return None
    path = Path(name).expanduser()
    if path.is_dir():
        path /= FILE_NAME
    if not path.is_file():
        msg = f"there is no recipe at {name}"
        raise RecipeNotFoundError(msg)
    return path.absolute()


def _below(path: Path, recipes: Path) -> str:
    """Return the path below the recipes folder: evidence names a recipe by it, never by a path of one machine."""
    try:
        return path.resolve().relative_to(recipes.resolve()).as_posix()
    except ValueError:
        msg = f"{path.parent.name}/{path.name} does not lie below the recipes folder {recipes}"
        remedy = "Move it there, or name its recipes folder in FARM_RECIPES."
        raise RecipeNotFoundError(msg, remedy=remedy) from None


def _by_name(recipes: Path, name: str) -> Path:
    ecosystem, _, package = name.partition("/")
    if package and ecosystem in language_names():
        try:
            folder = language(ecosystem).naming.folder(package)
        except ValueError as error:
            msg = f"{name!r} names no recipe: {error}"
            raise RecipeNotFoundError(msg) from None
        path = recipes / ecosystem / folder / FILE_NAME
        if path.is_file():
            return path
    known = [path.parent.relative_to(recipes).as_posix() for path in list_recipes(recipes)]
    near = nearest(name, known) or next((k for k in known if k.endswith(f"/{name.lower()}")), "")
    hint = f"; did you mean {near!r}?" if near else ""
    msg = f"there is no recipe {name!r}{hint}"
    raise RecipeNotFoundError(msg, details={"nearest": near, "known": known})


def _check_name(recipe: Recipe, name: str) -> None:
    """Refuse the recipe of another package: names of some languages share a folder (`a.b:c` and `a:b.c`)."""
    ecosystem, _, package = name.partition("/")
    naming = language(ecosystem).naming
    try:
        normal = naming.name(package)
    except ValueError:
        return  # the folder was named
    if (ecosystem, normal) != (recipe.ecosystem, recipe.name):
        near = f"{recipe.ecosystem}/{recipe.name}"
        msg = f"there is no recipe {name!r}; did you mean {near!r}?"
        raise RecipeNotFoundError(msg, details={"nearest": near})


def _version(recipe: Recipe, asked: str) -> str:
    if not asked:
        return newest_version(recipe)
    naming = language(recipe.ecosystem).naming
    try:
        wanted = naming.version(asked)
    except ValueError:
        wanted = None
    for version in recipe.pinned:
        if wanted is not None and naming.version(version) == wanted:
            return version
    known = recipe_versions(recipe)
    near = nearest(asked, known)
    hint = f"; did you mean {near!r}?" if near else ""
    msg = f"the recipe {recipe.ecosystem}/{recipe.name} has no version {asked!r}{hint} (it has: {', '.join(known)})"
    raise RecipeNotFoundError(msg, details={"nearest": near, "known": list(known)})
