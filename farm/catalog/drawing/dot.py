"""The graph as text for Graphviz (https://graphviz.org/doc/info/lang.html). Pure."""

from __future__ import annotations

from typing import TYPE_CHECKING

from farm.catalog.drawing.colours import BAD, DASHES, FILLS, FRAME, STROKES
from farm.text import without_controls

if TYPE_CHECKING:
    from collections.abc import Iterator

    from farm.catalog.drawing.picture import Box, Picture

__all__ = ["dot", "dot_label", "dot_name"]


def dot_name(text: str) -> str:
    """Return `text` as a quoted name: one token, whatever is in it."""
    line = " ".join(without_controls(text).split())
    return '"' + line.replace("\\", "\\\\").replace('"', '\\"') + '"'


def dot_label(*lines: str) -> str:
    """Return lines as a quoted label: as they are, neither escapes nor entities are read in them."""
    quoted = (dot_name(line.replace("&", "&amp;"))[1:-1] for line in lines)
    return '"' + "\\n".join(quoted) + '"'


def dot(picture: Picture) -> str:
    """Return the text of a digraph; lines lead from a node to what it needs."""
    return "\n".join(_lines(picture)) + "\n"


def _lines(picture: Picture) -> Iterator[str]:
    yield "digraph catalog {"
    yield "  rankdir=LR;"
    yield '  node [shape=box, style="rounded,filled", fontname="sans-serif", fontsize=10];'
    yield '  edge [fontname="sans-serif", fontsize=8];'
    for number, group in enumerate(picture.groups, 1):
        colour = BAD if group.unseeded else FRAME
        yield f"  subgraph cluster_{number} {{"
        yield f'    label={dot_label(group.title)}; style="rounded,dashed"; color="{colour}"; fontcolor="{colour}";'
        for name in group.members:
            yield f"    {_box(picture.boxes[name])}"
        yield "  }"
    for name, box in picture.boxes.items():
        if name not in picture.group_of:
            yield f"  {_box(box)}"
    for line in picture.lines:
        role = line.roles[0]
        ends = f"{dot_name(line.dependant)} -> {dot_name(line.dependency)}"
        label = dot_label(", ".join(line.roles))
        yield f'  {ends} [label={label}, color="{STROKES[role]}", style={DASHES[role]}];'
    yield "}"


def _box(box: Box) -> str:
    state = box.state.replace("-", " ") + (", seed" if box.seed else "")
    more = ", penwidth=2" if box.seed else ""
    return f'{dot_name(box.id)} [label={dot_label(box.title, state)}, fillcolor="{FILLS[box.state]}"{more}];'
