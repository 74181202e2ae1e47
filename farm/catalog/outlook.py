"""What a rebuild would do with each node, worked out from what is remembered, without asking anybody. Pure.

The key of a node is known only when everything that it is built with is: where a dependency is to be built, its
dependants wait for what comes out, and may be cut off there. They count as changed until then.
"""

from __future__ import annotations

from dataclasses import dataclass, field, replace
from typing import TYPE_CHECKING, Final, Literal

import networkx as nx

from farm.catalog.decide import Results, key_of, missing_inputs
from farm.catalog.differing import Difference, differences
from farm.catalog.finding import folder_of
from farm.catalog.state import NodeState, SourceFacts
from farm.catalog.titles import titles
from farm.catalog.vanished import vanished, vanished_needs

if TYPE_CHECKING:
    from collections.abc import Callable, Iterable

    from farm.catalog.engine import Gathered
    from farm.catalog.graph import Cycle, Graph
    from farm.catalog.nodes import Node
    from farm.ecosystems.base import Ecosystem
    from farm.model.key import KeyFields

__all__ = ["STATES", "Outlook", "State", "look_ahead"]

State = Literal["current", "changed", "not-built", "failed", "blocked", "invalid", "vanished"]
STATES: Final[tuple[State, ...]] = ("current", "changed", "not-built", "failed", "blocked", "invalid", "vanished")

_STUCK: Final = frozenset({"failed", "blocked", "invalid", "vanished"})
"""What needs one of these is blocked by it."""
_TO_BUILD: Final = frozenset({"changed", "not-built"})
_UNKNOWN: Final = "0" * 64


@dataclass(frozen=True, slots=True)
class Outlook:
    """What a rebuild would do with a node."""

    state: State
    why: str = ""
    """In a few words; empty where there is nothing to say."""
    differences: tuple[Difference, ...] = ()
    """Between the result that counts and what would be built now, as far as that is known."""
    waits: tuple[str, ...] = ()
    """Nodes that would be built before it, and that it is built with."""
    blocked_by: tuple[str, ...] = ()
    """The way to the node that it is blocked by: this node first, that one last."""
    absent_image: bool = False
    """Its builder image is not on this host."""


def look_ahead(gathered: Gathered, ecosystem: Callable[[str], Ecosystem]) -> dict[str, Outlook]:
    """Return the outlook of each selected node, and of those that vanished, by id.

    Args:
        gathered: what a run would start from.
        ecosystem: gives the ecosystem by its name.
    """
    return _Looking(gathered, ecosystem).all()


