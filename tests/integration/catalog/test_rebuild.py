"""A catalog from nothing to a repository, and from change to change. The tests go on from each other, in this order."""

from __future__ import annotations

import json
import random
import shutil
import subprocess
import time
from contextlib import suppress
from typing import TYPE_CHECKING

import pytest

from farm.catalog.state import load_state, save_state
from farm.errors import (
    DuplicateRecipeError,
    InputDigestError,
    NotRebuiltError,
    RebuildBusyError,
    RecipeVanishedError,
    StoreUnavailableError,
)
from farm.pipeline.outcomes import record_outcome
from tests.integration.chain.homes import flip

from .farms import LINE, ends, offer, states

if TYPE_CHECKING:
    from collections.abc import Callable

    from tests.fixtures_python import IndexDouble

    from .farms import CatalogFarm

pytestmark = [pytest.mark.docker, pytest.mark.services]

ALL_UNCHANGED = dict.fromkeys(LINE, "unchanged")
KILLS = 20
LEASE = "leases/rebuild.json"


def wheel(name: str, number: str = "") -> str:
    return f"{name}-1.0{number}-py3-none-any.whl"


def pages(farm: CatalogFarm) -> dict[str, dict[str, str]]:
    return {name: farm.page(name) for name in LINE}


@pytest.fixture(scope="module")
def undisturbed(line: CatalogFarm) -> dict[int, dict[str, dict[str, str]]]:
    """What was published by rebuilds that nobody killed: after the first one, and after the change of the backend."""
    found: dict[int, dict[str, dict[str, str]]] = {}
    done = line.rebuild().ok()
    assert states(done) == dict.fromkeys(LINE, "built")
    found[0] = pages(line)
    return found


def test_from_an_empty_vault_everything_is_built_with_what_was_built_before(
    line: CatalogFarm, undisturbed: dict[int, dict[str, dict[str, str]]]
) -> None:
    assert {name: set(page) for name, page in undisturbed[0].items()} == {name: {wheel(name)} for name in LINE}
    for name, needs in LINE.items():
        outcome = line.result(name)
        assert outcome.fields.rebuilt == {wheel(need): line.published(need)[wheel(need)] for need in needs.split()}
        assert {file.origin for file in outcome.inputs} <= {"farm"}
        assert (outcome.stage, outcome.seeds) == (0, ())


@pytest.mark.usefixtures("undisturbed")
def test_again_nothing_is_built(line: CatalogFarm) -> None:
    runs = line.runs()
    done = line.rebuild("--inputs", "rebuilt-only").ok()
    assert states(done) == ALL_UNCHANGED
    assert line.runs() == runs
    assert done.data["rebuilt"][f"python/top@1.0:{line.target}"] == "2/2"


def test_other_code_of_the_backend_rebuilds_what_is_built_with_it(
    line: CatalogFarm, undisturbed: dict[int, dict[str, dict[str, str]]]
) -> None:
    line.patch("tinyback", "A stamp in every wheel.", "2")
    done = line.rebuild().ok()
    assert states(done) == {**dict.fromkeys(LINE, "built"), "lone": "unchanged"}
    for name, needs in LINE.items():
        number = "" if name == "lone" else "-1"
        assert set(line.page(name)) == {wheel(name), wheel(name, number)}
        rebuilt = line.result(name).fields.rebuilt
        assert rebuilt == {wheel(need): line.published(need)[wheel(need, "-1")] for need in needs.split()}
    assert states(line.rebuild().ok()) == ALL_UNCHANGED
    undisturbed[1] = pages(line)


def test_a_comment_in_a_patch_rebuilds_one_package_and_is_cut_off_there(line: CatalogFarm) -> None:
    before, runs = pages(line), line.runs()
    line.patch("tinyback", "A stamp in every wheel; why, is told elsewhere.", "2")
    done = line.rebuild().ok()
    assert states(done) == {**ALL_UNCHANGED, "tinyback": "built"}
    assert len(line.runs()) == len(runs) + 1
    assert pages(line) == before


def test_other_code_of_one_package_rebuilds_its_dependants_as_far_as_they_change(line: CatalogFarm) -> None:
    line.patch("low", "Fixed.", "fixed")
    done = line.rebuild().ok()
    assert states(done) == {**ALL_UNCHANGED, "low": "built", "mid": "built"}
    assert wheel("low", "-2") in line.page("low")
    assert set(line.page("mid")) == {wheel("mid"), wheel("mid", "-1")}


def test_killed_at_random_moments_the_next_run_carries_on(
    new_farm: Callable[..., CatalogFarm], undisturbed: dict[int, dict[str, dict[str, str]]]
) -> None:
    farm = new_farm("killed")
    chance = random.Random(5)  # noqa: S311 - moments, no secrets
    runs: dict[str, str] = {}
    change = 0
    with farm.home.running("s3", "signer"):
        for name, needs in LINE.items():
            farm.add(name, needs)
        for _ in range(KILLS):
            # It is killed at the end of the block, if it is not over.
            with farm.rebuilding() as process, suppress(subprocess.TimeoutExpired):
                process.communicate(timeout=chance.uniform(0.5, 6))
            now = farm.runs()
            assert runs.items() <= now.items()  # what was finished was not built again
            runs = now
            for name in LINE:
                assert farm.page(name).items() <= farm.published(name).items()
            if process.returncode == 0 and not change:
                assert pages(farm) == undisturbed[0]
                farm.patch("tinyback", "A stamp in every wheel.", "2")
                change = 1
        farm.rebuild().ok()
        assert runs.items() <= farm.runs().items()
        assert pages(farm) == undisturbed[change]
        for name in LINE:
            assert farm.page(name) == farm.published(name)
        assert states(farm.rebuild().ok()) == ALL_UNCHANGED
        farm.home.nothing_is_left()


