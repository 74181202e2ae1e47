"""The order of work, whatever the catalog: each unit once, after its needs, within what the host has."""

from __future__ import annotations

from dataclasses import dataclass, field

import pytest
from hypothesis import given
from hypothesis import strategies as st

from farm.catalog.board import Board, Capacity, Unit, critical_paths

ROOMY = Capacity(cpus=100, memory_mb=100_000)


def units(**needs: str) -> dict[str, Unit]:
    return {name: Unit(name, frozenset(found.split())) for name, found in needs.items()}


def board_of(made: dict[str, Unit], capacity: Capacity = ROOMY, paths: dict[str, float] | None = None) -> Board:
    board = Board(capacity)
    board.add(made.values(), paths)
    return board


def take_all(board: Board) -> list[str]:
    taken = []
    while (unit := board.take()) is not None:
        taken.append(unit.id)
    return taken


@dataclass(frozen=True)
class Case:
    """A catalog that is made up: units in an order in which each comes after its needs."""

    units: list[Unit]
    capacity: Capacity
    fail: frozenset[str]
    picks: list[int] = field(default_factory=list)


@st.composite
def cases(draw: st.DrawFn) -> Case:
    made: list[Unit] = []
    for number in range(draw(st.integers(1, 14))):
        needs = draw(st.frozensets(st.sampled_from([unit.id for unit in made]))) if made else frozenset[str]()
        quarters = st.integers(0, 20).map(lambda n: n / 4)
        made.append(
            Unit(f"u{number}", needs, draw(st.sampled_from([0.0, 1.0, 7.5])), draw(quarters), draw(st.integers(0, 900)))
        )
    names = [unit.id for unit in made]
    capacity = Capacity(draw(st.integers(1, 12).map(lambda n: n / 4)), draw(st.integers(1, 800)))
    shuffled = draw(st.permutations(made))
    return Case(shuffled, capacity, draw(st.frozensets(st.sampled_from(names))), draw(st.lists(st.integers(0, 50))))


def below(case: Case, name: str) -> set[str]:
    found: set[str] = set()
    waiting = [name]
    while waiting:
        at = waiting.pop()
        new = {unit.id for unit in case.units if at in unit.needs} - found
        found |= new
        waiting += new
    return found


@given(cases())
def test_every_unit_ends_once_after_its_needs_and_within_the_capacity(case: Case) -> None:
    by_id = {unit.id: unit for unit in case.units}
    board = Board(case.capacity)
    board.add(case.units)
    running: list[str] = []
    taken: list[str] = []
    well: set[str] = set()
    blocked: set[str] = set()
    picks = iter(case.picks)
    while True:
        while (unit := board.take()) is not None:
            assert unit.id not in taken
            assert unit.needs <= well
            running.append(unit.id)
            taken.append(unit.id)
            if len(running) > 1:
                assert sum(by_id[name].cpus for name in running) <= case.capacity.cpus
                assert sum(by_id[name].memory_mb for name in running) <= case.capacity.memory_mb
        assert board.running == set(running)
        if not running:
            break
        ended = running.pop(next(picks, 0) % len(running))
        if ended in case.fail:
            gone = board.ended(ended, well=False)
            assert set(gone) == below(case, ended) - blocked
            blocked |= set(gone)
        else:
            assert board.ended(ended, well=True) == ()
            well.add(ended)
    assert board.open == ()
    assert set(taken) | blocked == by_id.keys()
    assert set(taken) & blocked == set()
    assert blocked == {name for root in case.fail - blocked for name in below(case, root)}


@given(cases())
def test_a_critical_path_is_the_longest_way_to_the_end(case: Case) -> None:
    by_id = {unit.id: unit for unit in case.units}
    order = sorted(by_id, key=lambda name: int(name[1:]))

    def longest(name: str) -> float:
        behind = [longest(unit.id) for unit in case.units if name in unit.needs]
        return (by_id[name].seconds or 10.0) + max(behind, default=0.0)

    assert critical_paths(by_id, order) == pytest.approx({name: longest(name) for name in by_id})


def test_the_longest_way_is_started_first() -> None:
    made = units(short="", base="", middle="base", top="middle")
    paths = critical_paths(made, ["short", "base", "middle", "top"])
    assert take_all(board_of(made, Capacity(1, 1000), paths)) == ["base"]
    assert take_all(board_of(made, paths=paths)) == ["base", "short"]


def test_a_smaller_one_may_pass_what_does_not_fit_yet() -> None:
    made = {
        "first": Unit("first", frozenset(), 9, cpus=1),
        "wide": Unit("wide", frozenset(), 8, cpus=2),
        "small": Unit("small", frozenset(), 7, cpus=1),
    }
    board = board_of(made, Capacity(2, 1000))
    assert take_all(board) == ["first", "small"]
    board.ended("first", well=True)
    assert take_all(board) == []
    board.ended("small", well=True)
    assert take_all(board) == ["wide"]


def test_one_that_is_larger_than_the_host_runs_alone() -> None:
    made = {"huge": Unit("huge", frozenset(), 9, cpus=64, memory_mb=10**6), "small": Unit("small", frozenset(), 1)}
    board = board_of(made, Capacity(2, 1000))
    assert take_all(board) == ["huge"]
    board.ended("huge", well=True)
    assert take_all(board) == ["small"]


def test_the_next_starts_without_a_layer_to_wait_for() -> None:
    board = board_of(units(a="", slow="", b="a"))
    assert sorted(take_all(board)) == ["a", "slow"]
    board.ended("a", well=True)
    assert take_all(board) == ["b"]


def test_a_mark_counts_like_a_unit() -> None:
    board = board_of(units(a="settled", b="a"))
    assert take_all(board) == []
    board.mark("settled")
    assert take_all(board) == ["a"]
    board = board_of(units(a="settled", b="a"))
    assert board.ended("settled", well=False) == ("a", "b")


def test_units_can_be_added_later_with_needs_that_have_ended() -> None:
    board = board_of(units(a=""))
    take_all(board)
    board.ended("a", well=True)
    board.add(units(b="a").values())
    assert take_all(board) == ["b"]


def test_an_end_that_is_told_twice_starts_nothing_twice() -> None:
    board = board_of(units(a="", b="a"))
    take_all(board)
    board.ended("a", well=True)
    board.ended("a", well=True)
    assert take_all(board) == ["b"]
