"""A flow that tests send through the real worker: farm's way of running steps, over steps that the test chooses."""

from __future__ import annotations

from typing import Any

from prefect import flow
from prefect.states import Completed, Failed

from farm import log
from farm.config import load_settings
from farm.errors import FarmError, LockStaleError, StoreUnavailableError
from farm.flows import build
from farm.flows.logs import forward
from farm.flows.verdict import as_message
from farm.pipeline.runtime import Runtime

_logger = log.get(__name__)
_tries: list[int] = []


def _good(_rt: Runtime, words: str) -> str:
    _logger.info("a step at work", words=words, umask_of="builds")
    return words


def _flaky(_rt: Runtime) -> int:
    _tries.append(1)
    if len(_tries) < 3:
        raise StoreUnavailableError("the store is away for a moment")
    return len(_tries)


def _stale(_rt: Runtime) -> None:
    _tries.append(1)
    raise LockStaleError(f"the lock is stale (try {len(_tries)})")


@flow(name="for_tests")
def chosen(mode: str) -> Any:
    forward()
    tasks = build._Tasks(Runtime(load_settings()), "python/sample@1.0", build._run_id())
    try:
        if mode == "good":
            tasks("first", _good, "hello")
            return Completed(message="all went well")
        if mode == "flaky":
            return Completed(message=f"after {tasks('flaky', _flaky)} tries")
        tasks("stale", _stale)
    except FarmError as error:
        return Failed(message=as_message(error))
    return Completed(message="unexpected")