def test_of_two_rebuilds_the_second_is_refused(line: CatalogFarm) -> None:
    with line.rebuilding("--force", "--only", "python/lone") as process:
        while line.home.runtime.repository.get_bytes(LEASE) is None:
            assert process.poll() is None
            time.sleep(0.05)
        line.rebuild().failed(RebuildBusyError)
        assert process.poll() is None
    # It was killed: the lease of the dead is no obstacle.
    assert line.home.runtime.repository.get_bytes(LEASE) is not None
    assert set(states(line.rebuild().ok()).values()) <= {"unchanged", "built"}
    assert line.home.runtime.repository.get_bytes(LEASE) is None


def test_a_store_that_is_away_leaves_nothing_begun(line: CatalogFarm) -> None:
    folders = [line.home.data / name for name in ("reports", "signer", "work")]
    before = [sorted(folder.rglob("*")) for folder in folders]
    line.home.down("s3")
    try:
        line.rebuild("--force").failed(StoreUnavailableError)
    finally:
        line.home.up("s3")
    assert [sorted(folder.rglob("*")) for folder in folders] == before
    assert line.home.runtime.repository.get_bytes(LEASE) is None
    assert states(line.rebuild().ok()) == ALL_UNCHANGED


def test_a_published_file_that_is_damaged_is_mended(line: CatalogFarm) -> None:
    flip(line.home.published(wheel("lone")))
    line.home.disk_changed()
    done = line.rebuild().ok()
    assert states(done) == {**ALL_UNCHANGED, "lone": "built"}
    assert any("lone" in note and "not published as it was" in note for note in done.data["notes"])
    line.home.disk_changed()
    assert wheel("lone") in line.published("lone")
    assert states(line.rebuild().ok()) == ALL_UNCHANGED


def test_other_bytes_in_the_vaults_record_do_not_get_into_a_build(line: CatalogFarm) -> None:
    """Somebody writes into the vault's bucket that a result is something else."""
    vault = line.home.runtime.vault
    honest = load_state(vault)
    name = f"python/tinyback@1.0:{line.target}"
    known = honest.nodes[name]
    evil = vault.put_bytes(b"a wheel of the attacker's")
    files = (known.files[0].model_copy(update={"blob": evil}),)
    save_state(
        vault, honest.model_copy(update={"nodes": {**honest.nodes, name: known.model_copy(update={"files": files})}})
    )
    try:
        found = ends(line.rebuild("--only", "python/side"))
        assert found["side"]["error"] == InputDigestError.__name__
        assert "tinyback" in found["side"]["message"]
    finally:
        save_state(vault, honest)
    # The same for a build by itself, which asks what was published last.
    outcome = line.result("tinyback")
    record_outcome(vault, outcome.model_copy(update={"files": files}))
    try:
        error = line.home.build("python/side", "--force").failed(InputDigestError)
        assert "tinyback" in error["message"]
    finally:
        record_outcome(vault, outcome)
    assert states(line.rebuild().ok()) == ALL_UNCHANGED


def test_a_version_that_no_recipe_provides(line: CatalogFarm, upstream: IndexDouble) -> None:
    offer(upstream, "elsewhere")
    line.add("odd", "tinyback elsewhere")
    found = ends(line.rebuild("--inputs", "rebuilt-only"))["odd"]
    assert (found["state"], found["exit_code"]) == ("failed", NotRebuiltError.exit_code)
    assert "elsewhere-1.0-py3-none-any.whl (no recipe provides it)" in found["message"]
    done = line.rebuild().ok()
    assert states(done) == {**ALL_UNCHANGED, "odd": "built"}
    assert done.data["rebuilt"][f"python/odd@1.0:{line.target}"] == "1/2"
    # A known result of upstream's inputs is none under the strict policy.
    assert ends(line.rebuild("--inputs", "rebuilt-only"))["odd"]["error"] == NotRebuiltError.__name__
    shutil.rmtree(line.recipe_path("odd").parent)


def test_two_recipes_for_one_name(line: CatalogFarm) -> None:
    twin = line.recipe_path("Lone")
    shutil.copytree(line.recipe_path("lone").parent, twin.parent)
    found = ends(line.rebuild())
    assert {name for name, end in found.items() if end["error"] == DuplicateRecipeError.__name__} == {"lone", "Lone"}
    assert found["top"]["state"] == "unchanged"
    shutil.rmtree(twin.parent)
    assert states(line.rebuild().ok()) == ALL_UNCHANGED


def test_a_recipe_that_vanished_while_others_need_it(line: CatalogFarm) -> None:
    path = line.recipe_path("low").parent
    aside = path.rename(path.parent.parent / "low-aside")
    found = ends(line.rebuild())
    assert found["mid"]["exit_code"] == RecipeVanishedError.exit_code
    assert "python/low@1.0" in found["mid"]["message"]
    assert found["top"]["state"] == "blocked"
    assert found["side"]["state"] == "unchanged"
    aside.rename(path)
    assert states(line.rebuild().ok()) == ALL_UNCHANGED


def test_the_report_lies_in_the_data_folder(line: CatalogFarm) -> None:
    done = line.rebuild().ok()
    machine = json.loads((line.home.folder / done.data["path"]).with_suffix(".json").read_text())
    assert machine["nodes"] == done.data["nodes"]
