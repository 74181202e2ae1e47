"""The nodes of the catalog: one recipe version for one target each, with what its lock names. Pure values."""

from __future__ import annotations

from collections import defaultdict
from contextlib import suppress
from dataclasses import dataclass, field
from functools import cached_property
from typing import TYPE_CHECKING

from farm.languages import language

if TYPE_CHECKING:
    from collections.abc import Iterable, Mapping

    from farm.model.plan import PackageId, Target

__all__ = ["Catalog", "Need", "Node", "NodeProblem", "closure", "node_id", "normal"]


@dataclass(frozen=True, slots=True)
class Need:
    """A package version that a lock names."""

    name: str
    version: str
    """Both as the lock spells them."""
    roles: tuple[str, ...]
    filenames: tuple[str, ...]
    """Locked files of it."""
    foreign: bool = True
    """Whether any of them is upstream's in the lock."""


@dataclass(frozen=True, slots=True)
class NodeProblem:
    """Why a node cannot be built, found without building."""

    error: str
    """Class of the error."""
    exit_code: int
    message: str


@dataclass(frozen=True, slots=True)
class Node:
    """One recipe version for one target."""

    id: str
    """`python/markupsafe@3.0.2:cp311-linux-amd64`."""
    package: PackageId
    reference: str
    """What `farm build` calls it: `python/markupsafe@3.0.2`, the version as the recipe spells it."""
    target: Target
    image: str
    recipe: str
    """Digest of the normalised recipe version."""
    source: str
    """Digest of the pin."""
    lock: str
    """Fingerprint of the lock, empty where there is none."""
    names: tuple[str, ...]
    """What its files may be called by others: the package and its modules."""
    needs: tuple[Need, ...]
    seed: str = ""
    """Why upstream's file may begin a cycle; empty where it may not."""
    cpus: float = 1.0
    memory_mb: int = 1024
    problem: NodeProblem | None = None


def node_id(package: PackageId, target: str) -> str:
    """Return what a node is called."""
    return f"{package}:{target}"


@dataclass(frozen=True)
class Catalog:
    """All nodes."""

    nodes: Mapping[str, Node]
    """By id, sorted."""
    broken: Mapping[str, NodeProblem] = field(default_factory=dict)
    """Recipes of which no node can be made: folder below the recipes folder → why."""

    @cached_property
    def _providers(self) -> dict[tuple[str, str, str], list[str]]:
        found: dict[tuple[str, str, str], list[str]] = defaultdict(list)
        for node in self.nodes.values():
            for name in node.names:
                found[node.package.ecosystem, name, node.package.version].append(node.id)
        return dict(found)

    def providers(self, ecosystem: str, name: str, version: str) -> tuple[str, ...]:
        """Return the nodes (of all targets) that provide a package version, as a lock spells it."""
        found = self._providers
        exact = found.get((ecosystem, name, version))
        return tuple(exact if exact is not None else found.get((ecosystem, *normal(ecosystem, name, version)), ()))

    def find(self, reference: str) -> tuple[Node, ...]:
        """Return the nodes that a reference means: an id, `python/click@8.1.8`, or `python/click` (all versions)."""
        if reference in self.nodes:
            return (self.nodes[reference],)
        name, _, version = reference.partition("@")
        ecosystem, _, package = name.partition("/")
        known = [node for node in self.nodes.values() if node.package.ecosystem == ecosystem]
        if not known:
            return ()
        naming = language(ecosystem).naming
        with suppress(ValueError):  # the folder of a Maven recipe is no name
            package = naming.name(package)
        try:
            wanted = naming.version(version) if version else None
        except ValueError:
            return ()
        return tuple(
            node
            for node in known
            if package in {node.package.name, node.package.name.replace(":", ".")}
            and (wanted is None or naming.version(node.package.version) == wanted)
        )


def normal(ecosystem: str, name: str, version: str) -> tuple[str, str]:
    """Return name and version as plans spell them; as they are where they are no name or version of the language."""
    naming = language(ecosystem).naming
    try:
        return naming.name(name), str(naming.version(version))
    except ValueError:
        return name, version


def closure(edges: Mapping[str, Iterable[str]], starts: Iterable[str]) -> set[str]:
    """Return everything that is reached from `starts`, themselves included."""
    seen: set[str] = set()
    waiting = list(starts)
    while waiting:
        name = waiting.pop()
        if name not in seen:
            seen.add(name)
            waiting.extend(edges.get(name, ()))
    return seen
