"""The graph as an SVG image (https://www.w3.org/TR/SVG11/), drawn without another program. Pure."""

from __future__ import annotations

import re
import xml.etree.ElementTree as ET  # only to write
from dataclasses import dataclass, field
from typing import TYPE_CHECKING, Final

from farm.catalog.drawing.colours import BAD, DASHES, FILLS, FRAME, STROKES
from farm.catalog.drawing.layout import curve, lay_out
from farm.text import without_controls

if TYPE_CHECKING:
    from collections.abc import Iterable, Mapping
    from xml.etree.ElementTree import Element

    from farm.catalog.drawing.layout import Layout, Point, Size
    from farm.catalog.drawing.picture import Box, Group, Line, Picture

__all__ = ["MOST_LINES", "svg", "xml_text"]

MOST_LINES: Final = 5000
"""Of an image: more take minutes to place, and nobody can follow them."""

_CHARACTER: Final = 6.7
"""Width of one in the monospaced font below."""
_SMALL: Final = 5.6
_BOX: Final = 34.0
"""Height of a box."""
_PAD: Final = 12.0
_TITLE: Final = 16.0
"""Of a group."""
_ROUND: Final = 30.0
"""Room below the boxes of a group, for the lines that lead back to its seeds."""
_MARGIN: Final = 20.0
_LEGEND: Final = 44.0
_ENTRY: Final = 28.0
"""Beside the words of an entry of the legend."""
_FONT: Final = "DejaVu Sans Mono, Menlo, Consolas, monospace"
_DASHES: Final = {"solid": "", "dashed": "6 3", "dotted": "2 3"}

_NO_XML: Final = re.compile("[^\t\n\r\u0020-\ud7ff\ue000-\ufffd\U00010000-\U0010ffff]")
"""What XML 1.0 has no place for, not even as an entity (2.2)."""


def xml_text(text: str) -> str:
    """Return `text` on one line, without what no XML document may hold. Escaping it is left to the writer."""
    return _NO_XML.sub("", " ".join(without_controls(text).split()))


def svg(picture: Picture) -> str:
    """Return the image; lines lead from a node, at the left, to what it needs."""
    return _Drawing(picture).text()


