"""The graph, drawn: what is on the pictures, and that no name breaks them."""

from __future__ import annotations

import itertools
import os
import re
import subprocess
import sys
from pathlib import Path
from typing import TYPE_CHECKING

import pytest
from defusedxml.ElementTree import fromstring
from hypothesis import given
from hypothesis import strategies as st

from farm.catalog.drawing.dot import dot, dot_label, dot_name
from farm.catalog.drawing.layout import lay_out
from farm.catalog.drawing.mermaid import mermaid, mermaid_text
from farm.catalog.drawing.picture import Box, Line, Picture, make_picture
from farm.catalog.drawing.svg import svg, xml_text
from farm.catalog.drawing.tree import tree_lines
from farm.catalog.outlook import look_ahead
from farm.text import without_controls
from tests.fixtures_looking import World, digest, ecosystem, node

if TYPE_CHECKING:
    from collections.abc import Callable, Iterable
    from xml.etree.ElementTree import Element

GOLDEN = Path(__file__).parent / "golden"
SVG = "{http://www.w3.org/2000/svg}"
HOSTILE = 'a"]; evil [label=<b>&quot;\\"\n</text><script>alert(1)</script>%%{init}%%`#60;\x1b[2J\x00'


def world() -> World:
    """App needs a cycle and a library that failed; the cycle's seed is back; something stands alone."""
    found = World.of(
        node("base@1"),
        node("back@1", "front@1:build", "base@1", seed="begins"),
        node("front@1", "back@1:backend,build"),
        node("lib@1", "base@1", "front@1:runtime"),
        node("app@1", "lib@1:runtime,build", "front@1", "base@1:test"),
        node("alone@1"),
    )
    found.build("base@1", "back@1", "front@1", "alone@1")
    found.fail("lib@1")
    return found


def picture(found: World, *starts: str, dependants: bool = False, roles: Iterable[str] = ()) -> Picture:
    begin = map(found.id, starts) if starts else None
    outlooks = look_ahead(found.gathered, ecosystem)
    return make_picture(found.graph, outlooks, begin, dependants=dependants, roles=roles)


def tree(shown: Picture) -> str:
    return "".join(f"{line}\n" for line in tree_lines(shown))


DRAWN: dict[str, Callable[[Picture], str]] = {"tree.txt": tree, "graph.dot": dot, "graph.mmd": mermaid}


@pytest.mark.parametrize("name", DRAWN)
def test_a_drawing_is_what_it_was(name: str) -> None:
    text = DRAWN[name](picture(world()))
    path = GOLDEN / name
    if os.environ.get("FARM_WRITE_GOLDEN"):
        path.write_text(text, encoding="utf-8")
    assert text == path.read_text(encoding="utf-8")


def test_what_is_needed_and_what_needs_it() -> None:
    assert sorted(picture(world(), "lib@1").boxes) == [
        world().id(f"{each}@1") for each in ("back", "base", "front", "lib")
    ]
    assert sorted(picture(world(), "lib@1", dependants=True).boxes) == [world().id("app@1"), world().id("lib@1")]


def test_only_some_roles() -> None:
    shown = picture(world(), "app@1", roles=("runtime",))
    assert [(line.dependant, line.dependency, line.roles) for line in shown.lines] == [
        (world().id("app@1"), world().id("lib@1"), ("runtime",)),
        (world().id("lib@1"), world().id("front@1"), ("runtime",)),
    ]


def test_a_tree_of_dependants() -> None:
    assert tree(picture(world(), "base@1", dependants=True)).splitlines() == [
        "python/base@1  current",
        "├── python/app@1  blocked  [test]",
        "├── python/back@1  current  [build]  (cycle, seed)",
        "│   └── python/front@1  current  [build, backend]  (cycle)",
        "│       ├── python/app@1  blocked  [build]",
        "│       ├── python/back@1  current  [build]  (cycle, seed)  (above)",
        "│       └── python/lib@1  failed  [runtime]",
        "│           └── python/app@1  blocked  [build, runtime]",
        "└── python/lib@1  failed  [build]  (above)",
    ]


