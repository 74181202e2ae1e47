"""Packages that are built with each other."""

from __future__ import annotations

from typing import TYPE_CHECKING

from farm.catalog.state import load_state
from farm.errors import (
    BuildFailedError,
    CycleError,
    NotSettledError,
)
from tests.fixtures_nodes import FakeExecutor, Package, World, ends, name_of, nid, states

if TYPE_CHECKING:
    from collections.abc import Callable


def test_a_cycle_is_brought_to_its_fixed_point_and_published_once(ring: World) -> None:
    report = ring.night()
    assert set(states(report).values()) == {"built"}
    assert sorted(ring.released) == [nid("one"), nid("three"), nid("two")]
    assert ring.built[0] == nid("base")
    assert ring.built[1:4] == [f"{nid(name)} (stage 1)" for name in ("one", "two", "three")]
    assert ring.built[-1] == nid("after")
    state = load_state(ring.vault)
    for name in ("one", "two", "three"):
        assert state.nodes[nid(name)].share.own == state.nodes[nid(name)].share.total
    assert state.nodes[nid("one")].stage >= 2
    assert state.nodes[nid("one")].seeds == ("three-1.0-py3-none-any.whl",)
    assert any("gave the same bytes" in note and "three-1.0" in note for note in report.notes)


def test_a_settled_cycle_is_not_opened_again(ring: World) -> None:
    ring.night()
    executor = FakeExecutor()
    report = ring.night(executor)
    assert executor.started == []
    assert states(report) == dict.fromkeys(ring.packages, "unchanged")


def test_what_carries_its_builder_along_one_step_settles_a_stage_later(ring: World) -> None:
    ring.packages["two"].carries = True
    assert set(states(ring.night()).values()) == {"built"}
    assert load_state(ring.vault).nodes[nid("two")].files == ring.published[nid("two")]
    assert ring.night().counts["unchanged"] == 5


def test_a_change_inside_a_cycle_goes_round_and_beyond(ring: World) -> None:
    ring.night()
    ring.packages["two"].code = "2"
    report = ring.night()
    assert states(report)["base"] == "unchanged"
    assert states(report)["after"] == "built"
    assert ring.night().counts["unchanged"] == 5


def test_a_cycle_that_does_not_settle_publishes_nothing(ring: World) -> None:
    for name in ("one", "two", "three"):
        ring.packages[name].carries = True
    report = ring.night()
    failed = [end for end in report.nodes if end.state == "failed"]
    assert {end.exit_code for end in failed} == {NotSettledError.exit_code}
    assert {name_of(end.id) for end in failed} <= {"one", "two", "three"}
    assert {state for name, state in states(report).items() if name != "base"} == {"failed", "blocked"}
    assert ring.released == []
    assert set(ring.published) == {nid("base")}
    ring.night()
    assert ring.built == []  # what the stages gave is known


def test_a_failure_in_a_stage_ends_the_whole_cycle(ring: World) -> None:
    ring.packages["two"].fails = BuildFailedError("no compiler")
    report = ring.night()
    assert states(report) == {"base": "built", "one": "blocked", "two": "failed", "three": "blocked",
                              "after": "blocked"}  # fmt: skip
    assert nid("two") in ends(report)["one"].message
    assert ring.released == []
    ring.night()
    assert ring.built == []  # the failure is remembered for its key


def test_a_failure_before_a_cycle_blocks_all_of_it(ring: World) -> None:
    ring.packages["base"].fails = BuildFailedError("no compiler")
    report = ring.night()
    assert states(report) == {"base": "failed", "one": "blocked", "two": "blocked", "three": "blocked",
                              "after": "blocked"}  # fmt: skip


def test_a_member_without_a_lock_ends_its_cycle_before_anything_is_built_of_it(ring: World) -> None:
    ring.packages["two"].locked = False
    report = ring.night()
    assert states(report) == {"base": "built", "one": "blocked", "two": "failed", "three": "blocked",
                              "after": "blocked"}  # fmt: skip
    assert ring.built == [nid("base")]


def test_a_cycle_without_a_seed_is_named_with_its_way(make: Callable[..., World]) -> None:
    world = make(base="", one="three base", two="one", three="two", after="two", beside="base")
    report = world.night()
    assert states(report) == {"base": "built", "one": "failed", "two": "failed", "three": "failed", "after": "blocked",
                              "beside": "built"}  # fmt: skip
    assert ends(report)["one"].exit_code == CycleError.exit_code
    way = " → ".join(nid(name) for name in ("one", "three", "two"))
    doubled = f"{way} → {way}"
    assert ends(report)["one"].message.partition(": ")[2].rpartition(" → ")[0] in doubled


def test_a_package_that_needs_itself_begins_with_upstreams(make: Callable[..., World]) -> None:
    world = make(flit="flit", click="flit")
    world.packages["flit"].seed = "itself"
    assert states(world.night()) == {"flit": "built", "click": "built"}
    assert load_state(world.vault).nodes[nid("flit")].share.own == 1
    assert states(world.night()) == {"flit": "unchanged", "click": "unchanged"}


def test_the_run_that_stops_at_the_first_failure_stops_a_cycle_too(ring: World) -> None:
    ring.packages["alone"] = Package("alone", fails=BuildFailedError("no compiler"))
    ring.packages["alone"].locked = False
    report = ring.night(keep_going=False)
    assert ring.built == []
    assert states(report)["alone"] == "failed"
    assert {state for name, state in states(report).items() if name != "alone"} == {"blocked"}


def test_force_builds_a_cycle_again_and_the_bytes_agree(ring: World) -> None:
    ring.night()
    report = ring.night(force=True)
    assert report.ended_with == 0
    assert f"{nid('one')} (stage 1)" in ring.built
    assert ring.night().counts["unchanged"] == 5
