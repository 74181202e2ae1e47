from __future__ import annotations

from pathlib import Path
from typing import TYPE_CHECKING

import pytest

from farm.config import Settings
from farm.model.base import sha256_file
from farm.model.plan import Target
from farm.recipe.catalog import list_recipes, versions_by_name
from farm.recipe.lint import check
from farm.recipe.load import load_recipe
from farm.recipe.locks import read_lock
from farm.recipe.plan import build_images, build_patches, make_plan

if TYPE_CHECKING:
    from collections.abc import Mapping, Sequence

    from farm.model.lock import Lock, LockedFile

ROOT = Path(__file__).parents[3]
PYTHON = ROOT / "recipes" / "python"
TARGET = Target(platform="linux/amd64", interpreter="cp311")
NAMES = sorted(path.parent.name for path in PYTHON.glob("*/recipe.yaml"))

NOT_REBUILT: dict[str, set[str]] = {
    # Farm's own wheel is built from source all the way down; what it runs on is the closure of a service, with
    # compilers and libraries (Rust, OpenSSL) that the builder image does not have.
    "farm": {"runtime", "test"},
}
"""Recipe → roles in its locks whose files may come from elsewhere than the catalog."""

OLD_PYTHON = {"exceptiongroup", "iniconfig", "pluggy"}
"""What pytest needs on CPython 3.9 alone, or in versions of its own: it tests the result and is built into nothing."""


def test_shipped_recipes_have_no_errors() -> None:
    settings = Settings(recipes=ROOT / "recipes", images=ROOT / "images")
    assert [str(p) for p in check([settings.recipes], settings) if p.severity == "error"] == []


def test_shipped_python_recipes_have_no_warnings_either() -> None:
    settings = Settings(recipes=ROOT / "recipes", images=ROOT / "images")
    assert [str(p) for p in check([PYTHON], settings)] == []


@pytest.mark.parametrize("name", NAMES)
def test_every_version_has_a_plan_with_a_test(name: str) -> None:
    recipe = load_recipe(PYTHON / name / "recipe.yaml")
    for version in recipe.pinned:
        patches = {patch: sha256_file(PYTHON / name / "patches" / patch) for patch in build_patches(recipe, version)}
        image = build_images(recipe, version)[0]
        plan = make_plan(recipe, version, f"python/{name}/recipe.yaml", TARGET, patches)
        assert plan.package.name == name
        assert plan.build.image == image == ("python313-rust" if name == "bcrypt" else "python311")
        assert plan.build.tags
        assert plan.test.imports
        assert plan.test.command


def test_shipped_recipes_have_folders_of_their_own() -> None:
    assert {p.parent.name for p in list_recipes(ROOT / "recipes")} >= {"click", "markupsafe"}


def rebuilt(name: str, lock: Lock, file: LockedFile, pinned: Mapping[str, Sequence[str]]) -> bool:
    if file.purl.startswith("pkg:cargo/"):
        return True  # crates are sources: they are compiled into the result
    if file.version in pinned.get(file.name, ()) or NOT_REBUILT.get(name, set()).issuperset(file.roles):
        return True
    return lock.target.startswith("cp39-") and file.name in OLD_PYTHON and file.roles == ("test",)


def test_every_file_that_a_lock_names_can_be_rebuilt_from_source() -> None:
    pinned = versions_by_name(ROOT / "recipes", "python")
    locks = [(name, path) for name in NAMES for path in sorted((PYTHON / name / "locks").glob("*.json"))]
    assert len(locks) >= len(NAMES)
    strangers = [
        f"{lock.package} for {lock.target} needs {file.filename} ({', '.join(file.roles)})"
        for name, lock in ((name, read_lock(path)) for name, path in locks)
        for file in lock.files
        if not rebuilt(name, lock, file, pinned)
    ]
    assert strangers == [], "add a recipe (or a version to one), or a reason to NOT_REBUILT"


def test_locks_that_ship_hold_what_the_upstream_index_has() -> None:
    # What farm rebuilt takes its place when the build runs; a lock of one farm's results would fit that farm alone.
    locks = [path for name in NAMES for path in (PYTHON / name / "locks").glob("*.json")]
    assert {file.origin for path in locks for file in read_lock(path).files} == {"index"}
