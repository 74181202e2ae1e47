"""The whole catalog that ships: rebuilt from nothing in one run, and for nearly nothing when nothing changed."""

from __future__ import annotations

import json
from hashlib import sha256
from typing import TYPE_CHECKING, Any

import pytest

from farm.errors import NotRebuiltError

from .homes import CHECKOUT, FarmHome, own_sources

if TYPE_CHECKING:
    from collections.abc import Iterator

pytestmark = [pytest.mark.docker, pytest.mark.services, pytest.mark.timeout(3600)]

SERVICES = ("s3", "signer", "index")
WHOLE = (
    "python/attrs",
    "python/calver",
    "python/click",
    "python/hatch-vcs",
    "python/hatchling",
    "python/iniconfig",
    "python/packaging",
    "python/pathspec",
    "python/pluggy",
    "python/pygments",
    "python/pytest",
    "python/setuptools",
    "python/setuptools-scm",
    "python/tomlkit",
    "python/trove-classifiers",
    "python/wheel",
)
"""Packages of which everything, tests included, is farm's own."""


def rebuild(home: FarmHome, *options: str) -> dict[str, Any]:
    found: dict[str, Any] = home.farm("catalog", "rebuild", "--here", "--json", *options).ok().data
    return found


@pytest.fixture(scope="module")
def catalog(tmp_path_factory: pytest.TempPathFactory) -> Iterator[FarmHome]:
    """A farm with the recipes that ship and nothing built; every night looks at everything."""
    env = {"FARM_CATALOG__REVERIFY_DAYS": "1"}
    home = FarmHome(tmp_path_factory.mktemp("c"), CHECKOUT / "recipes", own_sources(), env=env)
    home.farm("images", "build", "--json").ok()
    with home.running(*SERVICES):
        yield home


@pytest.fixture(scope="module")
def first(catalog: FarmHome) -> dict[str, Any]:
    """The rebuild of everything."""
    return rebuild(catalog)


def states(report: dict[str, Any]) -> dict[str, str]:
    return {end["id"]: end["state"] for end in report["nodes"]}


def published(home: FarmHome) -> dict[str, str]:
    """Return every file that consumers can get, by its place, with its digest."""
    root = home.data / "s3" / "farm-repository"
    kept = [path for folder in ("files", "maven2") for path in (root / folder).rglob("*") if path.is_file()]
    return {str(path.relative_to(root)): sha256(path.read_bytes()).hexdigest() for path in kept}


def test_everything_that_ships_is_built_in_one_run(first: dict[str, Any]) -> None:
    wrong = [end for end in first["nodes"] if end["state"] not in {"built", "unchanged"}]
    assert not wrong, json.dumps(wrong, indent=1)[:4000]
    assert first["ended_with"] == 0
    recipes = list((CHECKOUT / "recipes").glob("*/*/recipe.yaml"))
    assert {end["id"].partition("@")[0].replace(":", ".") for end in first["nodes"]} == {
        path.parent.relative_to(CHECKOUT / "recipes").as_posix() for path in recipes
    }
    assert sum(path.parts[-3] == "python" for path in recipes) >= 30


def test_the_cycle_of_the_bootstrap_set_reached_its_fixed_point(first: dict[str, Any], catalog: FarmHome) -> None:
    (note,) = [note for note in first["notes"] if note.startswith("cycle of ")]
    assert "python/setuptools@68.2.2" in note
    assert "gave the same bytes" in note
    assert "it began with wheel-0.38.4-py3-none-any.whl" in note
    for name in ("python/setuptools@68.2.2", "python/wheel@0.38.4"):
        (share,) = [value for key, value in first["rebuilt"].items() if key.startswith(name)]
        own, _, total = share.partition("/")
        assert own == total != "0"
    page = catalog.page("wheel")
    assert page is not None
    assert page["versions"] == ["0.38.4", "0.45.1"]


def test_every_result_says_how_much_of_its_inputs_is_rebuilt(first: dict[str, Any]) -> None:
    assert first["rebuilt"].keys() == {end["id"] for end in first["nodes"]}
    whole = {name.partition("@")[0] for name, share in first["rebuilt"].items() if len({*share.split("/")}) == 1}
    assert {*WHOLE} <= whole


def test_nothing_is_built_when_nothing_changed(first: dict[str, Any], catalog: FarmHome) -> None:
    before = published(catalog)
    again = rebuild(catalog)
    assert {*states(again).values()} == {"unchanged"}
    assert states(again).keys() == states(first).keys()
    assert published(catalog) == before


@pytest.mark.usefixtures("first")
def test_a_policy_that_wants_nothing_but_rebuilt_inputs_holds_for_the_closures_of_many(catalog: FarmHome) -> None:
    only = [word for name in WHOLE for word in ("--only", name)]
    report = rebuild(catalog, "--inputs", "rebuilt-only", *only)
    assert {*states(report).values()} == {"unchanged"}
    assert len({name.partition("@")[0] for name in states(report)}) >= 10


@pytest.mark.usefixtures("first")
def test_and_names_what_is_not_rebuilt(catalog: FarmHome) -> None:
    done = catalog.farm("catalog", "rebuild", "--here", "--json", "--inputs", "rebuilt-only", "--only", "python/bcrypt")
    (end,) = [end for end in done.data["nodes"] if end["state"] == "failed"]
    assert end["error"] == NotRebuiltError.__name__
    assert ".crate" in end["message"]


@pytest.mark.usefixtures("first")
def test_each_night_builds_again_from_nothing_and_the_bytes_agree(catalog: FarmHome) -> None:
    before = published(catalog)
    report = rebuild(catalog, "--nightly")
    wrong = [end for end in report["nodes"] if end["state"] != "reproduced"]
    assert not wrong, json.dumps(wrong, indent=1)[:4000]
    assert published(catalog) == before
    assert report["alarms"] == []
    assert report["snapshot"].startswith("3, sha256 ")
    verdict = catalog.farm("verify", "--catalog", "--index", catalog.url("index"), "--json").ok()
    assert verdict.data
