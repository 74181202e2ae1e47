"""What a rebuild in this process shows while it runs."""

from __future__ import annotations

from typing import TYPE_CHECKING

if TYPE_CHECKING:
    from collections.abc import Callable

    from farm.catalog.night import Executor, NodeEnd, NodeRun
    from farm.cli.render import Board

__all__ = ["Watched"]

_MARKS = {"failed": ("✗", "red"), "drifted": ("≠", "red"), "blocked": ("-", "yellow")}


class Watched:
    """An executor (`farm.catalog.night.Executor`) that shows on a board what runs and what ended."""

    def __init__(self, executor: Executor, board: Board) -> None:
        self._executor = executor
        self._board = board
        self._names: dict[str, str] = {}

    def start(self, node: NodeRun, work: Callable[[], NodeEnd]) -> None:
        """Begin `work` and show the node as running."""
        self._names[node.id] = node.shown
        self._board.begin(node.shown)
        self._executor.start(node, work)

    def wait(self) -> tuple[NodeEnd, ...]:
        """Return what has ended, and say it."""
        ends = self._executor.wait()
        for end in ends:
            name = self._names.get(end.id, end.id)
            mark = _MARKS.get(end.state, ("✓", "green"))
            self._board.end(name, mark, f" {end.state:<10} {end.seconds:6.1f} s  {name}  {end.message}".rstrip())
        return ends
