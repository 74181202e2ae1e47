"""Whether a node is to be built: its build key, from what is known, against the key of the result that counts. Pure."""

from __future__ import annotations

from dataclasses import dataclass, field
from typing import TYPE_CHECKING

from farm.catalog.graph import providers_for
from farm.model.key import KeyFields
from farm.model.lock import LockedName
from farm.pipeline.key import COMPRESSOR, RULES_VERSION
from farm.pipeline.linking import Provided

if TYPE_CHECKING:
    from collections.abc import Iterator, Mapping

    from farm.catalog.graph import Graph
    from farm.catalog.nodes import Need, Node
    from farm.catalog.state import SourceFacts
    from farm.ecosystems.base import Ecosystem
    from farm.model.outcome import OutcomeFile
    from farm.pipeline.linking import Policy, Provider

__all__ = ["Results", "key_of", "missing_inputs", "provider_for", "upstreams"]


@dataclass(frozen=True)
class Results:
    """The files that stand in for locked ones, as they are known at one moment."""

    files: Mapping[str, tuple[OutcomeFile, ...]]
    """Node → the files of its result; none while it has none."""
    seeds: frozenset[str] = frozenset()
    """Nodes that upstream's files stand for: in a cycle's first stage."""
    keys: Mapping[str, str] = field(default_factory=dict)
    """Node → the key of the build that gave them."""


def provider_for(graph: Graph, node: Node, results: Results) -> Provider:
    """Return what the link step asks about what `node` needs."""
    by_name = {(need.name, need.version): need for need in node.needs}

    def provide(name: str, version: str) -> Provided | None:
        need = by_name.get((name, version))
        return _provided(graph, node, need, results) if need else None

    return provide


def _provided(graph: Graph, node: Node, need: Need, results: Results) -> Provided | None:
    nodes = providers_for(graph.catalog, node, need)
    if not nodes:
        return None
    if any(name in results.seeds for name in nodes):
        return Provided((), seed=True)
    known = [(file, results.keys.get(name, "")) for name in nodes for file in results.files.get(name, ())]
    return Provided(tuple(file for file, _ in known), keys=tuple(key for _, key in known))


def key_of(
    node: Node,
    graph: Graph,
    results: Results,
    source: SourceFacts,
    image: str,
    ecosystem: Ecosystem,
    policy: Policy,
) -> KeyFields | None:
    """Return the fields of the node's build key, None where it has no lock.

    Args:
        node: the node.
        graph: of the catalog.
        results: what its dependencies came to.
        source: what its pin gives.
        image: digest of its builder image.
        ecosystem: of its language.
        policy: which inputs are farm's own.
    """
    if not node.lock:
        return None
    rebuilt = {} if policy == "locked" else dict(_rebuilt(node, graph, results, ecosystem))
    return KeyFields(
        package=str(node.package),
        target=node.target.key,
        recipe=node.recipe,
        source_tree=source.tree,
        source_epoch=source.epoch,
        image=image,
        lock=node.lock,
        rebuilt=dict(sorted(rebuilt.items())),
        compressor=COMPRESSOR,
        rules=RULES_VERSION,
    )


def _rebuilt(node: Node, graph: Graph, results: Results, ecosystem: Ecosystem) -> Iterator[tuple[str, str]]:
    for need in node.needs:
        provided = _provided(graph, node, need, results)
        if provided is None or not provided.files:
            continue
        for filename in need.filenames:
            locked = LockedName(filename=filename, name=need.name, version=need.version)
            found = ecosystem.choose(locked, provided.files, node.target)
            if found is not None:
                yield filename, found.blob.sha256


def upstreams(node: Node, fields: KeyFields) -> tuple[str, ...]:
    """Return the locked files of upstream's that a build with these fields of the key reads as they are."""
    return tuple(name for need in node.needs if need.foreign for name in need.filenames if name not in fields.rebuilt)


def missing_inputs(node: Node, graph: Graph) -> tuple[Need, ...]:
    """Return what the lock names and no recipe provides."""
    return tuple(
        need for need in node.needs if need.foreign and need.version and not providers_for(graph.catalog, node, need)
    )