@dataclass
class _Drawing:
    picture: Picture
    corners: dict[str, Point] = field(default_factory=dict)
    """Node → the top left of its box."""
    sizes: dict[str, Size] = field(default_factory=dict)
    frames: list[tuple[Group, Point, Size]] = field(default_factory=list)
    ways: dict[tuple[str, str], tuple[Point, ...]] = field(default_factory=dict)

    def text(self) -> str:
        width, height = self.place()
        legend, legend_width = self.legend()
        whole = ET.Element(
            "svg",
            {
                "xmlns": "http://www.w3.org/2000/svg",
                "width": _number(max(width, legend_width) + 2 * _MARGIN),
                "height": _number(height + _LEGEND + 2 * _MARGIN),
                "font-family": _FONT,
                "font-size": "11",
            },
        )
        ET.SubElement(whole, "title").text = "The graph of the catalog"
        whole.append(_arrows(self.picture.roles))
        ET.SubElement(whole, "rect", {"width": "100%", "height": "100%", "fill": "#ffffff"})
        whole.append(legend)
        body = ET.SubElement(whole, "g", {"transform": f"translate({_number(_MARGIN)} {_number(_MARGIN + _LEGEND)})"})
        for frame in self.frames:
            self.frame(body, *frame)
        for line in self.picture.lines:
            self.line(body, line)
        for box in self.picture.boxes.values():
            self.box(body, box)
        ET.indent(whole)
        return ET.tostring(whole, encoding="unicode") + "\n"

    # --- places ---------------------------------------------------------------------------------------------------

    def place(self) -> Size:
        """Place everything: first within each group, then the groups and the other boxes."""
        picture = self.picture
        self.sizes = {name: (_width(box), _BOX) for name, box in picture.boxes.items()}
        # A group is one item of the whole, called as its first member.
        item = {name: group.members[0] for name, group in picture.group_of.items()}
        inner = {group.members[0]: self.within(group) for group in picture.groups}
        sizes = {name: size for name, size in self.sizes.items() if name not in item}
        sizes |= {name: _frame_size(layout, name, picture) for name, layout in inner.items()}
        ends = {
            (line.dependant, line.dependency): (
                item.get(line.dependant, line.dependant),
                item.get(line.dependency, line.dependency),
            )
            for line in picture.lines
        }
        whole = lay_out(sizes, (pair for pair in ends.values() if pair[0] != pair[1]))
        self.corners = {name: corner for name, corner in whole.places.items() if name not in inner}
        for group in picture.groups:
            first = group.members[0]
            (x, y), layout = whole.places[first], inner[first]
            self.frames.append((group, (x, y), sizes[first]))
            move = (x + _PAD, y + _PAD + _TITLE)
            self.corners.update((name, _moved(corner, move)) for name, corner in layout.places.items())
            self.ways.update((pair, tuple(_moved(p, move) for p in way)) for pair, way in layout.ways.items())
        self.ways.update((line, whole.ways[pair]) for line, pair in ends.items() if pair in whole.ways)
        return whole.size

    def within(self, group: Group) -> Layout:
        """Place the members of a group: lines lead forward, but for those that lead back to what it begins with."""
        order = {name: place for place, name in enumerate(group.members)}
        forward = (
            (line.dependant, line.dependency)
            for line in self.picture.lines
            if line.dependant in order
            and line.dependency in order
            and order[line.dependency] < order[line.dependant]
            and line.dependency not in group.seeds
        )
        return lay_out({name: self.sizes[name] for name in group.members}, forward)

    # --- elements -------------------------------------------------------------------------------------------------

    def frame(self, body: Element, group: Group, corner: Point, size: Size) -> None:
        colour = BAD if group.unseeded else FRAME
        values = {"class": "cycle", "rx": "8", "fill": "none", "stroke": colour, "stroke-dasharray": "5 4"}
        element = ET.SubElement(body, "rect", {**_rectangle(corner, size), **values})
        ET.SubElement(element, "title").text = xml_text(", ".join(group.members))
        _words(body, group.title, (corner[0] + _PAD, corner[1] + _TITLE), {"fill": colour})

    def box(self, body: Element, box: Box) -> None:
        corner, size = self.corners[box.id], self.sizes[box.id]
        group = self.picture.group_of.get(box.id)
        bad = group is not None and group.unseeded
        values = {"class": f"node {box.state}", "rx": "5", "fill": FILLS[box.state]}
        stroke = {"stroke": BAD if bad else "#333333", "stroke-width": "2.2" if box.seed or bad else "1"}
        element = ET.SubElement(body, "rect", {**_rectangle(corner, size), **values, **stroke})
        ET.SubElement(element, "title").text = xml_text(": ".join(filter(None, (box.id, box.why))))
        x, y = corner[0] + size[0] / 2, corner[1]
        _words(body, box.title, (x, y + 14), {"text-anchor": "middle"})
        _words(body, _under(box), (x, y + 27), {"text-anchor": "middle", "font-size": "9", "fill": "#555555"})

    def line(self, body: Element, line: Line) -> None:
        role = line.roles[0]
        values = {
            "class": " ".join(("edge", *line.roles)),
            "d": self.path(line),
            "fill": "none",
            "stroke": STROKES[role],
            "marker-end": f"url(#arrow-{role})",
        }
        if dashes := _DASHES[DASHES[role]]:
            values["stroke-dasharray"] = dashes
        element = ET.SubElement(body, "path", values)
        words = f"{line.dependant} needs {line.dependency}: {', '.join(line.roles)}"
        ET.SubElement(element, "title").text = xml_text(words)

    def path(self, line: Line) -> str:
        (x1, y1), (w1, h1) = self.corners[line.dependant], self.sizes[line.dependant]
        (x2, y2), (w2, h2) = self.corners[line.dependency], self.sizes[line.dependency]
        if x1 + w1 < x2:
            way = self.ways.get((line.dependant, line.dependency), ())
            return curve(((x1 + w1, y1 + h1 / 2), *way, (x2, y2 + h2 / 2)))
        # Back, within a group: below the boxes.
        start, end, low = x1 + w1 * 0.6, x2 + w2 * 0.4, max(y1 + h1, y2 + h2) + _ROUND
        return f"M{start:.1f} {y1 + h1:.1f} C{start:.1f} {low:.1f} {end:.1f} {low:.1f} {end:.1f} {y2 + h2:.1f}"

    def legend(self) -> tuple[Element, float]:
        """Return what the colours and lines mean, as far as they are there, and how wide that is."""
        found = ET.Element("g", {"class": "legend", "transform": f"translate({_number(_MARGIN)} {_number(_MARGIN)})"})
        x = 0.0
        for state, fill in FILLS.items():
            if any(box.state == state for box in self.picture.boxes.values()):
                square = {**_rectangle((x, 0), (14, 14)), "rx": "3", "fill": fill, "stroke": "#333333"}
                ET.SubElement(found, "rect", square)
                x = self.entry(found, state.replace("-", " "), (x + 20, 11))
        if any(box.seed for box in self.picture.boxes.values()):
            square = {**_rectangle((x, 0), (14, 14)), "rx": "3", "fill": "none", "stroke": "#333333"}
            ET.SubElement(found, "rect", {**square, "stroke-width": "2.2"})
            x = self.entry(found, "seed: upstream's file may begin the cycle", (x + 20, 11))
        widest, x = x, 0.0
        for role in self.picture.roles:
            values = {"d": f"M{_number(x)} 28 h26", "fill": "none", "stroke": STROKES[role]}
            if dashes := _DASHES[DASHES[role]]:
                values["stroke-dasharray"] = dashes
            ET.SubElement(found, "path", {**values, "marker-end": f"url(#arrow-{role})"})
            x = self.entry(found, f"needs it for {role}", (x + 34, 32))
        return found, max(widest, x)

    def entry(self, parent: Element, words: str, at: Point) -> float:
        _words(parent, words, at, {})
        return at[0] + len(words) * _CHARACTER + _ENTRY


