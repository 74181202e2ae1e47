"""What is to be drawn of the graph: boxes with their states, lines by role, cycles as groups. Pure."""

from __future__ import annotations

from dataclasses import dataclass
from functools import cached_property
from typing import TYPE_CHECKING, Final

import networkx as nx

from farm.catalog.nodes import closure
from farm.catalog.titles import titles

if TYPE_CHECKING:
    from collections.abc import Iterable, Mapping

    from farm.catalog.graph import Cycle, Graph
    from farm.catalog.outlook import Outlook, State

__all__ = ["ROLES", "Box", "Group", "Line", "Picture", "make_picture"]

ROLES: Final = ("build", "backend", "runtime", "test")
"""What something is needed for; a line of several is drawn as the first of them."""


@dataclass(frozen=True, slots=True)
class Box:
    """A node."""

    id: str
    title: str
    state: State
    why: str = ""
    seed: bool = False
    """Whether upstream's file may begin the cycle that it is in."""


@dataclass(frozen=True, slots=True)
class Line:
    """That a node needs another one."""

    dependant: str
    dependency: str
    roles: tuple[str, ...]
    """In the order of `ROLES`."""


@dataclass(frozen=True, slots=True)
class Group:
    """Nodes that are built with each other."""

    members: tuple[str, ...]
    """In the order of the first stage; where there is none, most of them after what they need."""
    seeds: tuple[str, ...]
    unseeded: bool
    """No seed is on some way round: it cannot be built."""

    @property
    def title(self) -> str:
        """Return what stands at its frame."""
        return "cycle without a seed" if self.unseeded else "cycle"


@dataclass(frozen=True)
class Picture:
    """What is to be drawn."""

    boxes: Mapping[str, Box]
    """By id, sorted."""
    lines: tuple[Line, ...]
    """By dependant, then dependency."""
    groups: tuple[Group, ...]
    starts: tuple[str, ...]
    """What was asked about, sorted; empty = everything."""
    dependants: bool = False
    """Whether it shows what needs `starts`, not what they need."""

    @cached_property
    def group_of(self) -> dict[str, Group]:
        """Member → its group."""
        return {name: group for group in self.groups for name in group.members}

    @cached_property
    def following(self) -> dict[str, tuple[tuple[str, Line], ...]]:
        """Node → the nodes after it in the direction that is looked in, with the lines to them."""
        found: dict[str, list[tuple[str, Line]]] = {name: [] for name in self.boxes}
        for line in self.lines:
            here, there = (line.dependency, line.dependant) if self.dependants else (line.dependant, line.dependency)
            found[here].append((there, line))
        return {name: tuple(sorted(ends, key=lambda end: end[0])) for name, ends in found.items()}

    @property
    def roles(self) -> tuple[str, ...]:
        """Return the roles of its lines."""
        return tuple(role for role in ROLES if any(role in line.roles for line in self.lines))


def make_picture(
    graph: Graph,
    outlooks: Mapping[str, Outlook],
    starts: Iterable[str] | None = None,
    *,
    dependants: bool = False,
    roles: Iterable[str] = (),
) -> Picture:
    """Return what is to be drawn.

    Args:
        graph: of the catalog.
        outlooks: of all of its nodes.
        starts: nodes of the catalog; None = all of them.
        dependants: draw what needs `starts`, not what they need.
        roles: only what is needed for these counts; none = all of `ROLES`.
    """
    wanted, begin = frozenset(roles or ROLES), tuple(sorted(set(starts or ())))
    lines = {
        (edge.dependant, edge.dependency): Line(edge.dependant, edge.dependency, shown)
        for edges in graph.edges.values()
        for edge in edges.values()
        if (shown := tuple(role for role in ROLES if role in edge.roles & wanted))
    }
    ways: dict[str, list[str]] = {}
    for dependant, dependency in lines:
        here, there = (dependency, dependant) if dependants else (dependant, dependency)
        ways.setdefault(here, []).append(there)
    reached = closure(ways, graph.catalog.nodes if starts is None else begin)
    named, seeds = titles(outlooks), {seed for cycle in graph.cycles for seed in cycle.seeds}
    boxes = {
        name: Box(name, named[name], outlooks[name].state, outlooks[name].why, name in seeds)
        for name in sorted(reached)
    }
    groups = []
    for cycle in graph.cycles:
        members = tuple(name for name in cycle.order or _some_order(cycle, graph) if name in reached)
        if len(members) > 1 or (members and len(cycle.members) == 1):
            inside = tuple(seed for seed in cycle.seeds if seed in reached)
            groups.append(Group(members, inside, unseeded=bool(cycle.unseeded)))
    drawn = tuple(line for pair, line in sorted(lines.items()) if reached.issuperset(pair))
    return Picture(boxes, drawn, tuple(groups), begin, dependants)


def _some_order(cycle: Cycle, graph: Graph) -> tuple[str, ...]:
    """Return the members such that few lines lead forward."""
    inside: nx.DiGraph[str] = nx.DiGraph()
    inside.add_nodes_from(cycle.members)
    inside.add_edges_from((a, b) for a in cycle.members for b in sorted(graph.edges[a]) if b in cycle.members)
    return tuple(nx.dfs_postorder_nodes(inside))
