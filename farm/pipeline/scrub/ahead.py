"""Work over a stream in several threads, a bounded number of items ahead."""

from __future__ import annotations

from collections import deque
from concurrent.futures import ThreadPoolExecutor
from itertools import islice
from typing import TYPE_CHECKING, Final, TypeVar

if TYPE_CHECKING:
    from collections.abc import Callable, Iterable, Iterator
    from concurrent.futures import Future

__all__ = ["each"]

_T = TypeVar("_T")
_R = TypeVar("_R")

_THREADS: Final = 8
_AHEAD: Final = 4 * _THREADS
"""Items that are taken from the stream before their turn: enough to keep all threads busy."""


def each(work: Callable[[_T], _R], items: Iterable[_T]) -> Iterator[tuple[_T, _R]]:
    """Yield every item with what `work` returns for it, in their order.

    What `work` raises is raised here. When the caller stops, what has not begun is not begun any more.
    """
    stream = iter(items)
    waiting: deque[tuple[_T, Future[_R]]] = deque()
    pool = ThreadPoolExecutor(max_workers=_THREADS)
    try:
        waiting.extend((item, pool.submit(work, item)) for item in islice(stream, _AHEAD))
        while waiting:
            item, future = waiting.popleft()
            result = future.result()
            waiting.extend((more, pool.submit(work, more)) for more in islice(stream, 1))
            yield item, result
    finally:
        pool.shutdown(cancel_futures=True)