def _under(box: Box) -> str:
    return box.state.replace("-", " ") + (", seed" if box.seed else "")


def _width(box: Box) -> float:
    words = max(len(xml_text(box.title)) * _CHARACTER, len(_under(box)) * _SMALL)
    return max(words + 2 * _PAD, 60.0)


def _frame_size(layout: Layout, name: str, picture: Picture) -> Size:
    width, height = layout.size
    title = len(picture.group_of[name].title) * _CHARACTER
    return max(width, title) + 2 * _PAD, height + 2 * _PAD + _TITLE + _ROUND


def _moved(point: Point, by: Point) -> Point:
    return point[0] + by[0], point[1] + by[1]


def _rectangle(corner: Point, size: Size) -> Mapping[str, str]:
    return dict(zip(("x", "y", "width", "height"), map(_number, (*corner, *size)), strict=True))


def _number(value: float) -> str:
    return f"{value:.1f}"


def _words(parent: Element, words: str, at: Point, values: Mapping[str, str]) -> None:
    element = ET.SubElement(parent, "text", {"x": _number(at[0]), "y": _number(at[1]), **values})
    element.text = xml_text(words)


def _arrows(roles: Iterable[str]) -> Element:
    found = ET.Element("defs")
    for role in roles:
        values = {"id": f"arrow-{role}", "viewBox": "0 0 10 10", "refX": "10", "refY": "5", "orient": "auto"}
        size = {"markerWidth": "7", "markerHeight": "7"}
        marker = ET.SubElement(found, "marker", {**values, **size})
        ET.SubElement(marker, "path", {"d": "M0 0 L10 5 L0 10 z", "fill": STROKES[role]})
    return found
