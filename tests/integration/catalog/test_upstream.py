"""Upstreams that are real: a repository with tags that move, and the configured index."""

from __future__ import annotations

import json
import os
import subprocess
import sys
from datetime import UTC, datetime
from pathlib import Path

import pytest
from packaging.version import Version

from farm.catalog.bump import bump
from farm.catalog.watch import watch
from farm.config import load_settings
from farm.errors import TagMovedError
from farm.pipeline.runtime import Runtime
from farm.recipe.catalog import find_recipe
from farm.recipe.load import load_recipe
from farm.recipe.plan import source_pin
from farm.source import take
from tests.fixtures_source import GitRepo, MemoryVault
from tests.fixtures_upstream import GIT, Home

ROOT = Path(__file__).parents[3]
NOW = datetime.now(UTC)


@pytest.fixture
def home(tmp_path: Path) -> Home:
    return Home(tmp_path / "home", sources={"https://git.example.test/": f"{tmp_path}/repos/"})


def test_a_version_is_pinned_and_then_its_tag_moves(home: Home, tmp_path: Path) -> None:
    repo = GitRepo(tmp_path / "repos" / "demo")
    first = repo.commit({"pyproject.toml": "[project]\nname = 'sample'\nversion = '1.0'\n"})
    repo.git("tag", "v1.0")
    second = repo.commit({"pyproject.toml": "[project]\nname = 'sample'\nversion = '1.1'\n"})
    repo.git("tag", "-a", "-m", "the second", "v1.1")
    path = home.write({"1.0": first}, GIT)
    found = bump(home.runtime, "python/sample", "", NOW)
    assert (found.version, found.pin) == ("1.1", second)
    recipe = load_recipe(path)
    assert watch(home.runtime, [recipe], NOW) == ()

    third = repo.commit({"pyproject.toml": "[project]\nname = 'evil'\nversion = '1.1'\n"})
    repo.git("tag", "-f", "-a", "-m", "not the second", "v1.1")
    (moved,) = watch(home.runtime, [recipe], NOW)
    assert (moved.package, moved.kind, moved.expected, moved.found) == ("python/sample@1.1", "moved-tag", second, third)

    # A build that takes the source says the same.
    with home.runtime.scratch("source") as work, pytest.raises(TagMovedError) as caught:
        take(
            source_pin(recipe, "1.1", recipe.versions["1.1"]),
            vault=MemoryVault(),
            settings=home.runtime.settings,
            work=work,
            fetch_archive=lambda *_: "",
        )
    assert caught.value.message == moved.message


def test_the_configured_index_knows_more_than_is_pinned() -> None:
    program = [
        sys.executable,
        "-P",
        "-c",
        "from farm.cli import main; main()",
        "catalog",
        "outdated",
        "python/click",
        "--json",
    ]
    done = subprocess.run(program, cwd=ROOT, env=dict(os.environ), capture_output=True, check=False, text=True)
    assert done.returncode == 0, done.stderr
    (found,) = json.loads(done.stdout)
    assert (found["package"], found["state"]) in {("python/click", "outdated"), ("python/click", "current")}
    if found["state"] == "outdated":
        assert Version(found["newest"]) > Version(found["pinned"])
        assert datetime.fromisoformat(found["released"]) < NOW


def test_what_is_pinned_is_still_what_upstream_has() -> None:
    settings = load_settings(recipes=ROOT / "recipes")
    names = ("python/click", "python/markupsafe", "maven/org.apache.maven.shared:maven-filtering")
    recipes = [find_recipe(settings.recipes, name).recipe for name in names]
    kinds = {found.kind for found in watch(Runtime(settings), recipes, NOW)}
    assert kinds <= {"new-release"}
