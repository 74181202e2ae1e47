"""In which fields two build keys differ, in words. Pure."""

from __future__ import annotations

from typing import TYPE_CHECKING, Final

from farm.catalog.graph import providers_for
from farm.catalog.titles import package_of
from farm.model.base import Value

if TYPE_CHECKING:
    from collections.abc import Iterator, Mapping

    from farm.catalog.graph import Graph
    from farm.catalog.nodes import Need, Node
    from farm.catalog.state import NodeState
    from farm.model.key import KeyFields

__all__ = ["Difference", "differences"]

_DIGITS: Final = 12
"""Of a digest, for people."""


class Difference(Value):
    """A field that differs."""

    field: str
    """Of `KeyFields`."""
    words: str
    before: str = ""
    after: str = ""
    """Empty where it is not known yet."""
    input: str = ""
    """Name of the locked file, where the field is `rebuilt`."""
    package: str = ""
    """What that file is of: `python/click@8.1.8`."""


def differences(
    before: KeyFields, after: KeyFields, node: Node, graph: Graph, states: Mapping[str, NodeState]
) -> tuple[Difference, ...]:
    """Return what differs between the key of a result and the key that the node has now.

    Args:
        before: of the result.
        after: as it is now.
        node: the node.
        graph: of the catalog.
        states: says whose results the inputs are.
    """
    return (*_plain(before, after, node), *_inputs(before, after, node, graph, states))


def _plain(before: KeyFields, after: KeyFields, node: Node) -> Iterator[Difference]:
    words = {
        "package": "it is another package",
        "target": "it is for another target",
        "recipe": "the recipe changed",
        "source_tree": "the source tree is another one",
        "source_epoch": "the time of the source is another one",
        "image": f"the builder image {node.image} is another one",
        "lock": "the lock changed",
        "compressor": "the library that packs archives is another one",
        "rules": "the rules of farm changed",
    }
    for field, text in words.items():
        old, new = str(getattr(before, field)), str(getattr(after, field))
        if old != new:
            yield Difference(field=field, words=f"{text}: {_short(old)} → {_short(new)}", before=old, after=new)


def _inputs(
    before: KeyFields, after: KeyFields, node: Node, graph: Graph, states: Mapping[str, NodeState]
) -> Iterator[Difference]:
    needs = {filename: need for need in node.needs for filename in need.filenames}
    for name in sorted(before.rebuilt.keys() | after.rebuilt.keys()):
        old, new = before.rebuilt.get(name, ""), after.rebuilt.get(name, "")
        if old == new:
            continue
        need = needs.get(name)
        package = _package(node, need, graph) if need else _holder(old, node, states)
        of = package or "another recipe"
        if old and new:
            words = f"{name}: the result of {of} is another one: {_short(old)} → {_short(new)}"
        elif new:
            words = f"{name}: the result of {of} ({_short(new)}) now stands in for the locked file"
        else:
            why = "the lock names it no more" if need is None else "nothing stands in for the locked file any more"
            words = f"{name}: it was the result of {of} ({_short(old)}); {why}"
        yield Difference(field="rebuilt", words=words, before=old, after=new, input=name, package=package)


def _package(node: Node, need: Need, graph: Graph) -> str:
    providers = providers_for(graph.catalog, node, need)
    return package_of(providers[0]) if providers else f"{node.package.ecosystem}/{need.name}@{need.version}"


def _holder(sha256: str, node: Node, states: Mapping[str, NodeState]) -> str:
    """Return the package that has a file, among those that the node's result was built with."""
    known = states.get(node.id)
    for name in known.needs if known else ():
        if name in states and any(file.blob.sha256 == sha256 for file in states[name].files):
            return package_of(name)
    return ""


def _short(value: str) -> str:
    return value[:_DIGITS] if len(value) == 64 else value  # noqa: PLR2004 - hex digits of a SHA-256
