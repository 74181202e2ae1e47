"""Recipes that are none: file, line, what is wrong, the nearest known word; and nothing is built from them."""

from __future__ import annotations

from typing import TYPE_CHECKING

import pytest

from farm.errors import RecipeError, RecipeNotFoundError, SourcePinError

from .packages import add

if TYPE_CHECKING:
    from .homes import FarmHome

pytestmark = [pytest.mark.docker, pytest.mark.services]

RECIPE = """\
schema: 1
ecosystem: python
name: bad-recipe
source:
  git: https://git.example.test/bad-recipe
versions:
  "1.0":
    commit: 3f0c2a9d5b7e4c1f8a6d9e2b0c4f7a1d3e5b8c60
build:
  image: python311
  tags: py3-none-any
test:
  imports: [bad_recipe]
"""
COMMIT = "    commit: 3f0c2a9d5b7e4c1f8a6d9e2b0c4f7a1d3e5b8c60\n"


@pytest.mark.parametrize(
    ("old", "new", "line", "words", "suggestion"),
    [
        ("  image: python311\n", "  image: python311\n  require: []\n", 11, "unknown key 'require'", "requires"),
        ("  imports: [bad_recipe]\n", "  imports: bad_recipe\n", 13, "test.imports: expected a list", ""),
        ("schema: 1\n", "schema: 2\n", 1, "schema", ""),
    ],
)
def test_a_recipe_with_a_mistake(home: FarmHome, old: str, new: str, line: int, words: str, suggestion: str) -> None:
    path = home.recipes / "python" / "bad-recipe" / "recipe.yaml"
    path.parent.mkdir(parents=True, exist_ok=True)
    path.write_text(RECIPE.replace(old, new), encoding="utf-8")

    told = home.farm("recipe", "check", path.parent)
    assert told.code == RecipeError.exit_code
    assert f"{path}:{line}:" in told.out
    assert words in told.out
    assert f"did you mean {suggestion!r}" in told.out or not suggestion

    done = home.farm("recipe", "check", path.parent, "--json")
    assert done.code == RecipeError.exit_code
    (problem,) = [p for p in done.data if p["severity"] == "error"]
    assert (problem["path"], problem["line"], problem["suggestion"]) == (str(path), line, suggestion)

    for verb in ("build", "lock"):
        error = home.farm(verb, "python/bad-recipe", "--json").failed(RecipeError, f":{line}:", words)
        assert error["details"]["problems"][0]["line"] == line
    assert home.page("bad-recipe") is None


@pytest.mark.parametrize(
    ("entry", "words"),
    [
        ("    tag: v1.0\n", "commit"),
        ("    commit: 3f0c2a9d\n", "'3f0c2a9d' has 8 digits"),
        ("    commit: main\n", "'main' is no commit"),
    ],
)
def test_a_version_without_a_full_commit(home: FarmHome, entry: str, words: str) -> None:
    path = home.recipes / "python" / "bad-recipe" / "recipe.yaml"
    path.parent.mkdir(parents=True, exist_ok=True)
    path.write_text(RECIPE.replace(COMMIT, entry), encoding="utf-8")
    home.build("python/bad-recipe").failed(SourcePinError, str(path), ":7:" if "tag" in entry else ":8:", words)
    assert home.page("bad-recipe") is None


def test_a_name_or_version_that_no_recipe_has(home: FarmHome) -> None:
    add(home, "known-name", lock=False)
    home.build("python/know-name").failed(RecipeNotFoundError, "python/know-name", "did you mean 'python/known-name'")
    home.build("python/known-name@1.1").failed(RecipeNotFoundError, "'1.1'", "1.0")
