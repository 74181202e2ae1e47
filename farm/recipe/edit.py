"""Adding a version to a recipe's text: the new entry is put between two characters, and all others stay as they are.

Where it goes is read from the positions of the YAML events; that nothing but the entry was added is checked on the
values of both texts. To write the whole document again, however carefully, would change spaces and line breaks that
somebody chose.
"""

from __future__ import annotations

import json
import re
from dataclasses import dataclass, field
from typing import TYPE_CHECKING, Any

from ruamel.yaml import YAML
from ruamel.yaml.error import YAMLError
from ruamel.yaml.events import AliasEvent, CollectionEndEvent, CollectionStartEvent, ScalarEvent

from farm.errors import RecipeEditError
from farm.languages import language
from farm.recipe.load import problems_error, read_text

if TYPE_CHECKING:
    from collections.abc import Iterator

    from ruamel.yaml.events import Event

    from farm.recipe.model import Recipe

__all__ = ["with_version"]

_NEWLINE = re.compile(r"\r\n|\n|\r")
_TEXT = "tag:yaml.org,2002:str"


@dataclass
class _Piece:
    """A node of the text: where it stands, how it is written, what is in it (of a mapping: keys and values in turn)."""

    start: int
    end: int
    """Behind its last character; of block collections, behind that of what is last in it."""
    column: int
    style: str = ""
    """Of a scalar: `'`, `"`, `|`, `>`, empty for plain."""
    text: str = ""
    flow: bool = False
    """Whether it is written in braces or brackets."""
    inner: list[_Piece] = field(default_factory=list)

    def pairs(self) -> Iterator[tuple[_Piece, _Piece]]:
        """Yield the keys and values of a mapping."""
        return zip(self.inner[::2], self.inner[1::2], strict=True)


def with_version(text: str, shown: str, version: str, pin: str) -> str:
    """Return the text of a recipe with one version more, behind the last exact one.

    Args:
        text: of a recipe without problems.
        shown: what messages call it.
        version: as it is to be spelled; the recipe does not have it.
        pin: its commit or SHA-256, whichever pins the recipe's source.

    Raises:
        RecipeError, SourcePinError: the recipe has problems.
        RecipeEditError: the entry cannot be added without changing more than that.
    """
    reading = read_text(text, shown)
    if reading.recipe is None or reading.problems:
        raise problems_error(reading.problems)
    key = "commit" if reading.recipe.source.git is not None else "sha256"
    expected = _expected(reading.document.value, reading.recipe, version, {key: pin})
    for place, entry in _entries(text, reading.recipe, version, key, pin):
        new = text[:place] + entry + text[place:]
        again = read_text(new, shown)
        if _same(again.document.value, expected) and not again.problems:
            return new
    msg = f"{shown}: the version {version} cannot be added without changing more of the file; its {key} is {pin}"
    raise RecipeEditError(msg, details={"version": version, key: pin})


def _expected(value: Any, recipe: Recipe, version: str, entry: dict[str, str]) -> Any:
    versions: dict[str, Any] = {}
    for key, old in value["versions"].items():
        versions[key] = old
        if key == recipe.pinned[-1]:
            versions[version] = entry
    return {**value, "versions": versions}


def _same(found: Any, expected: Any) -> bool:
    """Compare with the order of keys, which decides between overrides."""
    return json.dumps(found) == json.dumps(expected)


def _entries(text: str, recipe: Recipe, version: str, key: str, pin: str) -> Iterator[tuple[int, str]]:
    """Yield where the entry can go, and how it is written there, the likeliest first."""
    versions = _find_versions(text)
    if versions is None:
        return
    naming = language(recipe.ecosystem).naming
    name, value = [(name, value) for name, value in versions.pairs() if not naming.is_range(name.text)][-1]
    # The new entry is written as its neighbour is.
    pin_key, pin_value = next(((k, v) for k, v in value.pairs() if k.text == key), (None, None))
    words = {
        "name": _scalar(version, name.style),
        "key": _scalar(key, pin_key.style if pin_key else ""),
        "pin": _scalar(pin, pin_value.style if pin_value else ""),
    }
    brace = " " if value.flow and text[value.start + 1 : value.start + 2] == " " else ""
    inside = f"{{{brace}{words['key']}: {words['pin']}{brace}}}"
    if versions.flow:
        yield value.end, f", {words['name']}: {inside}"
        return
    newline = found[0] if (found := _NEWLINE.search(text)) else "\n"
    indent = " " * name.column
    if value.flow:
        lines = [f"{indent}{words['name']}: {inside}"]
    else:
        deeper = " " * (value.inner[0].column if value.inner else name.column + 2)
        lines = [f"{indent}{words['name']}:", f"{deeper}{words['key']}: {words['pin']}"]
    for place in _line_starts(text, max(name.end, value.end), name.column):
        ended = place == 0 or text[place - 1] in "\r\n"
        block = newline.join(lines)
        yield place, block + newline if ended else newline + block


def _line_starts(text: str, end: int, column: int) -> Iterator[int]:
    """Yield where the line behind an entry begins, the comments that belong to the entry passed over."""
    body = text[:end]
    if body[-1:] in {"\n", "\r"}:  # a block scalar, which ends with its line, or with empty lines that are part of it
        stripped = body.rstrip()
        after = _NEWLINE.search(text, len(stripped))
        yield _past_comments(text, after.end() if after else len(text), column)
        yield end
        return
    after = _NEWLINE.search(text, end)
    yield _past_comments(text, after.end() if after else len(text), column)


def _past_comments(text: str, place: int, column: int) -> int:
    while found := re.compile(rf" {{{column + 1},}}#[^\r\n]*(?:\r\n|\n|\r|$)").match(text, place):
        place = found.end()
    return place


def _scalar(text: str, style: str) -> str:
    """Write a scalar in the style of its neighbour, quoted where it would else be a number, or no scalar at all."""
    if style == "'":
        return "'" + text.replace("'", "''") + "'"
    return json.dumps(text) if style or not _is_plain(text) else text


def _is_plain(text: str) -> bool:
    try:
        node = YAML(typ="safe", pure=True).compose(text)
    except YAMLError:
        return False
    return node is not None and str(node.tag) == _TEXT and node.value == text and node.style is None


def _find_versions(text: str) -> _Piece | None:
    events = iter(YAML(typ="safe", pure=True).parse(text))
    first = next(event for event in events if isinstance(event, CollectionStartEvent | ScalarEvent | AliasEvent))
    root = _piece(first, events)
    return next((value for key, value in root.pairs() if key.text == "versions" and value.inner), None)


def _piece(event: Event, events: Iterator[Event]) -> _Piece:
    """Make the node that begins with `event`; its depth was limited when the document was read."""
    start, end = event.start_mark, event.end_mark
    made = _Piece(start.index, end.index, start.column)
    if isinstance(event, ScalarEvent):
        made.style, made.text = event.style or "", event.value
    if isinstance(event, CollectionStartEvent):
        made.flow = bool(event.flow_style)
        for inner in events:
            if isinstance(inner, CollectionEndEvent):
                if made.flow:
                    made.end = inner.end_mark.index
                break
            made.inner.append(_piece(inner, events))
            made.end = made.inner[-1].end
    return made
