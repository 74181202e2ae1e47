"""Sources before it is the turn of their nodes: while others wait for what they need, one source at a time is fetched.

What needs what leaves slots empty again and again, and a source needs nothing.
"""

from __future__ import annotations

from concurrent.futures import ThreadPoolExecutor, wait
from typing import TYPE_CHECKING, Self

if TYPE_CHECKING:
    from collections.abc import Callable, Iterable
    from concurrent.futures import Future
    from types import TracebackType

    from farm.catalog.nodes import Node

__all__ = ["Ahead"]


class Ahead:
    """Fetches sources beside the slots. A context manager: at its end nothing is begun any more, and nothing runs.

    Args:
        fetch: brings the source of a node into the vault. What it raises is of no account: the node itself meets the
            same, and says it.
    """

    def __init__(self, fetch: Callable[[Node], None]) -> None:
        self._fetch = fetch
        # A thread is made with the first source: a night without work has none.
        self._pool = ThreadPoolExecutor(max_workers=1, thread_name_prefix="ahead")
        self._futures: dict[str, Future[None]] = {}

    def __enter__(self) -> Self:
        return self

    def __exit__(
        self, kind: type[BaseException] | None, error: BaseException | None, trace: TracebackType | None
    ) -> None:
        self._pool.shutdown(wait=True, cancel_futures=True)

    def begin(self, nodes: Iterable[Node]) -> None:
        """Fetch the sources of `nodes`, in this order; one that several have, once."""
        for node in nodes:
            if node.source not in self._futures:
                self._futures[node.source] = self._pool.submit(self._fetch, node)

    def leave(self, node: Node) -> None:
        """Say that the turn of `node` has come: its source is not begun any more, and waited for where it is."""
        future = self._futures.get(node.source)
        if future is not None and not future.cancel():
            wait([future])
