"""A rebuild without a sandbox: what is built, in which order, and what is not."""

from __future__ import annotations

from typing import TYPE_CHECKING, Any

import pytest

from farm.catalog.state import load_state, save_state
from farm.errors import (
    BuildFailedError,
    CatalogFailedError,
    LockMissingError,
    NotRebuiltError,
    RecipeNotFoundError,
    RecipeVanishedError,
    StoreUnavailableError,
)
from tests.fixtures_nodes import FakeExecutor, Package, World, ends, name_of, nid, states

if TYPE_CHECKING:
    from collections.abc import Callable

BOOT = {"flit": "flit", "wheel": "flit", "tools": "wheel tools", "click": "flit", "flask": "click tools"}
"""What the packages of a small catalog need."""


def test_everything_is_built_once_in_the_order_of_needs(line: World) -> None:
    report = line.night()
    assert report.ended_with == 0
    assert set(states(report).values()) == {"built"}
    order = [name_of(unit) for unit in line.built]
    assert sorted(order) == sorted(line.packages)
    assert [name for name in order if name != "beside"] == ["base", "middle", "top", "end"]
    assert report.rebuilt[nid("top")] == "1/1"


def test_nothing_is_built_again_and_nothing_is_started(line: World) -> None:
    line.night()
    executor = FakeExecutor()
    report = line.night(executor)
    assert set(states(report).values()) == {"unchanged"}
    assert (line.built, executor.started, report.ended_with) == ([], [], 0)


def test_a_dependency_with_the_bytes_that_it_had_cuts_off_there(line: World) -> None:
    line.night()
    line.packages["base"].recipe = "another comment in the patch"
    report = line.night()
    assert line.built == [nid("base")]
    assert states(report) == {"base": "built", "middle": "unchanged", "top": "unchanged", "end": "unchanged",
                              "beside": "unchanged"}  # fmt: skip
    assert "nothing follows" in ends(report)["base"].message
    assert line.night().counts["unchanged"] == 5


def test_other_bytes_rebuild_the_dependants_as_far_as_they_change(line: World) -> None:
    line.night()
    line.packages["base"].code = "2"
    line.packages["middle"].carries = True
    report = line.night()
    assert line.built == [nid("base"), nid("middle"), nid("top")]
    assert states(report)["end"] == "unchanged"
    assert line.night().counts["unchanged"] == 5


def test_what_is_planned_is_what_a_build_finds(line: World) -> None:
    """Planning works out the key from what is known; the build from what it links. They have to agree."""
    line.night()
    state = load_state(line.vault)
    assert {unit: fields for unit, fields, _ in line.linked} == {n: known.fields for n, known in state.nodes.items()}
    line.packages["base"].code = "2"
    line.night()
    assert {unit for unit, _, _ in line.linked} == {nid("base"), nid("middle")}


def test_a_lost_state_costs_no_build(line: World) -> None:
    line.night()
    line.vault.records.clear()
    assert states(line.night())["end"] == "unchanged"
    assert line.built == []
    executor = FakeExecutor()
    line.night(executor)
    assert executor.started == []


def test_only_what_is_asked_for_and_what_it_needs(line: World) -> None:
    report = line.night(only=("python/middle",))
    assert states(report) == {"base": "built", "middle": "built"}
    with pytest.raises(RecipeNotFoundError, match="python/nobody"):
        line.night(only=("python/nobody",))


def test_force_builds_what_is_known(line: World) -> None:
    line.night()
    report = line.night(force=True)
    assert states(report) == dict.fromkeys(line.packages, "built")
    assert len(line.built) == 5


def test_a_failure_blocks_its_dependants_only(line: World) -> None:
    line.packages["middle"].fails = BuildFailedError("no compiler")
    report = line.night()
    assert states(report) == {"base": "built", "middle": "failed", "top": "blocked", "end": "blocked",
                              "beside": "built"}  # fmt: skip
    assert nid("middle") in ends(report)["top"].message
    assert report.ended_with == CatalogFailedError.exit_code
    assert (ends(report)["middle"].error, ends(report)["middle"].exit_code) == ("BuildFailedError", 41)


