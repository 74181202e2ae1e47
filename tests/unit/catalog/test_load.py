"""Reading the catalog: what changed is read again, what did not is not, and what is wrong is told."""

from __future__ import annotations

import json
import shutil
from dataclasses import dataclass
from pathlib import Path
from typing import TYPE_CHECKING, Any

import pytest

from farm.catalog.load import load_catalog
from farm.config import Settings
from farm.errors import DuplicateRecipeError, LockMissingError, LockStaleError, RecipeError, SourcePinError
from farm.model.lock import Lock, LockedFile
from farm.pipeline import steps
from farm.pipeline.runtime import Runtime
from farm.recipe.load import load_recipe
from farm.recipe.locks import read_lock, write_lock
from tests.fixtures_nodes import digest, wheel
from tests.fixtures_source import MemoryVault

if TYPE_CHECKING:
    from farm.catalog.nodes import Catalog, Node

CHECKOUT = Path(__file__).resolve().parents[3]
TARGET = "cp311-linux-amd64"
COMMIT = "3f0c2a9d5b7e4c1f8a6d9e2b0c4f7a1d3e5b8c60"
PATCH = "--- a/x.py\n+++ b/x.py\n@@ -1 +1 @@\n-a\n+b\n"


@dataclass
class Folder:
    """Recipes of a test, and what was read of them."""

    root: Path
    reads: list[str]

    @property
    def settings(self) -> Settings:
        return Settings(data=self.root / "data", recipes=self.root / "recipes", images=self.root / "images")

    @property
    def cache(self) -> Path:
        return self.root / "data" / "cache" / "catalog.json"

    def write(self, name: str, *, folder: str = "", lock: tuple[str, ...] | None = (), **changes: Any) -> Path:
        path = self.root / "recipes" / "python" / (folder or name) / "recipe.yaml"
        (path.parent / "patches").mkdir(parents=True, exist_ok=True)
        recipe = {
            "schema": 1,
            "ecosystem": "python",
            "name": name,
            "source": {"git": "https://git.example.test/x"},
            "versions": {"1.0": {"commit": COMMIT}},
            "build": {"image": "python311", "tags": "py3-none-any"},
            "test": {"imports": ["x"]},
            **changes,
        }
        path.write_text(json.dumps(recipe))
        if lock is not None:
            self.lock(path, *lock)
        return path

    def lock(self, recipe: Path, *needs: str) -> Path:
        files = tuple(
            LockedFile(
                filename=wheel(name), name=name, version="1.0", sha256=digest(name), size=1, origin="index",
                roles=("build",), purl=f"pkg:pypi/{name}@1.0",
            )
            for name in needs
        )  # fmt: skip
        path = recipe.parent / "locks" / f"1.0-{TARGET}.json"
        made = Lock(package="python/p@1.0", target=TARGET, image="i", basis=digest("b"), requirements={}, files=files)
        write_lock(path, made)
        return path

    def load(self) -> Catalog:
        self.reads.clear()
        return load_catalog(self.settings)

    def node(self, name: str = "one") -> Node:
        return self.load().nodes[f"python/{name}@1.0:{TARGET}"]