def test_every_node_is_in_the_tree_of_everything() -> None:
    found = World.of(node("a@1", "b@1"), node("b@1", "a@1"))
    shown = tree_lines(picture(found))
    assert {line.title for line in shown} == {"python/a@1", "python/b@1"}
    assert all(line.bad for line in shown)


def test_a_chain_that_is_longer_than_the_stack() -> None:
    count = sys.getrecursionlimit() + 100
    names = [f"python/n{number:05}@1:t" for number in range(count)]
    boxes = {name: Box(name, name, "current") for name in names}
    lines = tuple(Line(a, b, ("build",)) for a, b in itertools.pairwise(names))
    assert len(tree_lines(Picture(boxes, lines, (), ()))) == count


# --- svg --------------------------------------------------------------------------------------------------------------


def rectangles(image: str, kind: str) -> list[Element]:
    return [each for each in fromstring(image).iter(f"{SVG}rect") if each.get("class", "").split()[:1] == [kind]]


def test_the_image_has_a_box_for_each_node_and_a_line_for_each_need() -> None:
    shown = picture(world())
    image = svg(shown)
    assert len(rectangles(image, "node")) == len(shown.boxes) == 6
    assert len(rectangles(image, "cycle")) == 1
    edges = [each for each in fromstring(image).iter(f"{SVG}path") if "edge" in each.get("class", "")]
    assert len(edges) == len(shown.lines) == 8
    words = [each.text for each in fromstring(image).iter(f"{SVG}text")]
    assert {"python/lib@1", "failed", "current, seed", "cycle", "needs it for test"} <= set(words)


def place(box: Element) -> tuple[float, float, float, float]:
    x, y, width, height = (float(box.get(name, "")) for name in ("x", "y", "width", "height"))
    return x, y, x + width, y + height


def apart(a: tuple[float, float, float, float], b: tuple[float, float, float, float]) -> bool:
    return a[2] < b[0] or b[2] < a[0] or a[3] < b[1] or b[3] < a[1]


def test_no_box_covers_another_and_members_of_a_cycle_are_in_its_frame() -> None:
    image = svg(picture(world()))
    boxes = [place(each) for each in rectangles(image, "node")]
    assert all(apart(a, b) for number, a in enumerate(boxes) for b in boxes[:number])
    (frame,) = map(place, rectangles(image, "cycle"))
    inside = [box for box in boxes if not apart(box, frame)]
    assert len(inside) == 2
    assert all(box[0] > frame[0] and box[2] < frame[2] and box[1] > frame[1] and box[3] < frame[3] for box in inside)


def test_a_cycle_without_a_seed_is_red() -> None:
    found = World.of(node("a@1", "b@1"), node("b@1", "a@1"))
    shown = picture(found)
    (frame,) = rectangles(svg(shown), "cycle")
    assert frame.get("stroke") == "#c00000"
    assert 'color="#c00000"' in dot(shown)
    assert "stroke:#c00000" in mermaid(shown)


def test_an_image_of_nothing() -> None:
    assert rectangles(svg(picture(World.of())), "node") == []


PROGRAM = """
from farm.catalog.drawing.picture import Box, Line, Picture
from farm.catalog.drawing.svg import svg
names = [f"python/p{number}@1:t" for number in range(40)]
lines = [Line(a, b, ("build",)) for i, a in enumerate(names) for j, b in enumerate(names) if j > i and (i * j) % 7 == 1]
print(svg(Picture({name: Box(name, name, "current") for name in names}, tuple(lines), (), ())))
"""


def test_the_same_graph_gives_the_same_image_in_every_process() -> None:
    texts = {
        subprocess.check_output([sys.executable, "-P", "-c", PROGRAM], env={**os.environ, "PYTHONHASHSEED": seed})
        for seed in ("1", "2")
    }
    assert len(texts) == 1


