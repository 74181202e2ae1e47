"""What an executor has under way: how many pieces of work, and the ends of those that are over."""

from __future__ import annotations

import queue
from typing import TYPE_CHECKING

if TYPE_CHECKING:
    from farm.catalog.night import NodeEnd

__all__ = ["Ended"]


class Ended:
    """The ends of work that was begun; safe for the threads that do it."""

    def __init__(self) -> None:
        self._ends: queue.SimpleQueue[NodeEnd] = queue.SimpleQueue()
        self._running = 0

    def begun(self) -> None:
        """Count one more piece of work, which an end will come of. To be called where `wait` is."""
        self._running += 1

    def put(self, end: NodeEnd) -> None:
        """Tell how a piece of work ended."""
        self._ends.put(end)

    def wait(self) -> tuple[NodeEnd, ...]:
        """Return the ends that came since the last call, at least one.

        Raises:
            RuntimeError: nothing is running.
        """
        if not self._running:
            msg = "waiting for nodes, but none is running"
            raise RuntimeError(msg)
        ends = [self._ends.get()]
        while not self._ends.empty():
            ends.append(self._ends.get())
        self._running -= len(ends)
        return tuple(ends)
