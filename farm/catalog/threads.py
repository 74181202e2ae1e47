"""An executor of this process's own threads: a rebuild without a Prefect server."""

from __future__ import annotations

import time
from concurrent.futures import ThreadPoolExecutor
from typing import TYPE_CHECKING, Self

from farm import log
from farm.catalog.ended import Ended
from farm.catalog.night import NodeEnd
from farm.errors import FarmError

if TYPE_CHECKING:
    from collections.abc import Callable
    from concurrent.futures import Future
    from types import TracebackType

    from farm.catalog.night import NodeRun

__all__ = ["ThreadExecutor", "ended_by"]

_logger = log.get(__name__)


def ended_by(error: BaseException, node_id: str, seconds: float) -> NodeEnd:
    """Return the end of a node whose work raised `error`: a defect counts as a failure of this node alone."""
    message, code = f"{type(error).__name__}: {error}", FarmError.exit_code
    if isinstance(error, FarmError):
        message, code = error.message, error.exit_code
    return NodeEnd(
        id=node_id,
        state="failed",
        seconds=seconds,
        message=message.strip().partition("\n")[0],
        error=type(error).__name__,
        exit_code=code,
    )


class ThreadExecutor:
    """Runs up to `jobs` nodes side by side (`farm.catalog.night.Executor`). A context manager: it waits at the end."""

    def __init__(self, jobs: int) -> None:
        self._pool = ThreadPoolExecutor(max_workers=jobs, thread_name_prefix="node")
        self._ended = Ended()

    def __enter__(self) -> Self:
        return self

    def __exit__(
        self, kind: type[BaseException] | None, error: BaseException | None, trace: TracebackType | None
    ) -> None:
        # What has not begun does not begin any more; what has is not left half-done.
        self._pool.shutdown(wait=True, cancel_futures=True)

    def start(self, node: NodeRun, work: Callable[[], NodeEnd]) -> None:
        """Begin `work` in a thread."""
        begun = time.monotonic()

        def body() -> NodeEnd:
            with log.about(node.shown):
                return work()

        def ended(future: Future[NodeEnd]) -> None:
            if future.cancelled():
                return  # nobody waits any more
            error = future.exception()
            if error is not None and not isinstance(error, FarmError):
                _logger.error("a defect ended the node", package=node.shown, exc_info=error)
            end = future.result() if error is None else ended_by(error, node.id, time.monotonic() - begun)
            self._ended.put(end)

        self._ended.begun()
        self._pool.submit(body).add_done_callback(ended)

    def wait(self) -> tuple[NodeEnd, ...]:
        """Return the nodes that have ended since the last call, at least one.

        Raises:
            RuntimeError: nothing is running.
        """
        return self._ended.wait()