@given(st.permutations(range(12)), st.sets(st.tuples(st.integers(0, 11), st.integers(0, 11)), max_size=30))
def test_lines_lead_to_the_right(order: list[int], pairs: set[tuple[int, int]]) -> None:
    sizes = {f"n{number}": (50.0 + 10 * number, 20.0 + 7 * number) for number in order}
    lines = [(f"n{order[a]}", f"n{order[b]}") for a, b in sorted(pairs) if a < b]
    layout = lay_out(sizes, lines)
    assert layout.places.keys() == sizes.keys()
    boxes = {name: (x, y, x + sizes[name][0], y + sizes[name][1]) for name, (x, y) in layout.places.items()}
    assert all(boxes[a][2] < boxes[b][0] for a, b in lines)
    assert set(layout.ways) == set(lines)
    assert all(apart(boxes[a], boxes[b]) for a in boxes for b in boxes if a < b)
    assert all(box[2] <= layout.size[0] + 0.1 and box[3] <= layout.size[1] + 0.1 for box in boxes.values())


# --- names that somebody else chose -----------------------------------------------------------------------------------


def hostile() -> Picture:
    boxes = {name: Box(name, name, "current", why=HOSTILE) for name in (HOSTILE, "python/b@1:t")}
    return Picture(boxes, (Line(HOSTILE, "python/b@1:t", ("build",)),), (), ())


def test_a_hostile_name_stays_a_name_in_an_image() -> None:
    image = svg(hostile())
    assert {each.tag for each in fromstring(image).iter()} == {
        f"{SVG}{tag}" for tag in ("svg", "title", "defs", "marker", "path", "rect", "g", "text")
    }
    assert any(each.text and each.text.startswith('a"]; evil') for each in fromstring(image).iter(f"{SVG}text"))


def test_a_hostile_name_stays_a_name_for_graphviz() -> None:
    text = dot(hostile())
    without = re.sub(r'"(?:[^"\\]|\\.)*"', '""', text)
    assert "evil" not in without
    assert "script" not in without
    assert '"' not in without.replace('""', "")


def test_a_hostile_name_stays_a_name_in_mermaid() -> None:
    text = mermaid(hostile())
    assert "script>" not in text
    assert "%%" not in text
    assert re.fullmatch(r'  n1\["[A-Za-z0-9 ./@:,_+#;-]+<br>current"\]', text.splitlines()[1])


@given(st.text())
def test_quoted_names_of_graphviz_read_back(text: str) -> None:
    quoted = dot_name(text)
    assert re.fullmatch(r'"(?:[^"\\\n]|\\.)*"', quoted)
    plain = re.sub(r"\\(.)", r"\1", quoted[1:-1])
    assert plain == " ".join(without_controls(text).split())


@given(st.text())
def test_quoted_labels_of_graphviz_hold_no_entity(text: str) -> None:
    assert re.fullmatch(r'"(?:[^"\\\n&]|\\.|&amp;)*"', dot_label(text))


@given(st.text())
def test_texts_of_mermaid_read_back(text: str) -> None:
    quoted = mermaid_text(text)
    assert re.fullmatch(r'"[A-Za-z0-9 ./@:,_+#;-]*"', quoted)
    plain = re.sub(r"#(\d+);", lambda found: chr(int(found[1])), quoted[1:-1])
    assert plain == " ".join(without_controls(text).split())


@given(st.text(st.characters(codec=None)))
def test_texts_of_an_image_are_what_xml_allows(text: str) -> None:
    boxes = {"a": Box("a", text, "current", why=text)}
    root = fromstring(svg(Picture(boxes, (), (), ())))
    assert xml_text(text) in {each.text or "" for each in root.iter(f"{SVG}text")}


def test_a_changed_state_shows() -> None:
    found = world()
    found.change("base@1", recipe=digest("other"))
    assert 'class="node changed"' in svg(picture(found))
