"""The one place that writes to the terminal: text for people, JSON for machines.

No markup is read in any text, and no control character gets through: much of what is shown was named by foreign code.
"""

from __future__ import annotations

import json
import re
import sys
import time
from contextlib import contextmanager
from dataclasses import dataclass, field
from typing import TYPE_CHECKING, Any

from rich.console import Console
from rich.table import Table
from rich.text import Text

from farm.text import without_controls

if TYPE_CHECKING:
    from collections.abc import Callable, Iterator, Sequence

    from farm.errors import FarmError

__all__ = ["Board", "Part", "Renderer"]

Part = str | tuple[str, str]
"""A piece of a line: text, or text and its Rich style."""

_PIPE_WIDTH = 400
"""Columns of a table that goes to a file or another program."""

_RAW_IN_JSON = re.compile(r"[\x7f-\x9f]")
"""Control characters that JSON does not ask to be escaped."""


def _text(*parts: Part) -> Text:
    """Return the line that `parts` make, fit for a terminal."""
    return Text.assemble(
        *(without_controls(part) if isinstance(part, str) else (without_controls(part[0]), part[1]) for part in parts)
    )


@dataclass
class Renderer:
    """Text to stdout and progress to stderr, or one JSON document to stdout."""

    json: bool = False

    def __post_init__(self) -> None:
        # Without a terminal nothing is folded: what reads the output wants a whole address on one line.
        self.out = Console(highlight=False, soft_wrap=True, width=None if sys.stdout.isatty() else _PIPE_WIDTH)
        self.err = Console(stderr=True, highlight=False, soft_wrap=True)

    def line(self, *parts: Part) -> None:
        """Print a line for people; nothing with `--json`."""
        if not self.json:
            self.out.print(_text(*parts))

    def note(self, *parts: Part) -> None:
        """Print progress to stderr: never part of the result."""
        self.err.print(_text(*parts))

    def data(self, value: Any) -> None:
        """Print the JSON document; nothing for people."""
        if self.json:
            document = json.dumps(value, indent=2, sort_keys=True, ensure_ascii=False)
            sys.stdout.write(_RAW_IN_JSON.sub(lambda found: f"\\u{ord(found[0]):04x}", document) + "\n")

    def table(self, columns: Sequence[str], rows: Sequence[Sequence[str]]) -> None:
        """Print a table for people."""
        if self.json:
            return
        table = Table(box=None, pad_edge=False, header_style="bold")
        for column in columns:
            table.add_column(column, overflow="fold")
        for row in rows:
            table.add_row(*map(_text, row))
        self.out.print(table)

    def error(self, error: FarmError) -> None:
        """Print an error: what happened, what to do, its code."""
        if self.json:
            self.data(error.as_json())
            return
        self.note((type(error).__name__, "bold red"), f" (exit code {error.exit_code})")
        self.note(error.message)
        self.note(f"→ {error.remedy}")

    @contextmanager
    def step(self, name: str) -> Iterator[StepLine]:
        """Show a step while it runs and, when it is over, how it ended and its time."""
        line = StepLine()
        start = time.monotonic()
        mark = ("✗", "red")
        try:
            if self.json or not self.err.is_terminal:
                yield line
            else:
                with self.err.status(_text(f"{name} …")) as status:
                    line.show = lambda text: status.update(_text(f"{name} … {text}"))
                    yield line
            mark = ("✓", "green")
        finally:
            if not self.json:
                seconds = time.monotonic() - start
                self.note(mark, f" {name:<8} {seconds:6.1f} s  {line.text}")

    @contextmanager
    def board(self) -> Iterator[Board]:
        """Show several things at work, and a line for each that ended."""
        board = Board(self)
        if self.json or not self.err.is_terminal:
            yield board
            return
        with self.err.status("") as status:
            board.show = lambda text: status.update(_text(text))
            yield board


@dataclass
class Board:
    """What is at work side by side, and how many have ended."""

    renderer: Renderer
    show: Callable[[str], None] | None = None
    running: list[str] = field(default_factory=list)
    ended: int = 0

    def begin(self, name: str) -> None:
        """Say that `name` is at work from now on."""
        self.running.append(name)
        self._refresh()

    def end(self, name: str, *line: Part) -> None:
        """Say, in a line, how `name` ended."""
        self.running.remove(name)
        self.ended += 1
        if not self.renderer.json:
            self.renderer.note(*line)
        self._refresh()

    def _refresh(self) -> None:
        if self.show is not None:
            self.show(f"{self.ended} ended; at work: {', '.join(self.running) or '-'}")


@dataclass
class StepLine:
    """What a step says in one line when it is over, and how far it is, where somebody looks on."""

    text: str = ""
    show: Callable[[str], None] | None = None

    def tell(self, text: str) -> None:
        """Say how far it is."""
        if self.show is not None:
            self.show(text)
