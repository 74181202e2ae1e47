"""The graph as a tree of text. Pure."""

from __future__ import annotations

from dataclasses import dataclass
from typing import TYPE_CHECKING

from farm.catalog.nodes import closure

if TYPE_CHECKING:
    from collections.abc import Iterator

    from farm.catalog.drawing.picture import Line, Picture
    from farm.catalog.outlook import State

__all__ = ["TreeLine", "tree_lines"]


@dataclass(frozen=True, slots=True)
class TreeLine:
    """One line."""

    branch: str
    """What leads to the title: `│   ├── `."""
    title: str
    state: State
    notes: str = ""
    """Roles, what it is in a cycle, and whether what follows it stands further up."""
    bad: bool = False
    """It is in a cycle without a seed."""

    def __str__(self) -> str:
        return f"{self.branch}{self.title}  {self.state.replace('-', ' ')}{self.notes and '  '}{self.notes}"


def tree_lines(picture: Picture) -> tuple[TreeLine, ...]:
    """Return the lines of the tree: what follows a node stands below it, the first time that it comes."""
    return tuple(_lines(picture))


def _lines(picture: Picture) -> Iterator[TreeLine]:
    shown: set[str] = set()
    # Not recursive: a chain can be longer than Python's stack.
    waiting: list[tuple[str, str, str, Line | None]] = [(name, "", "", None) for name in reversed(_roots(picture))]
    while waiting:
        name, branch, below, line = waiting.pop()
        following = picture.following[name]
        box, group = picture.boxes[name], picture.group_of.get(name)
        notes = [f"[{', '.join(line.roles)}]"] if line else []
        if group:
            notes.append(f"({group.title}{', seed' if box.seed else ''})")
        if name in shown and following:
            notes.append("(above)")
        yield TreeLine(branch, box.title, box.state, "  ".join(notes), bad=bool(group and group.unseeded))
        if name in shown:
            continue
        shown.add(name)
        for place, (there, way) in enumerate(reversed(following)):
            last = place == 0
            waiting.append((there, below + ("└── " if last else "├── "), below + ("    " if last else "│   "), way))


def _roots(picture: Picture) -> list[str]:
    """Return where the trees begin: together they hold every node."""
    if picture.starts:
        return list(picture.starts)
    ways = {name: [there for there, _ in ends] for name, ends in picture.following.items()}
    ends = {there for follow in ways.values() for there in follow}
    roots = [name for name in picture.boxes if name not in ends]
    reached = closure(ways, roots)
    for name in picture.boxes:  # cycles that nothing leads to
        if name not in reached:
            roots.append(name)
            reached |= closure(ways, [name])
    return sorted(roots)