@dataclass
class _Looking:
    gathered: Gathered
    ecosystem: Callable[[str], Ecosystem]
    found: dict[str, Outlook] = field(default_factory=dict)

    def __post_init__(self) -> None:
        states, graph = self.gathered.state.nodes, self.graph
        known = {name: state.files for name, state in states.items() if state.build_key}
        self.results = Results({name: files for name, files in known.items() if name in graph.catalog.nodes})
        self.gone = vanished_needs(graph, states, self.gathered.selected)
        self.titles = titles({*graph.catalog.nodes, *states})

    @property
    def graph(self) -> Graph:
        return self.gathered.graph

    def all(self) -> dict[str, Outlook]:
        for name in vanished(self.graph, self.gathered.state.nodes):
            problem = self.graph.catalog.broken.get(folder_of(name))
            why = f"its recipe cannot be used: {problem.message}" if problem else "its recipe is gone"
            self.found[name] = Outlook("invalid" if problem else "vanished", why)
        for part in _order(self.graph, self.gathered.selected):
            if isinstance(part, str):
                self.found[part] = self.node(part)
            else:
                self.cycle(part)
        return dict(sorted(self.found.items()))

    # --- one node -------------------------------------------------------------------------------------------------

    def node(self, name: str, within: frozenset[str] = frozenset()) -> Outlook:
        """Return the outlook of a node; `within` are those that it is built with in a cycle."""
        node, known = self.graph.catalog.nodes[name], self.known(name)
        needed = [need for need in self.graph.edges[name] if need not in within]
        waits: tuple[str, ...] = ()
        if self.gathered.policy != "locked":
            waits = tuple(need for need in needed if self.found[need].state in _TO_BUILD)
        now, exact = self.fields(node, known)
        found: tuple[Difference, ...] = ()
        if now is not None and known.fields is not None:
            found = self.differences(node, known.fields, now)
        outlook = Outlook("current", differences=found, waits=waits, absent_image=self.absent(node))
        stuck = self.stuck(node, needed, outlook)
        if stuck is not None:
            return stuck
        if known.build_key and not found and not waits:
            why = f"builder image {node.image} is not on this host: not compared" if outlook.absent_image else ""
            return replace(outlook, why=why)
        # What a stage of a cycle is built with is not known beforehand.
        return self.to_build(node, outlook, now if exact and not waits and not within else None)

    def known(self, name: str) -> NodeState:
        return self.gathered.state.nodes.get(name) or NodeState()

    def absent(self, node: Node) -> bool:
        return node.image not in self.gathered.images

    def fields(self, node: Node, known: NodeState) -> tuple[KeyFields | None, bool]:
        """Return the fields that the key has now, and whether all are known; those that are not stay as they were."""
        old = known.fields
        source, image = self.gathered.state.sources.get(node.source), self.gathered.images.get(node.image)
        exact = source is not None and image is not None
        if source is None:
            source = SourceFacts(tree=old.source_tree if old else _UNKNOWN, epoch=old.source_epoch if old else 0)
        ecosystem = self.ecosystem(node.package.ecosystem)
        image = image or (old.image if old else _UNKNOWN)
        return key_of(node, self.graph, self.results, source, image, ecosystem, self.gathered.policy), exact

    def differences(self, node: Node, before: KeyFields, now: KeyFields) -> tuple[Difference, ...]:
        found = differences(before, now, node, self.graph, self.gathered.state.nodes)
        if node.source in self.gathered.state.sources:
            return found
        words = "the source is pinned to something else; its tree is known when it is fetched"
        return (Difference(field="source_tree", words=words, before=before.source_tree), *found)

    def stuck(self, node: Node, needed: Iterable[str], outlook: Outlook) -> Outlook | None:
        """Return the outlook of a node that cannot be built, whatever its key is; None for others."""
        if node.problem is not None:
            return replace(outlook, state="invalid", why=node.problem.message)
        if gone := self.gone.get(node.id):
            word = "is gone" if self.found[gone[0]].state == "vanished" else "cannot be used"
            why = f"it is built with {self.named(gone)}, whose recipe {word}"
            return replace(outlook, state="blocked", why=why, blocked_by=(node.id, gone[0]))
        ways = [self.found[need].blocked_by or (need,) for need in needed if self.found[need].state in _STUCK]
        if ways:
            return self.blocked(outlook, (node.id, *min(ways, key=lambda way: (len(way), way))))
        return None

    def blocked(self, outlook: Outlook, way: tuple[str, ...]) -> Outlook:
        last = self.found[way[-1]].state
        word = {"failed": "failed", "vanished": "has no recipe any more"}.get(last, "cannot be built")
        return replace(outlook, state="blocked", why=f"it needs {self.titles[way[-1]]}, which {word}", blocked_by=way)

    def to_build(self, node: Node, outlook: Outlook, now: KeyFields | None) -> Outlook:
        """Return the outlook of a node that would be built."""
        known = self.known(node.id)
        failure = known.failure
        if failure is not None and now is not None and failure.build_key == now.key:
            return replace(outlook, state="failed", why=failure.again)
        # The source of a build that failed is remembered: with an unknown one, it was another build.
        if failure is not None and now is None and not outlook.waits and node.source in self.gathered.state.sources:
            why = f"failed on {failure.on}: {failure.message}"
            return replace(outlook, state="failed", why=f"{why} (whether its inputs are the same is not known yet)")
        if self.gathered.policy == "rebuilt-only" and (missing := missing_inputs(node, self.graph)):
            named = self.named([f"{need.name} {need.version}" for need in missing])
            return replace(outlook, state="blocked", why=f"the policy is rebuilt-only, and no recipe provides {named}")
        state: State = "changed" if known.build_key else "not-built"
        reasons = [self.words(outlook)] if known.build_key or outlook.waits else []
        if outlook.absent_image:
            reasons.append(f"builder image {node.image} is not on this host")
        if failure is not None:
            reasons.append(f"failed on {failure.on} with other inputs")
        return replace(outlook, state=state, why="; ".join(filter(None, reasons)) or "never built")

    def words(self, outlook: Outlook) -> str:
        """Return in a few words why a node is to be built."""
        changed = [each.words for each in outlook.differences if each.field != "rebuilt"]
        inputs = sorted({each.package or each.input for each in outlook.differences if each.field == "rebuilt"})
        words = [text.partition(":")[0] for text in changed]
        if inputs:
            words.append(f"other results of {self.named(inputs)}")
        if not words and outlook.waits:
            are = "is" if len(outlook.waits) == 1 else "are"
            which = "changed" if self.known(outlook.waits[0]).build_key else f"{are} not built"
            words.append(f"depends on {self.named(outlook.waits, shown=1)}, which {which}")
        return "; ".join(words)

    def named(self, names: Iterable[str], shown: int = 3) -> str:
        listed = [self.titles.get(name, name) for name in names]
        more = f" and {len(listed) - shown} more" if len(listed) > shown else ""
        return ", ".join(listed[:shown]) + more

    # --- cycles ---------------------------------------------------------------------------------------------------

    def cycle(self, cycle: Cycle) -> None:
        """Find the outlooks of nodes that are built with each other: all of them are built, or none."""
        within = frozenset(cycle.members)
        alone = {name: self.node(name, within) for name in cycle.members}
        self.found.update(alone)
        if cycle.unseeded:
            way = " → ".join(self.titles[name] for name in cycle.unseeded)
            why = f"a cycle without a seed: {way}"
            self.found.update((name, replace(alone[name], state="invalid", why=why)) for name in cycle.members)
            return
        stuck = [name for name in cycle.members if alone[name].state in _STUCK]
        if stuck:
            for name in sorted(within.difference(stuck)):
                self.found[name] = self.blocked(alone[name], self.way_within(name, stuck, within))
            return
        moving = [name for name in cycle.members if alone[name].state in _TO_BUILD]
        if not moving:
            return
        for name in sorted(within.difference(moving)):
            which = "changed" if self.known(moving[0]).build_key else "is not built"
            why = f"it is built in a cycle with {self.named(moving)}, which {which}"
            self.found[name] = replace(alone[name], state="changed", why=why, waits=tuple(moving))

    def way_within(self, start: str, stuck: Iterable[str], within: frozenset[str]) -> tuple[str, ...]:
        """Return the shortest way through a cycle from a member to what it is stuck at."""
        inside: nx.DiGraph[str] = nx.DiGraph()
        inside.add_edges_from((a, b) for a in sorted(within) for b in sorted(self.graph.edges[a]) if b in within)
        ways = (tuple(nx.shortest_path(inside, start, name)) for name in stuck)
        way = min(ways, key=lambda way: (len(way), way))
        return way + self.found[way[-1]].blocked_by[1:]


def _order(graph: Graph, selected: Iterable[str]) -> list[str | Cycle]:
    """Return the nodes, each cycle as one, such that each comes after all that it needs."""
    chosen = set(selected)
    cycles = {cycle.members[0]: cycle for cycle in graph.cycles if cycle.members[0] in chosen}
    unit = {name: first for first, cycle in cycles.items() for name in cycle.members}
    whole: nx.DiGraph[str] = nx.DiGraph()
    whole.add_nodes_from(sorted(unit.get(name, name) for name in chosen))
    for name in sorted(chosen):
        mine = unit.get(name, name)
        whole.add_edges_from((unit.get(need, need), mine) for need in graph.edges[name] if unit.get(need, need) != mine)
    return [cycles.get(name, name) for name in nx.topological_sort(whole)]