@pytest.fixture
def folder(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Folder:
    shutil.copytree(CHECKOUT / "images" / "python311", tmp_path / "images" / "python311")
    reads: list[str] = []

    def counting(kind: str, real: Any) -> Any:
        def read(path: Path) -> Any:
            reads.append(f"{kind} {path.parent.parent.name if kind == 'lock' else path.parent.name}")
            return real(path)

        return read

    monkeypatch.setattr("farm.catalog.load.load_recipe", counting("recipe", load_recipe))
    monkeypatch.setattr("farm.catalog.load.read_lock", counting("lock", read_lock))
    return Folder(tmp_path, reads)


def test_what_did_not_change_is_not_read_again(folder: Folder) -> None:
    folder.write("one", lock=("two",))
    folder.write("two")
    first = folder.load()
    assert folder.reads == ["recipe one", "lock one", "recipe two", "lock two"]
    before = folder.cache.stat()
    assert folder.load() == first
    assert folder.reads == []
    assert folder.cache.stat() == before  # nothing is written either


def test_a_changed_recipe_is_read_again_and_the_others_are_not(folder: Folder) -> None:
    path = folder.write("one")
    folder.write("two")
    before = folder.node()
    folder.write("one", lock=None, test={"imports": ["y"]})
    after = folder.node()
    assert folder.reads == ["recipe one"]
    assert after.recipe != before.recipe
    path.write_text("# only a comment\n" + path.read_text())
    assert folder.node() == after
    assert folder.reads == ["recipe one"]


def test_a_changed_patch_is_read_again(folder: Folder) -> None:
    path = folder.write("one", build={"image": "python311", "tags": "py3-none-any", "patches": ["a.patch"]})
    patch = path.parent / "patches" / "a.patch"
    patch.write_text(PATCH)
    before = folder.node()
    patch.write_text(f"A comment.\n\n{PATCH}")
    assert folder.node().recipe != before.recipe
    patch.write_text(PATCH)
    assert folder.node() == before


def test_a_changed_lock_is_read_again(folder: Folder) -> None:
    path = folder.write("one")
    assert folder.node().needs == ()
    folder.lock(path, "two")
    node = folder.node()
    assert [(need.name, need.roles, need.filenames) for need in node.needs] == [("two", ("build",), (wheel("two"),))]
    assert folder.reads == ["lock one"]


def test_a_changed_image_definition_is_read_again(folder: Folder) -> None:
    folder.write("one", lock=None)
    assert [node.target.key for node in folder.load().nodes.values()] == [TARGET]
    shutil.rmtree(folder.root / "images" / "python311")
    shutil.copytree(CHECKOUT / "images" / "python313", folder.root / "images" / "python311")
    assert [node.target.key for node in folder.load().nodes.values()] == ["cp313-linux-amd64"]


@pytest.mark.parametrize(
    "damage",
    [
        b"",
        b"\xff",
        b"[]",
        b"{}",
        b'{"format": 1}',
        b'{"format": "x", "files": {}}',
        lambda data: data[: len(data) // 2],
        lambda data: data.replace(b'"two"', b'"six"'),
        lambda data: data.replace(digest("b")[:4].encode(), b"0000"),
        lambda data: data.replace(b'"needs"', b'"neeDs"'),
    ],
)
def test_a_damaged_cache_is_made_anew(folder: Folder, damage: Any) -> None:
    folder.write("one", lock=("two",))
    folder.write("two")
    first = folder.load()
    whole = folder.cache.read_bytes()
    folder.cache.write_bytes(damage(whole) if callable(damage) else damage)
    assert folder.load() == first
    assert folder.load() == first
    assert folder.reads == []
    assert folder.cache.read_bytes() == whole


def test_a_cache_that_cannot_be_written_is_none(folder: Folder) -> None:
    folder.write("one")
    folder.cache.parent.parent.mkdir()
    folder.cache.parent.write_text("a file in the place of the folder")
    assert folder.node() == folder.node()


def test_what_is_gone_is_forgotten(folder: Folder) -> None:
    folder.write("one")
    path = folder.write("two")
    folder.load()
    size = folder.cache.stat().st_size
    shutil.rmtree(path.parent)
    assert len(folder.load().nodes) == 1
    assert folder.cache.stat().st_size < size


def test_two_recipes_for_one_name_are_both_refused(folder: Folder) -> None:
    """Which of them is meant, nobody knows: neither is built."""
    folder.write("one")
    folder.write("one", folder="One")
    folder.write("two")
    catalog = folder.load()
    assert list(catalog.nodes) == [f"python/two@1.0:{TARGET}"]
    assert {name: found.exit_code for name, found in catalog.broken.items()} == {
        "python/One": DuplicateRecipeError.exit_code,
        "python/one": DuplicateRecipeError.exit_code,
    }
    for found in catalog.broken.values():
        assert "python/One" in found.message
        assert "python/one" in found.message


@pytest.mark.parametrize(
    ("changes", "kind"),
    [
        ({"name": "One"}, RecipeError),
        ({"unknown": 1}, RecipeError),
        ({"versions": {}}, RecipeError),
        ({"versions": {"1.0": {"commit": COMMIT}, "01.0": {"commit": COMMIT}}}, RecipeError),
        ({"versions": {"1.0": {"commit": "main"}}}, SourcePinError),
        ({"build": {"image": "python311", "patches": ["missing.patch"]}}, RecipeError),
    ],
)
def test_a_broken_recipe_is_told_and_breaks_nothing_else(
    folder: Folder, changes: dict[str, Any], kind: type[Exception]
) -> None:
    folder.write("two")
    folder.write(changes.get("name", "one"), folder="one", **{k: v for k, v in changes.items() if k != "name"})
    catalog = folder.load()
    assert list(catalog.nodes) == [f"python/two@1.0:{TARGET}"]
    assert catalog.broken["python/one"].error == kind.__name__
    assert folder.load() == catalog


def test_a_file_that_is_no_recipe_is_told(folder: Folder) -> None:
    path = folder.write("one")
    for text in (b"", b"\xff", b"[1, 2]", b"a: [", b"name: one\nname: two\n"):
        path.write_bytes(text)
        assert list(folder.load().broken) == ["python/one"]


def test_a_node_says_what_is_wrong_with_its_lock(folder: Folder) -> None:
    path = folder.write("one", lock=None)
    problem = folder.node().problem
    assert problem is not None
    assert (problem.error, problem.exit_code) == (LockMissingError.__name__, LockMissingError.exit_code)
    assert "python/one@1.0" in problem.message
    folder.lock(path).write_text("{}")
    problem = folder.node().problem
    assert problem is not None
    assert problem.error == LockStaleError.__name__
    assert folder.node().lock == ""
    folder.lock(path)
    assert folder.node().problem is None


def test_the_catalog_reads_what_the_plan_step_reads(tmp_path: Path) -> None:
    """Every recipe that ships, in every image: the digests on which the build key rests are the same."""
    runtime = Runtime(Settings(data=tmp_path, recipes=CHECKOUT / "recipes", images=CHECKOUT / "images"))
    runtime.__dict__["vault"] = MemoryVault()
    catalog = load_catalog(runtime.settings)
    assert catalog.broken == {}
    assert len(catalog.nodes) > 30
    for node in catalog.nodes.values():
        plan = steps.plan(runtime, node.reference, node.image)
        assert (plan.package, plan.target, plan.recipe_digest) == (node.package, node.target, node.recipe)
        assert not node.lock or steps.recipe_lock_path(runtime, plan).is_file()
    assert [node.id for node in catalog.nodes.values() if node.problem] == []