def test_a_failure_is_not_repeated_until_its_key_changes(line: World) -> None:
    line.packages["middle"].fails = BuildFailedError("no compiler")
    line.night()
    report = line.night()
    assert line.built == []
    assert states(report)["middle"] == "failed"
    assert "with the same inputs: no compiler" in ends(report)["middle"].message
    assert ends(report)["middle"].exit_code == BuildFailedError.exit_code
    assert "no compiler" in ends(line.night())["middle"].message  # the reason is not buried below later nights
    line.packages["middle"].recipe = "mended"
    line.packages["middle"].fails = None
    assert states(line.night()) == {"base": "unchanged", "middle": "built", "top": "built", "end": "built",
                                    "beside": "unchanged"}  # fmt: skip


@pytest.mark.parametrize("options", [{"retry_failed": True}, {"force": True}])
def test_a_remembered_failure_is_repeated_when_that_is_asked_for(line: World, options: dict[str, bool]) -> None:
    line.packages["middle"].fails = BuildFailedError("no compiler")
    line.night()
    line.night(**options)
    assert nid("middle") in line.built


def test_a_failure_after_a_good_result_leaves_that(line: World) -> None:
    line.night()
    line.packages["middle"].code = "2"
    line.packages["middle"].fails = BuildFailedError("no compiler")
    assert states(line.night())["middle"] == "failed"
    line.packages["middle"].code = "1"
    assert set(states(line.night()).values()) == {"unchanged"}


def test_a_failure_of_the_infrastructure_is_tried_again_the_next_night(line: World) -> None:
    line.packages["base"].fails = StoreUnavailableError("away")
    assert states(line.night())["base"] == "failed"
    line.packages["base"].fails = None
    assert set(states(line.night()).values()) <= {"built", "unchanged"}


def test_a_defect_ends_one_node(line: World) -> None:
    line.packages["middle"].fails = ZeroDivisionError("made up")  # type: ignore[assignment]

    class Careful(FakeExecutor):
        def wait(self) -> Any:
            try:
                return super().wait()
            except ZeroDivisionError as error:
                from farm.catalog.threads import ended_by  # noqa: PLC0415 - as an executor does

                return (ended_by(error, nid("middle"), 0.0),)

    report = line.night(Careful())
    assert states(report)["middle"] == "failed"
    assert states(report)["end"] == "blocked"
    line.packages["middle"].fails = None
    assert states(line.night())["end"] == "built"


def test_a_run_that_stops_at_the_first_failure_starts_nothing_more(line: World) -> None:
    line.packages["base"].fails = BuildFailedError("no compiler")
    line.packages["beside"].fails = BuildFailedError("no compiler")
    report = line.night(keep_going=False)
    assert sorted(states(report)) == sorted(line.packages)
    assert len(line.built) <= 2  # both may have been started before the first ended
    line.packages["more"] = Package("more", ("beside",))
    line.packages["beside"].fails = None
    line.night()
    line.packages["more"].code = "2"
    line.packages["beside"].locked = False
    report = line.night(keep_going=False)
    assert line.built == []
    assert states(report)["beside"] == "failed"
    assert states(report)["more"] == "blocked"


def test_a_node_without_a_lock_fails_alone(line: World) -> None:
    line.packages["top"].locked = False
    report = line.night()
    assert states(report) == {"base": "built", "middle": "built", "top": "failed", "end": "blocked", "beside": "built"}
    assert ends(report)["top"].exit_code == LockMissingError.exit_code


def test_an_unchanged_node_that_read_upstreams_files_is_not_rebuilt_only(make: Callable[..., World]) -> None:
    world = make(base="", middle="base elsewhere", end="middle")
    assert set(states(world.night()).values()) == {"built"}
    report = world.night(inputs="rebuilt-only")
    assert states(report) == {"base": "unchanged", "middle": "failed", "end": "blocked"}
    assert ends(report)["middle"].exit_code == NotRebuiltError.exit_code
    assert states(world.night()) == dict.fromkeys(world.packages, "unchanged")


