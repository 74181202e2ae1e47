"""What needs what, and what goes round."""

from __future__ import annotations

import itertools

from hypothesis import given
from hypothesis import strategies as st

from farm.catalog.graph import Graph, make_graph
from tests.fixtures_nodes import OTHER_TARGET, catalog_of, need, nid, node_of


def graph(**needs: str) -> Graph:
    """Make a graph: name → names of what it needs, in one text; a capital first letter makes a seed."""
    return make_graph(
        catalog_of(
            *(
                node_of(name.lower(), *found.split(), seed="r" if name.istitle() else "")
                for name, found in needs.items()
            )
        )
    )


def test_an_edge_knows_what_for() -> None:
    made = make_graph(catalog_of(node_of("a", need("b", "1.0", "build", "test"), need("c", "1.0", "runtime")),
                                 node_of("b"), node_of("c")))  # fmt: skip
    edges = made.edges[nid("a")]
    assert {name: set(edge.roles) for name, edge in edges.items()} == {
        nid("b"): {"build", "test"},
        nid("c"): {"runtime"},
    }
    assert made.dependants[nid("b")] == (nid("a"),)
    assert made.needed([nid("a")]) == {nid("a"), nid("b"), nid("c")}
    assert made.affected([nid("b")]) == {nid("a"), nid("b")}


def test_what_no_recipe_provides_is_no_edge() -> None:
    made = make_graph(catalog_of(node_of("a", need("b", "2.0"), "elsewhere", need("b", "")), node_of("b")))
    assert made.edges[nid("a")] == {}


def test_the_result_for_the_same_target_is_needed_else_all() -> None:
    both = [node_of("dep"), node_of("dep", target=OTHER_TARGET)]
    made = make_graph(catalog_of(*both, node_of("a", "dep"), node_of("a", "dep", target=OTHER_TARGET)))
    assert set(made.edges[nid("a")]) == {nid("dep")}
    assert set(made.edges[nid("a", target=OTHER_TARGET)]) == {nid("dep", target=OTHER_TARGET)}
    made = make_graph(catalog_of(both[0], node_of("a", "dep", target=OTHER_TARGET)))
    assert set(made.edges[nid("a", target=OTHER_TARGET)]) == {nid("dep")}


def test_without_a_way_round_there_is_no_cycle() -> None:
    assert graph(a="b c", b="c", c="").cycles == ()


def test_a_cycle_with_a_seed_has_an_order_for_its_first_stage() -> None:
    (cycle,) = graph(Wheel="flit", flit="tomli", tomli="flit wheel", other="wheel").cycles
    assert cycle.unseeded == (nid("flit"), nid("tomli"), nid("flit"))
    (cycle,) = graph(wheel="flit", Flit="tomli", tomli="flit wheel", other="wheel").cycles
    assert cycle.members == (nid("flit"), nid("tomli"), nid("wheel"))
    assert (cycle.seeds, cycle.unseeded) == ((nid("flit"),), ())
    assert cycle.order == (nid("wheel"), nid("tomli"), nid("flit"))


def test_the_way_round_is_told_from_dependant_to_dependency() -> None:
    (cycle,) = graph(a="b", b="c", c="a").cycles
    way = cycle.unseeded
    assert way[0] == way[-1]
    assert set(way) == {nid("a"), nid("b"), nid("c")}
    needs = {nid("a"): nid("b"), nid("b"): nid("c"), nid("c"): nid("a")}
    assert all(needs[one] == other for one, other in itertools.pairwise(way))


def test_a_package_that_needs_itself_is_a_cycle() -> None:
    (cycle,) = graph(a="a", b="a").cycles
    assert (cycle.members, cycle.unseeded) == ((nid("a"),), (nid("a"), nid("a")))
    (cycle,) = graph(A="a", b="a").cycles
    assert (cycle.members, cycle.unseeded, cycle.order) == ((nid("a"),), (), (nid("a"),))


def test_each_cycle_is_one_of_its_own() -> None:
    made = graph(a="b", b="a", c="d a", d="c")
    assert [cycle.members for cycle in made.cycles] == [(nid("a"), nid("b")), (nid("c"), nid("d"))]
    assert made.cycle_of[nid("d")].members == (nid("c"), nid("d"))


NAMES = st.sampled_from("abcdef")


@given(st.dictionaries(NAMES, st.sets(NAMES), min_size=1), st.sets(NAMES))
def test_a_first_stage_never_waits_for_what_comes_later(needs: dict[str, set[str]], seeds: set[str]) -> None:
    made = make_graph(catalog_of(*(node_of(n, *sorted(d), seed="r" if n in seeds else "") for n, d in needs.items())))
    for cycle in made.cycles:
        assert set(cycle.seeds) <= set(cycle.members)
        if cycle.unseeded:
            way = cycle.unseeded
            assert way[0] == way[-1]
            assert not set(way) & set(cycle.seeds)
            assert all(other in made.edges[one] for one, other in itertools.pairwise(way))
            continue
        assert sorted(cycle.order) == list(cycle.members)
        for place, member in enumerate(cycle.order):
            within = made.edges[member].keys() & set(cycle.members) - set(cycle.seeds)
            assert within <= set(cycle.order[:place])
