"""Places for boxes in layers, from left to right. Pure.

A library finds the layers, the order within them, and where long lines pass (after Sugiyama, Tagawa, Toda: Methods for
visual understanding of hierarchical system structures, 1981); boxes of different sizes are then moved apart here.
"""

from __future__ import annotations

from collections import defaultdict
from dataclasses import dataclass
from itertools import pairwise
from typing import TYPE_CHECKING, Final

import networkx as nx

if TYPE_CHECKING:
    from collections.abc import Iterable, Mapping, Sequence

__all__ = ["Layout", "Point", "Size", "curve", "lay_out"]

Point = tuple[float, float]
Size = tuple[float, float]
"""Width, height."""

_BETWEEN: Final = 90.0
"""Columns, for the lines to bend in."""
_GAP: Final = 16.0
"""Between boxes one below the other."""
_PASS: Final = 8.0
"""Room for a line that passes through a column."""
_PARTS: Final = 30.0
"""Between parts that no line joins."""
_FEW: Final = 1000
"""Lines for which there is time to swap neighbours until fewer cross."""
_ROW: Final = 1100.0
"""How wide rows of boxes without lines may get."""


@dataclass(frozen=True)
class Layout:
    """Where everything is; the origin is at the top left."""

    places: Mapping[str, Point]
    """Item → its top left corner."""
    ways: Mapping[tuple[str, str], tuple[Point, ...]]
    """Line → the points that it passes on its way, without its ends."""
    size: Size


def lay_out(sizes: Mapping[str, Size], lines: Iterable[tuple[str, str]]) -> Layout:
    """Place items such that each is to the left of those that its lines lead to.

    Args:
        sizes: of the items.
        lines: from, to; they lead round in no circle. Equal ones count once.
    """
    places: dict[str, Point] = {}
    ways: dict[tuple[str, str], tuple[Point, ...]] = {}
    width = height = 0.0
    for part in _parts(set(lines), sizes):
        offset = height + _PARTS if places else 0.0
        places.update((name, (x, y + offset)) for name, (x, y) in part.places.items())
        ways.update((line, tuple((x, y + offset) for x, y in points)) for line, points in part.ways.items())
        width, height = max(width, part.size[0]), offset + part.size[1]
    alone = sorted(sizes.keys() - places.keys())
    if alone:
        rows = _rows(alone, sizes, max(width, _ROW))
        offset = height + _PARTS if places else 0.0
        places.update((name, (x, y + offset)) for name, (x, y) in rows.places.items())
        width, height = max(width, rows.size[0]), offset + rows.size[1]
    return Layout(dict(sorted(places.items())), dict(sorted(ways.items())), (width, height))


def _parts(lines: Iterable[tuple[str, str]], sizes: Mapping[str, Size]) -> list[Layout]:
    """Return a layout for each set of items that lines join, the largest first."""
    whole: nx.DiGraph[str] = nx.DiGraph()
    whole.add_edges_from(lines)
    parts = sorted(map(sorted, nx.weakly_connected_components(whole)), key=lambda part: (-len(part), part))
    return [_part(part, whole.subgraph(part).edges, sizes) for part in parts]


def _part(names: Sequence[str], lines: Iterable[tuple[str, str]], sizes: Mapping[str, Size]) -> Layout:
    """Place items that lines join."""
    from fast_sugiyama import from_edges  # noqa: PLC0415 - drawings alone pay for it

    # One part at a time, and numbers without a gap: the library goes on counting, part by part, for the points that it
    # puts on long lines. Sorted: else its answer would depend on Python's hash seed.
    numbers = {name: number for number, name in enumerate(names)}
    edges = sorted((numbers[start], numbers[end]) for start, end in lines)
    usual = min(sizes[name][1] for name in names) + _GAP
    ((positions, _, _, chain),) = from_edges(
        edges, vertex_spacing=usual, dummy_vertices=True, dummy_size=0.4, transpose=len(edges) <= _FEW
    )
    centres = {int(item): (float(x), float(y)) for item, (x, y) in positions}
    follow: dict[int, list[int]] = defaultdict(list)
    for start, end in chain or ():
        follow[int(start)].append(int(end))
    return _in_columns(centres, follow, names, sizes)


def _in_columns(
    centres: Mapping[int, Point], follow: Mapping[int, list[int]], names: Sequence[str], sizes: Mapping[str, Size]
) -> Layout:
    """Turn the library's answer (layers from the bottom up) into columns, with room for each box."""
    columns: dict[float, list[int]] = defaultdict(list)
    for item, (_, layer) in centres.items():
        columns[-layer].append(item)
    left = 0.0
    corners: dict[int, Point] = {}
    middles: dict[int, Point] = {}
    for _, items in sorted(columns.items()):
        width = max((sizes[names[item]][0] for item in items if item < len(names)), default=0.0)
        bottom = float("-inf")
        for item in sorted(items, key=lambda item: (centres[item][0], item)):
            box, tall = item < len(names), sizes[names[item]][1] if item < len(names) else _PASS
            top = max(centres[item][0] - tall / 2, bottom)
            bottom = top + tall + (_GAP if box else 0.0)
            corners[item], middles[item] = (left, top), (left + width / 2, top + tall / 2)
        left += width + _BETWEEN
    highest = min(y for _, y in corners.values())
    places = {names[item]: (x, y - highest) for item, (x, y) in corners.items() if item < len(names)}
    ways = {
        (names[start], names[end]): tuple((middles[item][0], middles[item][1] - highest) for item in passed)
        for start in sorted(follow)
        if start < len(names)
        for passed, end in _ways(start, follow, len(names))
    }
    lowest = max(y + (sizes[names[item]][1] if item < len(names) else _PASS) for item, (_, y) in corners.items())
    size = (max(x + sizes[name][0] for name, (x, _) in places.items()), lowest - highest)
    return Layout(places, ways, size)


def _ways(start: int, follow: Mapping[int, list[int]], real: int) -> list[tuple[tuple[int, ...], int]]:
    """Return for each line from `start` the columns' places that it passes, and where it ends."""
    found = []
    for step in follow[start]:
        passed, item = [], step
        while item >= real:
            passed.append(item)
            item = follow[item][0]
        found.append((tuple(passed), item))
    return found


def _rows(names: Sequence[str], sizes: Mapping[str, Size], widest: float) -> Layout:
    """Return boxes that no line leads to, side by side."""
    places: dict[str, Point] = {}
    x = y = right = tall = 0.0
    for name in names:
        width, height = sizes[name]
        if x and x + width > widest:
            x, y, tall = 0.0, y + tall + _GAP, 0.0
        places[name] = (x, y)
        x, tall, right = x + width + _GAP, max(tall, height), max(right, x + width)
    return Layout(places, {}, (right, y + tall))


def curve(points: Sequence[Point]) -> str:
    """Return the SVG path through points that leaves and enters each of them level."""
    (x, y), *_ = points
    text = f"M{x:.1f} {y:.1f}"
    for (x1, y1), (x2, y2) in pairwise(points):
        middle = (x1 + x2) / 2
        text += f" C{middle:.1f} {y1:.1f} {middle:.1f} {y2:.1f} {x2:.1f} {y2:.1f}"
    return text
