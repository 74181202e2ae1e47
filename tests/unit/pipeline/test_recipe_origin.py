from __future__ import annotations

import os
import subprocess
import sys
from typing import TYPE_CHECKING

from farm.model.evidence import RecipeOrigin
from farm.pipeline.recipe_origin import recipe_origin
from tests.fixtures_source import GitRepo

if TYPE_CHECKING:
    from pathlib import Path

    import pytest

RECIPE = "recipes/python/sample/recipe.yaml"


def test_the_commit_and_whether_the_recipe_differs(tmp_path: Path) -> None:
    repo = GitRepo(tmp_path / "checkout")
    commit = repo.commit({RECIPE: "schema: 1"})
    recipe = repo.path / RECIPE
    assert recipe_origin(recipe.parent) == RecipeOrigin(commit=commit, dirty=False)
    recipe.write_text("schema: 2")
    assert recipe_origin(recipe.parent) == RecipeOrigin(commit=commit, dirty=True)


def test_a_checkout_of_another_user(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    repo = GitRepo(tmp_path / "checkout")
    commit = repo.commit({RECIPE: "schema: 1"})
    monkeypatch.setenv("GIT_TEST_ASSUME_DIFFERENT_OWNER", "1")
    assert recipe_origin((repo.path / RECIPE).parent) == RecipeOrigin(commit=commit, dirty=False)


def test_an_origin_that_cannot_be_read_is_told(tmp_path: Path, capfd: pytest.CaptureFixture[str]) -> None:
    assert recipe_origin(tmp_path) == RecipeOrigin(dirty=True)
    assert "no git repository" in "".join(capfd.readouterr())
    repo = GitRepo(tmp_path / "checkout")
    assert recipe_origin(repo.path) == RecipeOrigin(dirty=True)
    assert "cannot be read" in "".join(capfd.readouterr())


def test_a_host_without_git_is_told_what_to_install(tmp_path: Path) -> None:
    code = (
        "from farm.errors import ConfigError\n"
        "try:\n    import farm.pipeline.recipe_origin\n"
        "except ConfigError as error:\n    print(error.message, error.remedy)\n"
    )
    environment = {**os.environ, "PATH": str(tmp_path)}
    done = subprocess.run([sys.executable, "-c", code], env=environment, capture_output=True, text=True, check=False)
    assert "there is no git on this host" in done.stdout
    assert "Install git" in done.stdout
    assert done.stderr == ""
