"""`farm why-rebuild`: what differs from the result that counts, and what that comes from. Pure."""

from __future__ import annotations

from collections import deque
from typing import TYPE_CHECKING

from farm.catalog.differing import Difference
from farm.catalog.outlook import State
from farm.catalog.titles import titles
from farm.model.base import Value

if TYPE_CHECKING:
    from collections.abc import Iterable, Iterator, Mapping

    from farm.catalog.engine import Gathered
    from farm.catalog.outlook import Outlook

__all__ = ["Cause", "Reasons", "why_rebuild"]


class Cause(Value):
    """Another node that is to be built, for reasons of its own, and that comes first."""

    way: tuple[str, ...]
    """Titles, from the node that was asked about to this one."""
    state: State
    why: str
    differences: tuple[Difference, ...] = ()


class Reasons(Value):
    """Why a node would be rebuilt."""

    id: str
    title: str
    state: State
    why: str = ""
    built: bool = False
    """Whether there is a result to compare with."""
    differences: tuple[Difference, ...] = ()
    causes: tuple[Cause, ...] = ()
    """Nearest first."""

    @property
    def words(self) -> str:
        """Return in a line what would become of it."""
        if self.state == "vanished":
            return "its recipe is gone: it is not rebuilt any more"
        if self.state in {"failed", "blocked", "invalid"}:
            return f"it cannot be rebuilt: {self.why}"
        if not self.built:
            return "it was never built"
        if self.differences:
            return "it would be rebuilt, because this differs from its last build:"
        if self.causes:
            return "it would be rebuilt if what it depends on comes out with other bytes:"
        return "; ".join(filter(None, ("nothing differs: it would not be rebuilt", self.why)))


def why_rebuild(gathered: Gathered, outlooks: Mapping[str, Outlook], names: Iterable[str]) -> tuple[Reasons, ...]:
    """Return the reasons of each of the nodes `names`, sorted.

    Args:
        gathered: what a run would start from.
        outlooks: of all nodes that they need.
        names: ids.
    """
    known, named = gathered.state.nodes, titles(outlooks)
    found = []
    for name in sorted(names):
        outlook = outlooks[name]
        found.append(
            Reasons(
                id=name,
                title=named[name],
                state=outlook.state,
                why=outlook.why,
                built=name in known and known[name].build_key != "",
                differences=outlook.differences,
                causes=tuple(_causes(name, outlooks, named)),
            )
        )
    return tuple(found)


def _causes(start: str, outlooks: Mapping[str, Outlook], named: Mapping[str, str]) -> Iterator[Cause]:
    """Give the nodes that `start` waits for and that have reasons of their own, by the shortest way to each."""
    before: dict[str, str] = {start: ""}
    waiting = deque([start])
    while waiting:
        name = waiting.popleft()
        outlook = outlooks[name]
        if name != start and (outlook.differences or not outlook.waits):
            way = [name]
            while way[-1] != start:
                way.append(before[way[-1]])
            ids = tuple(reversed(way))
            yield Cause(
                way=tuple(named[each] for each in ids),
                state=outlook.state,
                why=outlook.why,
                differences=outlook.differences,
            )
        for need in outlook.waits:
            if need not in before:
                before[need] = name
                waiting.append(need)
