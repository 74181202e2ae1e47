from __future__ import annotations

from typing import TYPE_CHECKING

import pytest

from farm.errors import RecipeError, RecipeNotFoundError
from farm.recipe.catalog import find_recipe, list_recipes, recipe_versions, versions_by_name

if TYPE_CHECKING:
    from collections.abc import Callable
    from pathlib import Path

PIN = f"{{commit: {'b' * 40}}}"


@pytest.fixture
def several(good: str, write: Callable[..., Path]) -> Path:
    extra = f'  "1.10": {PIN}\n  "1.9": {PIN}\n  "2.0rc1": {PIN}\n'
    return write(good.replace("versions:\n", f"versions:\n{extra}"))


@pytest.mark.parametrize(
    "reference",
    ["python/sample-lib", "recipe python/sample-lib", "python/Sample_Lib", " python/sample-lib "],
)
def test_newest_final_version_is_the_default(reference: str, several: Path, recipes: Path) -> None:
    found = find_recipe(recipes, reference)
    assert (found.version, found.relative, found.path) == ("1.10", "python/sample-lib/recipe.yaml", several)
    assert recipe_versions(found.recipe) == ("1.4.2", "1.9", "1.10", "2.0rc1")


def test_versions_by_any_equal_spelling(several: Path, recipes: Path) -> None:
    assert several.is_file()
    assert find_recipe(recipes, "python/sample-lib@1.10.0").version == "1.10"
    assert find_recipe(recipes, "python/sample-lib@2.0.rc1").version == "2.0rc1"


def test_paths_of_files_and_folders(several: Path, recipes: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.chdir(recipes.parent)
    for reference in (str(several), str(several.parent), "recipes/python/sample-lib", "./recipes/python/sample-lib/"):
        assert find_recipe(recipes, reference).relative == "python/sample-lib/recipe.yaml"
    assert find_recipe(recipes, f"{several}@1.9").version == "1.9"
    assert list_recipes(recipes) == (several,)


@pytest.mark.parametrize(
    ("reference", "nearest"),
    [
        ("python/sampel-lib", "python/sample-lib"),
        ("pyton/sample-lib", "python/sample-lib"),
        ("sample-lib", "python/sample-lib"),
        ("python/zzz", ""),
        ("python/../../etc", ""),
        ("", ""),
        ("python/", ""),
    ],
)
def test_unknown_names_with_the_nearest(reference: str, nearest: str, several: Path, recipes: Path) -> None:
    assert several.is_file()
    with pytest.raises(RecipeNotFoundError) as caught:
        find_recipe(recipes, reference)
    if nearest:
        assert nearest in caught.value.message


def test_unknown_versions_with_those_there_are(several: Path, recipes: Path) -> None:
    assert several.is_file()
    with pytest.raises(RecipeNotFoundError, match=r"did you mean '1.4.2'\? \(it has: 1.4.2, 1.9, 1.10, 2.0rc1\)"):
        find_recipe(recipes, "python/sample-lib@1.4.3")


def test_recipes_elsewhere_are_not_taken(good: str, tmp_path: Path, recipes: Path) -> None:
    other = tmp_path / "elsewhere" / "recipe.yaml"
    other.parent.mkdir()
    other.write_text(good)
    with pytest.raises(RecipeNotFoundError, match="does not lie below"):
        find_recipe(recipes, str(other))


def test_broken_recipe_is_a_recipe_error(write: Callable[..., Path], recipes: Path) -> None:
    write("schema: 1\n")
    with pytest.raises(RecipeError):
        find_recipe(recipes, "python/sample-lib")


@pytest.mark.parametrize(
    "reference", ["python/sample-lib@", "recipe python/sample-lib@", "./recipes/python/sample-lib@"]
)
def test_an_empty_version_is_not_the_newest(reference: str, several: Path, recipes: Path) -> None:
    assert several.is_file()
    with pytest.raises(RecipeNotFoundError, match="no version follows"):
        find_recipe(recipes, reference)


def test_versions_that_can_be_rebuilt_the_newest_first(
    several: Path, recipes: Path, good: str, write: Callable[..., Path]
) -> None:
    assert several.is_file()
    write(good.replace("sample-lib", "early").replace('"1.4.2"', '"1.0.0rc1"'), "python/early")
    write("no recipe at all", "python/broken")
    write(good, "maven/elsewhere")
    assert versions_by_name(recipes, "python") == {"early": ("1.0.0rc1",), "sample-lib": ("1.10", "1.9", "1.4.2")}
    assert versions_by_name(recipes, "maven") == {}
    assert versions_by_name(recipes / "absent", "python") == {}
