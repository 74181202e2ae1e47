"""The graph as a Mermaid flowchart (https://mermaid.js.org/syntax/flowchart.html). Pure."""

from __future__ import annotations

import re
from typing import TYPE_CHECKING, Final

from farm.catalog.drawing.colours import BAD, DASHES, FILLS, FRAME, STROKES
from farm.text import without_controls

if TYPE_CHECKING:
    from collections.abc import Iterator

    from farm.catalog.drawing.picture import Picture

__all__ = ["mermaid", "mermaid_text"]

_SPECIAL: Final = re.compile(r"[^A-Za-z0-9 ./@:,_+-]")
_ARROWS: Final = {"solid": "-->", "dashed": "-.->", "dotted": "-.->"}


def mermaid_text(text: str) -> str:
    """Return `text` in quotes, every character that could mean something as an entity (`#60;` is a `<`)."""
    line = " ".join(without_controls(text).split())
    return '"' + _SPECIAL.sub(lambda found: f"#{ord(found[0])};", line) + '"'


def mermaid(picture: Picture) -> str:
    """Return the text of a flowchart; lines lead from a node to what it needs."""
    return "\n".join(_lines(picture)) + "\n"


def _lines(picture: Picture) -> Iterator[str]:
    # A name of the catalog could be a word of the language: boxes are numbered.
    names = {name: f"n{number}" for number, name in enumerate(picture.boxes, 1)}
    yield "flowchart LR"
    for number, group in enumerate(picture.groups, 1):
        yield f"  subgraph c{number}[{mermaid_text(group.title)}]"
        yield from (f"    {_box(picture, names, name)}" for name in group.members)
        yield "  end"
    yield from (f"  {_box(picture, names, name)}" for name in picture.boxes if name not in picture.group_of)
    for line in picture.lines:
        arrow = _ARROWS[DASHES[line.roles[0]]]
        label = mermaid_text(", ".join(line.roles))
        yield f"  {names[line.dependant]} {arrow}|{label}| {names[line.dependency]}"
    for number, line in enumerate(picture.lines):
        yield f"  linkStyle {number} stroke:{STROKES[line.roles[0]]}"
    for state, colour in FILLS.items():
        of_state = [names[name] for name, box in picture.boxes.items() if box.state == state]
        if of_state:
            kind = state.replace("-", "")
            yield f"  classDef {kind} fill:{colour},stroke:#333,color:#111"
            yield f"  class {','.join(of_state)} {kind}"
    for number, group in enumerate(picture.groups, 1):
        colour = BAD if group.unseeded else FRAME
        yield f"  style c{number} fill:none,stroke:{colour},stroke-dasharray:5 4,color:{colour}"


def _box(picture: Picture, names: dict[str, str], name: str) -> str:
    box = picture.boxes[name]
    title, state = mermaid_text(box.title), box.state.replace("-", " ") + (", seed" if box.seed else "")
    return f'{names[name]}[{title[:-1]}<br>{state}"]'
