"""Recipes that ship: built from nothing in two farms that share nothing, they give the same bytes."""

from __future__ import annotations

import json
from concurrent.futures import ThreadPoolExecutor
from typing import TYPE_CHECKING, Any

import pytest
from ruamel.yaml import YAML

from .homes import CHECKOUT, run
from .recipes import strangers

if TYPE_CHECKING:
    from pathlib import Path

    from .homes import FarmHome

pytestmark = [pytest.mark.docker, pytest.mark.services]

TWO_FARMS = ("python/markupsafe@3.0.2", "python/click", "python/farm")
"""A native package, a pure one, one from git. `test_catalog.py` builds every recipe twice, in one farm."""


def digests(outcome: dict[str, Any]) -> dict[str, str]:
    return {file["filename"]: file["blob"]["sha256"] for file in outcome["files"]}


def test_the_commits_that_farm_is_built_from_are_in_this_clone() -> None:
    recipe = YAML(typ="safe").load(CHECKOUT / "recipes" / "python" / "farm" / "recipe.yaml")
    for version, entry in recipe["versions"].items():
        found = run(["git", "-C", CHECKOUT, "cat-file", "-e", f"{entry['commit']}^{{commit}}"])
        assert found.code == 0, (
            f"farm {version} is built from commit {entry['commit']}, which this clone does not have; "
            f"fetch the whole history (git fetch --unshallow): {found.err}"
        )


def test_locks_that_ship_take_from_farm_only_what_another_recipe_that_ships_rebuilds() -> None:
    assert strangers(CHECKOUT / "recipes") == []


def test_what_no_other_recipe_rebuilds_is_found(tmp_path: Path) -> None:
    def recipe(artifact: str, *files: tuple[str, str], more: tuple[str, ...] = ()) -> None:
        folder = tmp_path / "maven" / f"org.x.{artifact}"
        (folder / "locks").mkdir(parents=True)
        options = {"artifacts": [f"org.x:{name}" for name in more]}
        text = {
            "ecosystem": "maven",
            "name": f"org.x:{artifact}",
            "versions": {"1.0": {}},
            "build": {"options": options},
        }
        (folder / "recipe.yaml").write_text(json.dumps(text), encoding="utf-8")
        locked = [{"filename": f"{n}-{v}.jar", "name": f"org.x:{n}", "version": v, "origin": "farm"} for n, v in files]
        locked.append({"filename": "else.jar", "name": "org.x:else", "version": "1.0", "origin": "index"})
        (folder / "locks" / "1.0.json").write_text(json.dumps({"files": locked}), encoding="utf-8")

    recipe("low", ("low", "1.0"), more=("module",))
    recipe("high", ("low", "1.0"), ("module", "1.0"), ("low", "1.1"), ("else", "1.0"))
    assert strangers(tmp_path) == ["org.x.high: low-1.1.jar", "org.x.high: else-1.0.jar", "org.x.low: low-1.0.jar"]


@pytest.mark.parametrize("reference", TWO_FARMS)
def test_built_twice_from_nothing(home_a: FarmHome, home_b: FarmHome, reference: str) -> None:
    with ThreadPoolExecutor(2) as pool:
        # What each has built of what is locked is no matter here: both read what the lock names.
        locked = {"FARM_POLICY__INPUTS": "locked"}
        one, other = pool.map(lambda home: home.build(reference, env=locked).ok().data, (home_a, home_b))
    assert digests(one) == digests(other)
    assert len(one["files"]) == 1
    assert (one["build_key"], one["tree_digest"]) == (other["build_key"], other["tree_digest"])
    assert one["run_id"] != other["run_id"]
    for outcome in (one, other):
        assert outcome["test"]["result"] == "passed"
        assert outcome["probe"].startswith("isolated: no network")
        assert outcome["source_strength"] == ("git" if reference == "python/farm" else "archive")
    # Each farm has keys of its own: what they signed differs, what they signed it for does not.
    assert home_a.trust_config.read_bytes() != home_b.trust_config.read_bytes()


def test_known_results_are_taken_and_forced_builds_give_the_same_bytes(home_a: FarmHome) -> None:
    reference = "python/markupsafe@3.0.2"
    first = home_a.build(reference).ok().data
    page = home_a.page("markupsafe")
    again = home_a.build(reference).ok().data
    assert again == {**first, "reused": True}
    forced = home_a.build(reference, "--force").ok().data
    assert digests(forced) == digests(first)
    assert forced["reused"] is False
    assert forced["run_id"] != first["run_id"]
    # What is published stays as it was published first.
    assert home_a.page("markupsafe") == page
    told = home_a.farm("build", reference).ok()
    assert "python/markupsafe@3.0.2 up to date" in told.out


def test_the_images_list_of_packages_is_in_the_vault(home_a: FarmHome) -> None:
    home_a.build("python/markupsafe@3.0.2").ok()
    packages = home_a.runtime.image("python311").packages
    assert packages is not None
    assert home_a.blob(packages.sha256).stat().st_size == packages.size


def test_each_version_is_published_beside_the_others(home_a: FarmHome) -> None:
    for version in ("3.0.2", "3.0.3"):
        home_a.build(f"python/markupsafe@{version}").ok()
    page = home_a.page("markupsafe")
    assert page is not None
    assert page["versions"] == ["3.0.2", "3.0.3"]


def test_each_interpreter_has_a_wheel_of_its_own(home_a: FarmHome) -> None:
    reference, found = "python/markupsafe@3.0.2", set[str]()
    for image in ("python311", "python313", "python39"):
        outcome = home_a.build(reference, "--image", image).ok().data
        assert outcome["image"] == image
        found |= digests(outcome).keys()
    page = home_a.page("markupsafe")
    assert page is not None
    listed = {file["filename"] for file in page["files"] if "-3.0.2-" in file["filename"]}
    assert found == listed
    assert {name.split("-")[2] for name in listed} == {"cp311", "cp313", "cp39"}
    again = home_a.build(reference, "--image", "python39").ok().data
    assert (again["reused"], again["image"]) == (True, "python39")
