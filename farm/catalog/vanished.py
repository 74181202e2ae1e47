"""Recipes that are gone while others are still built with their results. Pure."""

from __future__ import annotations

from typing import TYPE_CHECKING

from farm.catalog.nodes import normal

if TYPE_CHECKING:
    from collections.abc import Iterable, Mapping

    from farm.catalog.graph import Graph
    from farm.catalog.state import NodeState

__all__ = ["vanished", "vanished_needs"]


def vanished(graph: Graph, states: Mapping[str, NodeState]) -> tuple[str, ...]:
    """Return the nodes that have a result and no recipe any more, by id."""
    return tuple(sorted(name for name, known in states.items() if known.build_key and name not in graph.catalog.nodes))


def vanished_needs(
    graph: Graph, states: Mapping[str, NodeState], selected: Iterable[str]
) -> dict[str, tuple[str, ...]]:
    """Return, for nodes whose last result was built with results of recipes that are gone, which these are.

    Without the recipe, upstream's file would take its place in silence. A node that was locked anew since, to something
    else, is none of them.
    """
    gone = set(vanished(graph, states))
    if not gone:
        return {}
    provided = {name: {(n, _version(name)) for n in states[name].names} for name in gone}
    found: dict[str, tuple[str, ...]] = {}
    for name in selected:
        known, node = states.get(name), graph.catalog.nodes[name]
        spoken = node.package.ecosystem
        locked = {normal(spoken, need.name, need.version) for need in node.needs}
        locked |= {(need.name, need.version) for need in node.needs}
        missing = [need for need in (known.needs if known else ()) if need in gone and provided[need] & locked]
        if missing:
            found[name] = tuple(sorted(missing))
    return found


def _version(node: str) -> str:
    return node.rpartition("@")[2].partition(":")[0]
