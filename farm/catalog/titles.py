"""What people call the nodes: the package version, and its target where there are several. Pure."""

from __future__ import annotations

from collections import Counter
from typing import TYPE_CHECKING

if TYPE_CHECKING:
    from collections.abc import Iterable

__all__ = ["package_of", "target_of", "titles"]


def package_of(node: str) -> str:
    """Return the package version of a node: `python/click@8.1.8`."""
    return node.rpartition(":")[0]


def target_of(node: str) -> str:
    """Return the target of a node: `cp311-linux-amd64`."""
    return node.rpartition(":")[2]


def titles(nodes: Iterable[str]) -> dict[str, str]:
    """Return what each node is called among `nodes`."""
    ids = tuple(nodes)
    count = Counter(map(package_of, ids))
    return {node: node if count[package_of(node)] > 1 else package_of(node) for node in ids}
