"""The one place that writes to the terminal: text for people, JSON for machines."""

from __future__ import annotations

import json
import sys
import time
from contextlib import contextmanager
from dataclasses import dataclass
from typing import TYPE_CHECKING, Any

from rich.console import Console
from rich.table import Table

if TYPE_CHECKING:
    from collections.abc import Iterator, Sequence

    from farm.errors import FarmError

__all__ = ["Renderer"]


@dataclass
class Renderer:
    """Text to stdout and progress to stderr, or one JSON document to stdout."""

    json: bool = False

    def __post_init__(self) -> None:
        self.out = Console(highlight=False, soft_wrap=True)
        self.err = Console(stderr=True, highlight=False, soft_wrap=True)

    def line(self, text: str = "") -> None:
        """Print a line for people; nothing with `--json`. Rich markup is read."""
        if not self.json:
            self.out.print(text)

    def plain(self, text: str) -> None:
        """Print text from elsewhere: no markup is read in it."""
        if not self.json:
            self.out.print(text, markup=False)

    def note(self, text: str) -> None:
        """Print progress to stderr: never part of the result."""
        self.err.print(text)

    def data(self, value: Any) -> None:
        """Print the JSON document; nothing for people."""
        if self.json:
            sys.stdout.write(json.dumps(value, indent=2, sort_keys=True, ensure_ascii=False) + "\n")

    def table(self, columns: Sequence[str], rows: Sequence[Sequence[str]]) -> None:
        """Print a table for people."""
        if self.json:
            return
        table = Table(box=None, pad_edge=False, header_style="bold")
        for column in columns:
            table.add_column(column, overflow="fold")
        for row in rows:
            table.add_row(*row)
        self.out.print(table)

    def error(self, error: FarmError) -> None:
        """Print an error: what happened, what to do, its code."""
        if self.json:
            self.data(error.as_json())
            return
        self.err.print(f"[bold red]{type(error).__name__}[/] (exit code {error.exit_code})", highlight=False)
        self.err.print(error.message, markup=False, highlight=False)
        self.err.print(f"→ {error.remedy}", markup=False, highlight=False)

    @contextmanager
    def step(self, name: str) -> Iterator[StepLine]:
        """Show a step while it runs and its time when it is over."""
        line = StepLine()
        start = time.monotonic()
        if self.json or not self.err.is_terminal:
            yield line
        else:
            with self.err.status(f"{name} …"):
                yield line
        if not self.json:
            seconds = time.monotonic() - start
            self.err.print(f"[green]✓[/] {name:<8} {seconds:6.1f} s  {line.text}", highlight=False)


@dataclass
class StepLine:
    """What a step says in one line when it is over."""

    text: str = ""
