"""Runs the nodes of a rebuild as Prefect tasks: one task run for each, its edges the needs, its log the node's own.

Imports Prefect: only the worker's processes import this module.
"""

from __future__ import annotations

import time
from typing import TYPE_CHECKING, Any, cast

from prefect import allow_failure, task
from prefect.cache_policies import NO_CACHE
from prefect.context import TaskRunContext
from prefect.states import Completed, Failed

from farm import log
from farm.catalog.ended import Ended
from farm.catalog.threads import ended_by
from farm.errors import FarmError, registry
from farm.flows.verdict import in_words

if TYPE_CHECKING:
    from collections.abc import Callable
    from concurrent.futures import Future

    from prefect.client.schemas.objects import State
    from prefect.futures import PrefectConcurrentFuture, PrefectFuture

    from farm.catalog.night import NodeEnd, NodeRun

__all__ = ["PrefectExecutor", "as_state"]

_logger = log.get(__name__)


def as_state(end: NodeEnd) -> State[Any]:
    """Return the state of a task whose node ended with `end`; its name is the node's state.

    Blocked and drifted nodes are of Prefect's type FAILED: the only one besides COMPLETED that a task can wait for.
    """
    if end.state in {"built", "unchanged", "reproduced"}:
        return Completed(name=end.state.capitalize(), message=end.message or None)
    if end.state in {"blocked", "drifted"}:
        return Failed(name=end.state.capitalize(), message=end.message or None)
    known = registry().get(end.exit_code)
    if known is None or known.__name__ != end.error:
        return Failed(message=end.message or end.error)
    return Failed(message=in_words(known(end.message)))


class PrefectExecutor:
    """Submits nodes to the task runner of the flow that runs now (`farm.catalog.night.Executor`).

    To be used from the flow's own thread, with a runner that does not limit how many tasks run: what is started here
    has its room already.
    """

    def __init__(self) -> None:
        self._ended = Ended()
        self._futures: dict[str, PrefectFuture[Any]] = {}

    def start(self, node: NodeRun, work: Callable[[], NodeEnd]) -> None:
        """Begin `work` in a task run called as the node is, tagged with its ecosystem and package."""
        begun = time.monotonic()
        ends: list[NodeEnd] = []

        def body() -> State[Any]:
            _tag(node)
            with log.about(node.shown):
                try:
                    end = work()
                except FarmError as error:
                    # A state instead of an exception: Prefect would log a trace of farm's insides.
                    end = ended_by(error, node.id, time.monotonic() - begun)
                ends.append(end)
                state = as_state(end)
                if state.is_completed():  # Prefect logs the message of a failure
                    _logger.info(
                        end.state, seconds=round(end.seconds, 1), **({"why": end.message} if end.message else {})
                    )
                return state

        def ended(future: PrefectFuture[Any]) -> None:
            # A task that has no end to tell met a defect; Prefect logged its trace.
            defect = _defect(cast("PrefectConcurrentFuture[Any]", future).wrapped_future)
            self._ended.put(ends[0] if ends else ended_by(defect, node.id, time.monotonic() - begun))

        made = task(
            name=node.package,
            task_run_name=node.shown,
            cache_policy=NO_CACHE,
            persist_result=False,
        )(body)
        # They have ended: nothing is waited for, but the graph of the run shows who needed whom.
        needs = [allow_failure(self._futures[needed]) for needed in node.needs if needed in self._futures]
        future = made.submit(return_state=False, wait_for=needs)
        self._ended.begun()
        self._futures[node.id] = future
        future.add_done_callback(ended)

    def wait(self) -> tuple[NodeEnd, ...]:
        """Return the nodes that have ended since the last call, at least one.

        Raises:
            RuntimeError: nothing is running.
        """
        return self._ended.wait()


def _tag(node: NodeRun) -> None:
    """Tag the task run that runs now with its ecosystem and package.

    Now, not when it is submitted: for each tag that a task begins with, Prefect asks the server for a place below a
    limit of that tag, with a client and a thread for each set of tags: half a second for each package.
    """
    context = TaskRunContext.get()
    if context is not None:
        context.task_run.tags = [node.ecosystem, node.package]


def _defect(future: Future[Any]) -> BaseException:
    """Return what ended a task that has no end to tell."""
    if future.cancelled():
        return RuntimeError("the task was cancelled")
    error = future.exception()
    if error is not None:
        return error
    state = future.result()
    data = getattr(state, "data", None)
    return data if isinstance(data, BaseException) else RuntimeError(f"the task ended as {state}")
