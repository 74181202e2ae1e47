"""What needs what: edges by role, cycles and their seeds, the order of work. Pure."""

from __future__ import annotations

from dataclasses import dataclass
from functools import cached_property
from typing import TYPE_CHECKING

import networkx as nx

from farm.catalog.nodes import closure

if TYPE_CHECKING:
    from collections.abc import Iterable, Mapping

    from farm.catalog.nodes import Catalog, Need, Node

__all__ = ["Cycle", "Edge", "Graph", "make_graph", "providers_for"]


@dataclass(frozen=True, slots=True)
class Edge:
    """A node needs another one."""

    dependant: str
    dependency: str
    roles: frozenset[str]
    """What for: build, backend, runtime, test."""


@dataclass(frozen=True)
class Cycle:
    """Nodes that are built with each other."""

    members: tuple[str, ...]
    seeds: tuple[str, ...]
    """Those that upstream's files may stand for in the beginning."""
    unseeded: tuple[str, ...] = ()
    """A way round that passes no seed, the first node again at its end; empty where every way passes one."""
    order: tuple[str, ...] = ()
    """The members in the order of the first stage; empty where it has none."""


@dataclass(frozen=True)
class Graph:
    """The edges between the nodes of a catalog."""

    catalog: Catalog
    edges: Mapping[str, Mapping[str, Edge]]
    """Dependant → dependency → edge."""

    @cached_property
    def dependants(self) -> dict[str, tuple[str, ...]]:
        """Dependency → the nodes that need it."""
        found: dict[str, list[str]] = {name: [] for name in self.catalog.nodes}
        for dependant, needed in self.edges.items():
            for dependency in needed:
                found[dependency].append(dependant)
        return {name: tuple(sorted(names)) for name, names in found.items()}

    @cached_property
    def cycles(self) -> tuple[Cycle, ...]:
        """Every set of nodes that need each other, and of single nodes that need themselves."""
        whole: nx.DiGraph[str] = nx.DiGraph()
        whole.add_nodes_from(self.catalog.nodes)
        whole.add_edges_from((name, needed) for name, edges in self.edges.items() for needed in edges)
        parts = [part for part in nx.strongly_connected_components(whole) if self._round(part)]
        return tuple(sorted((self._cycle(part) for part in parts), key=lambda cycle: cycle.members))

    def _round(self, part: set[str]) -> bool:
        return len(part) > 1 or any(name in self.edges.get(name, {}) for name in part)

    def _cycle(self, part: set[str]) -> Cycle:
        seeds = {name for name in part if self.catalog.nodes[name].seed}
        first: nx.DiGraph[str] = nx.DiGraph()
        first.add_nodes_from(sorted(part))
        first.add_edges_from(
            (needed, name)
            for name in sorted(part)
            for needed in sorted(self.edges[name])
            if needed in part and needed not in seeds
        )
        members = tuple(sorted(part))
        try:
            order = tuple(nx.lexicographical_topological_sort(first))
        except nx.NetworkXUnfeasible:
            way = [edge[1] for edge in nx.find_cycle(first)]
            way.reverse()  # from dependant to dependency
            return Cycle(members, tuple(sorted(seeds)), unseeded=(*way, way[0]))
        return Cycle(members, tuple(sorted(seeds)), order=order)

    @cached_property
    def cycle_of(self) -> dict[str, Cycle]:
        """Member → its cycle."""
        return {name: cycle for cycle in self.cycles for name in cycle.members}

    def needed(self, starts: Iterable[str]) -> set[str]:
        """Return the nodes `starts` with everything that they need."""
        return closure(self.edges, starts)

    def affected(self, starts: Iterable[str]) -> set[str]:
        """Return the nodes `starts` with everything that needs them."""
        return closure(self.dependants, starts)


def make_graph(catalog: Catalog) -> Graph:
    """Join what locks name to what recipes provide.

    Of a dependency that is built for several targets, the one for the dependant's own is needed, else all of them:
    which of their files fits is known when they are there.
    """
    edges: dict[str, dict[str, Edge]] = {}
    for node in catalog.nodes.values():
        found: dict[str, frozenset[str]] = {}
        for need in node.needs:
            for dependency in providers_for(catalog, node, need):
                found[dependency] = found.get(dependency, frozenset()) | set(need.roles)
        edges[node.id] = {name: Edge(node.id, name, roles) for name, roles in sorted(found.items())}
    return Graph(catalog, edges)


def providers_for(catalog: Catalog, node: Node, need: Need) -> tuple[str, ...]:
    """Return the nodes whose files can stand in for what `need` names, in a build of `node`."""
    found = catalog.providers(node.package.ecosystem, need.name, need.version) if need.version else ()
    same = tuple(name for name in found if catalog.nodes[name].target == node.target)
    return same or found