def test_a_cycle_that_read_upstreams_files_is_not_rebuilt_only(make: Callable[..., World]) -> None:
    world = make(flit="flit elsewhere", click="flit")
    world.packages["flit"].seed = "itself"
    assert set(states(world.night()).values()) == {"built"}
    report = world.night(inputs="rebuilt-only")
    assert states(report) == {"flit": "failed", "click": "blocked"}
    assert ends(report)["flit"].exit_code == NotRebuiltError.exit_code


def test_rebuilt_only_holds_where_everything_is_rebuilt(make: Callable[..., World]) -> None:
    world = make(**BOOT)
    world.packages["flit"].seed = world.packages["tools"].seed = "itself"
    assert set(states(world.night(inputs="rebuilt-only")).values()) == {"built"}
    assert set(states(world.night(inputs="rebuilt-only")).values()) == {"unchanged"}


def test_a_recipe_that_vanished_while_others_need_it(line: World) -> None:
    line.night()
    del line.packages["base"]
    report = line.night()
    assert states(report) == {"middle": "failed", "top": "blocked", "end": "blocked", "beside": "unchanged"}
    assert ends(report)["middle"].exit_code == RecipeVanishedError.exit_code
    assert nid("base") in ends(report)["middle"].message
    assert line.built == []


def test_one_that_was_locked_to_something_else_does_not_need_it_any_more(line: World) -> None:
    line.night()
    del line.packages["base"]
    line.packages["middle"].needs = ("elsewhere",)
    line.packages["middle"].recipe = "another requirement"
    assert states(line.night())["middle"] == "built"


def test_a_vanished_recipe_ends_the_cycle_that_was_built_with_it(ring: World) -> None:
    ring.night()
    del ring.packages["base"]
    ring.packages["two"].code = "2"
    report = ring.night()
    assert ends(report)["one"].exit_code == RecipeVanishedError.exit_code
    assert states(report) == {"one": "failed", "two": "blocked", "three": "blocked", "after": "blocked"}
    assert ring.built == []


def test_what_was_forgotten_on_purpose_is_missed_no_more(line: World, monkeypatch: pytest.MonkeyPatch) -> None:
    from farm.catalog import rebuild  # noqa: PLC0415 - after the doubles

    line.night()
    monkeypatch.setattr(rebuild, "load_catalog", lambda _: line.catalog)
    with pytest.raises(RecipeNotFoundError):
        rebuild.forget(line.rt, "python/nobody")
    with pytest.raises(Exception, match="has a recipe"):
        rebuild.forget(line.rt, "python/base")
    del line.packages["base"]
    assert rebuild.forget(line.rt, "python/base") == (nid("base"),)
    report = line.night()
    assert states(report)["middle"] == "built"  # with upstream's file, as the lock says
    assert report.rebuilt[nid("middle")] == "0/1"


def test_a_node_ends_once_whatever_is_wrong_with_it_and_with_what_it_needs(line: World) -> None:
    line.packages["base"].locked = line.packages["end"].locked = False
    executor = FakeExecutor()
    report = line.night(executor)
    assert states(report) == {"base": "failed", "middle": "blocked", "top": "blocked", "end": "failed",
                              "beside": "built"}  # fmt: skip
    assert sorted(executor.started) == sorted(map(nid, line.packages))


def test_a_record_of_a_result_without_files_is_no_result(line: World) -> None:
    """Whoever writes to the vault could have upstream's files read in the place of farm's own."""
    line.night()
    state = load_state(line.vault)
    emptied = state.nodes[nid("base")].model_copy(update={"files": ()})
    save_state(line.vault, state.model_copy(update={"nodes": {**state.nodes, nid("base"): emptied}}))
    report = line.night()
    assert set(states(report).values()) == {"unchanged"}
    assert load_state(line.vault).nodes[nid("base")].files == state.nodes[nid("base")].files
