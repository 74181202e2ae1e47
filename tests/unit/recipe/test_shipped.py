from __future__ import annotations

from pathlib import Path

import pytest

from farm.config import Settings
from farm.model.plan import Target
from farm.recipe.catalog import list_recipes
from farm.recipe.lint import check
from farm.recipe.load import load_recipe
from farm.recipe.plan import make_plan

ROOT = Path(__file__).parents[3]
TARGET = Target(platform="linux/amd64", interpreter="cp311")


def test_shipped_recipes_have_no_errors() -> None:
    settings = Settings(recipes=ROOT / "recipes", images=ROOT / "images")
    assert [str(p) for p in check([settings.recipes], settings) if p.severity == "error"] == []


@pytest.mark.parametrize("name", ["click", "flit-core", "markupsafe", "pyyaml", "setuptools"])
def test_every_version_has_a_plan_with_a_test(name: str) -> None:
    recipe = load_recipe(ROOT / "recipes" / "python" / name / "recipe.yaml")
    for version in recipe.pinned:
        plan = make_plan(recipe, version, f"python/{name}/recipe.yaml", TARGET)
        assert plan.package.name == name
        assert plan.build.image == "python311"
        assert plan.build.tags
        assert plan.test.imports
        assert plan.test.command


def test_shipped_recipes_have_folders_of_their_own() -> None:
    assert {p.parent.name for p in list_recipes(ROOT / "recipes")} >= {"click", "markupsafe"}
