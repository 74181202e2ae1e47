"""YAML text → plain values and the line and column of each; nothing in the text can run, expand or hide anything.

YAML 1.2 with what a recipe needs: mappings with text keys, lists, text, numbers, true/false, null. Tags, merge keys,
duplicate keys and several documents are problems; size, depth and the values that aliases expand to are limited.
"""

from __future__ import annotations

import math
from dataclasses import dataclass, field
from typing import TYPE_CHECKING, Any, NoReturn

from ruamel.yaml import YAML
from ruamel.yaml.error import MarkedYAMLError, YAMLError
from ruamel.yaml.events import (
    AliasEvent,
    CollectionEndEvent,
    CollectionStartEvent,
    DocumentStartEvent,
    NodeEvent,
)
from ruamel.yaml.nodes import MappingNode, ScalarNode, SequenceNode
from ruamel.yaml.parser import Parser

from farm.recipe.problem import Place, Problem

if TYPE_CHECKING:
    from ruamel.yaml.error import StreamMark
    from ruamel.yaml.events import Event
    from ruamel.yaml.nodes import Node

__all__ = ["MAX_BYTES", "Document", "read_document"]

MAX_BYTES = 256 * 1024
"""Size of a recipe file."""
_MAX_DEPTH = 16
_MAX_ALIASES = 32
_MAX_VALUES = 20_000

_PREFIX = "tag:yaml.org,2002:"


@dataclass(frozen=True)
class Document:
    """The values of a recipe file, where each stands, and what was wrong with the text."""

    path: str
    value: Any = None
    keys: dict[Place, tuple[int, int]] = field(default_factory=dict)
    """Place → line and column of its key (of the item, in lists)."""
    values: dict[Place, tuple[int, int]] = field(default_factory=dict)
    """Place → line and column of its value."""
    problems: tuple[Problem, ...] = ()

    def position(self, place: Place, *, key: bool = False) -> tuple[int, int]:
        """Return line and column of `place`, or of the nearest place around it that is in the file."""
        table = self.keys if key else self.values
        for end in range(len(place), -1, -1):
            found = table.get(place[:end])
            if found is not None:
                return found
            table = self.keys  # outside of the place itself the key is the better landmark
        return (1, 1)


def read_document(text: str, path: str) -> Document:
    """Read `text`; `path` is what problems call it. Never raises for what is in the text."""
    if len(text.encode("utf-8", "surrogatepass")) > MAX_BYTES:
        return _failed(path, None, f"larger than {MAX_BYTES // 1024} KiB")
    try:
        yaml = YAML(typ="safe", pure=True)
        yaml.Parser = _Parser
        root: Node | None = yaml.compose(text)
    except MarkedYAMLError as error:
        return _failed(path, error.problem_mark or error.context_mark, error.problem or error.context or "no YAML")
    except YAMLError as error:
        return _failed(path, None, str(error).splitlines()[0])
    if root is None:
        return _failed(path, None, "the file is empty")
    builder = _Builder(path)
    value = builder.build(root, ())
    return Document(path, value, builder.keys, builder.values, tuple(builder.problems))


def _failed(path: str, mark: StreamMark | None, message: str) -> Document:
    line, column = (mark.line + 1, mark.column + 1) if mark is not None else (1, 1)
    return Document(path, problems=(Problem(path=path, line=line, column=column, message=message),))


class _Parser(Parser):
    """Hands on events as long as they are what a recipe may have: composing recurses, so depth is limited before it."""

    depth = aliases = documents = 0

    def get_event(self) -> Any:
        """Return the next event.

        Raises:
            MarkedYAMLError: it is one too many, or too deep, or has a tag.
        """
        event: Any = super().get_event()
        if isinstance(event, CollectionEndEvent):
            self.depth -= 1
        elif isinstance(event, NodeEvent):
            self._look(event)
        elif isinstance(event, DocumentStartEvent):
            self.documents += 1
            if self.documents > 1:
                _refuse(event, "a recipe is one document; a second one begins here")
        return event

    def _look(self, event: NodeEvent) -> None:
        if isinstance(event, CollectionStartEvent):
            self.depth += 1
            if self.depth > _MAX_DEPTH:
                _refuse(event, f"nested deeper than {_MAX_DEPTH} levels")
        elif isinstance(event, AliasEvent):
            self.aliases += 1
            if self.aliases > _MAX_ALIASES:
                _refuse(event, f"more than {_MAX_ALIASES} aliases")
            return
        tag = getattr(event, "tag", None)
        if tag is not None:
            _refuse(event, f"tags such as {tag} are not part of a recipe")


def _refuse(event: Event, message: str) -> NoReturn:
    raise MarkedYAMLError(problem=message, problem_mark=event.start_mark)


class _Builder:
    """Turns nodes into values and keeps where they stand."""

    def __init__(self, path: str) -> None:
        self.path = path
        self.keys: dict[Place, tuple[int, int]] = {}
        self.values: dict[Place, tuple[int, int]] = {}
        self.problems: list[Problem] = []
        self.count = 0
        self.expanded = False

    def build(self, node: Node, place: Place) -> Any:
        self.values[place] = _start(node)
        self.count += 1
        if self.count > _MAX_VALUES or len(place) > _MAX_DEPTH:
            if not self.expanded:
                self.complain(node, "aliases expand too far")
            self.expanded = True
            return None
        if isinstance(node, MappingNode):
            return self.mapping(node, place)
        if isinstance(node, SequenceNode):
            items = []
            for index, item in enumerate(node.value):
                self.keys[*place, index] = _start(item)
                items.append(self.build(item, (*place, index)))
            return items
        return self.scalar(node)

    def mapping(self, node: MappingNode, place: Place) -> dict[str, Any]:
        result: dict[str, Any] = {}
        for key, value in node.value:
            if not isinstance(key, ScalarNode):
                self.complain(key, "a key is text")
            elif key.tag != _PREFIX + "str":
                self.complain(key, f"the key {key.value} is not text for YAML: put it into quotes")
            elif key.value in result:
                first = self.keys[*place, key.value][0]
                self.complain(key, f"the key {key.value!r} is there already, in line {first}")
            else:
                self.keys[*place, key.value] = _start(key)
                result[key.value] = self.build(value, (*place, key.value))
        return result

    def scalar(self, node: Node) -> Any:
        kind = str(node.tag).removeprefix(_PREFIX)
        text = str(node.value)
        try:
            if kind == "null":
                return None
            if kind == "bool":
                return text.lower() == "true"
            if kind == "int":
                return int(text.replace("_", ""), 0)
            if kind == "float":
                return self.number(node, float(text.replace("_", "")))
        except ValueError:
            self.complain(node, f"{text!r} is a number that a recipe does not know")
            return None
        # Dates and whatever else YAML may see in plain text stay the text they are.
        return text

    def number(self, node: Node, value: float) -> float | None:
        if math.isfinite(value):
            return value
        self.complain(node, "a number is finite")
        return None

    def complain(self, node: Node, message: str) -> None:
        line, column = _start(node)
        self.problems.append(Problem(path=self.path, line=line, column=column, message=message))


def _start(node: Node) -> tuple[int, int]:
    return node.start_mark.line + 1, node.start_mark.column + 1
