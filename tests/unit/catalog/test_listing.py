"""`farm catalog`: the rows and their sum, and what references mean."""

from __future__ import annotations

import pytest

from farm.catalog.finding import find
from farm.catalog.listing import plan, totals
from farm.catalog.nodes import NodeProblem
from farm.errors import RecipeNotFoundError
from farm.model.catalog import RebuiltShare
from farm.model.plan import Target
from tests.fixtures_looking import DAY, World, digest, ecosystem, node

OTHER = Target(platform="linux/amd64", interpreter="cp313")


def world() -> World:
    found = World.of(
        node("tool@1"),
        node("lib@1", "tool@1", "stranger@3"),
        node("native@1"),
        node("native@1", target=OTHER),
    )
    found.broken["python/ragged"] = NodeProblem("RecipeError", 10, "recipe.yaml:3:1: no such key")
    found.build("tool@1", build="2")
    found.build("lib@1")
    return found


def test_every_node_has_a_row_and_so_has_a_recipe_that_cannot_be_read() -> None:
    rows = plan(world().gathered, ecosystem)
    assert [(row.title, row.state) for row in rows] == [
        ("python/lib@1", "current"),
        ("python/native@1:cp311-linux-amd64", "not-built"),
        ("python/native@1:cp313-linux-amd64", "not-built"),
        ("python/ragged", "invalid"),
        ("python/tool@1", "current"),
    ]
    lib, tool = rows[0], rows[-1]
    assert (str(lib.rebuilt), lib.verdict, lib.on) == ("1/2", "made", DAY)
    assert (lib.numbered, tool.numbered) == ((), ("tool-1-2-py3-none-any.whl",))
    assert rows[3].why == "recipe.yaml:3:1: no such key"


def test_what_vanished_stays_in_the_list() -> None:
    found = world()
    found.remove("tool@1")
    row = next(row for row in plan(found.gathered, ecosystem) if row.package == "python/tool@1")
    assert (row.state, row.files) == ("vanished", ("tool-1-2-py3-none-any.whl",))


def test_the_last_verdict() -> None:
    found = world()
    name = found.id("tool@1")
    later = "2026-03-11T02:00:00Z"
    found.states[name] = found.states[name].model_copy(update={"verdict": "drifted", "verified_on": later})
    row = next(row for row in plan(found.gathered, ecosystem) if row.id == name)
    assert (row.verdict, row.on) == ("drifted", later)


def test_the_sum() -> None:
    found = totals(plan(world().gathered, ecosystem))
    assert found.states["current"] == 2
    assert found.rebuilt == RebuiltShare(own=1, total=2)
    assert str(found) == "2 current, 2 not built, 1 invalid; 1/2 build inputs are farm's own (50 %)"
    assert str(totals(())) == "no recipes"


@pytest.mark.parametrize(
    ("reference", "nodes", "broken"),
    [
        ("python/Tool", ["python/tool@1:cp311-linux-amd64"], []),
        ("python/tool@1.0", ["python/tool@1:cp311-linux-amd64"], []),
        ("python/tool@1.1", [], []),
        ("python/native@1", ["python/native@1:cp311-linux-amd64", "python/native@1:cp313-linux-amd64"], []),
        ("python/native@1:cp313-linux-amd64", ["python/native@1:cp313-linux-amd64"], []),
        ("python/ragged", [], ["python/ragged"]),
        ("python/ragged@7", [], ["python/ragged"]),
        ("python/Gone", ["python/gone@2:cp311-linux-amd64"], []),
        ("python/gone@2", ["python/gone@2:cp311-linux-amd64"], []),
        ("python/gone@2:cp311-linux-amd64", ["python/gone@2:cp311-linux-amd64"], []),
    ],
)
def test_what_a_reference_means(reference: str, nodes: list[str], broken: list[str]) -> None:
    found = world()
    found.nodes[found.id("gone@2")] = node("gone@2")
    found.build("gone@2")
    found.remove("gone@2")
    if not nodes and not broken:
        with pytest.raises(RecipeNotFoundError):
            find(found.graph, found.states, [reference])
        return
    meant = find(found.graph, found.states, [reference])
    assert sorted(meant.nodes) == nodes
    assert sorted(meant.broken) == broken


@pytest.mark.parametrize(
    ("reference", "words"),
    [
        ("python/tol", "did you mean 'python/tool'?"),
        ("tool", "did you mean 'python/tool'?"),
        ("python/tool@2", "the recipe python/tool has no '2'; it has 1"),
        ("maven/org.example:tool", "there is no recipe"),
        ("", "there is no recipe"),
        ("python/\x1b[2J", "there is no recipe"),
    ],
)
def test_a_reference_that_means_nothing(reference: str, words: str) -> None:
    with pytest.raises(RecipeNotFoundError) as caught:
        find(world().graph, {}, [reference])
    assert words in caught.value.message


def test_a_change_shows_in_the_list() -> None:
    found = world()
    found.change("tool@1", recipe=digest("other"))
    rows = {row.title: row for row in plan(found.gathered, ecosystem)}
    assert (rows["python/tool@1"].state, rows["python/tool@1"].why) == ("changed", "the recipe changed")
    assert rows["python/lib@1"].why == "depends on python/tool@1, which changed"
