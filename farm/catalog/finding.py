"""What a reference means among everything that the catalog has, has in pieces, or had. Pure."""

from __future__ import annotations

from contextlib import suppress
from dataclasses import dataclass
from typing import TYPE_CHECKING

from farm.catalog.nodes import normal
from farm.catalog.titles import package_of
from farm.catalog.vanished import vanished
from farm.errors import RecipeNotFoundError
from farm.languages import language, language_names
from farm.recipe.problem import nearest

if TYPE_CHECKING:
    from collections.abc import Iterable, Mapping

    from farm.catalog.graph import Graph
    from farm.catalog.state import NodeState

__all__ = ["Meant", "find", "folder_of"]


@dataclass(frozen=True)
class Meant:
    """What references mean."""

    nodes: frozenset[str]
    """Ids, those of vanished recipes among them."""
    broken: frozenset[str] = frozenset()
    """Folders of recipes that cannot be read."""

    def __or__(self, other: Meant) -> Meant:
        return Meant(self.nodes | other.nodes, self.broken | other.broken)


def find(graph: Graph, states: Mapping[str, NodeState], references: Iterable[str]) -> Meant:
    """Return what each reference means: an id, a package version, a package (all versions), or a recipe's folder.

    Raises:
        RecipeNotFoundError: one means nothing; the message has the nearest name, or the versions that there are.
    """
    meant = Meant(frozenset())
    for reference in references:
        meant |= _one(graph, states, reference)
    return meant


def folder_of(package: str) -> str:
    """Return the folder, below the recipes folder, of the recipe for a package: `python/click`, with any version."""
    ecosystem, _, name = package.partition("@")[0].partition("/")
    with suppress(ValueError):  # of no language, or no name of it
        return f"{ecosystem}/{language(ecosystem).naming.folder(name)}"
    return ""


def _one(graph: Graph, states: Mapping[str, NodeState], reference: str) -> Meant:
    name, _, version = reference.partition("@")
    ecosystem, _, package = name.partition("/")
    nodes = {node.id for node in graph.catalog.find(reference)}
    wanted = {reference}
    if ecosystem in language_names():
        spelled = normal(ecosystem, package, version or "0")
        wanted.add(f"{ecosystem}/{'@'.join(spelled) if version else spelled[0]}")
    gone = vanished(graph, states)
    nodes |= {each for each in gone if {each, package_of(each), package_of(each).partition("@")[0]} & wanted}
    broken = {name, folder_of(name)} & graph.catalog.broken.keys()
    if not nodes and not broken:
        raise _nothing(graph, reference, name, version)
    return Meant(frozenset(nodes), frozenset(broken))


def _nothing(graph: Graph, reference: str, name: str, version: str) -> RecipeNotFoundError:
    versions = sorted({node.reference.rpartition("@")[2] for node in graph.catalog.find(name)}) if version else []
    if versions:
        near = nearest(version.partition(":")[0], versions)
        msg = f"the recipe {name} has no {version!r}; it has {', '.join(versions)}"
        return RecipeNotFoundError(msg, details={"nearest": near and f"{name}@{near}", "known": versions})
    known = {f"{node.package.ecosystem}/{node.package.name}" for node in graph.catalog.nodes.values()}
    known |= graph.catalog.broken.keys()
    near = nearest(name, known) or next((each for each in sorted(known) if each.endswith(f"/{name.lower()}")), "")
    hint = f"; did you mean {near!r}?" if near else ""
    return RecipeNotFoundError(f"there is no recipe {reference!r}{hint}", details={"nearest": near})
