"""The worker of this host: `python -m farm.flows.worker`.

One process that waits for the Prefect server, registers the deployment and then polls the work pool: `prefect worker
start` would be a second import of Prefect. Configured by FARM_* and PREFECT_* variables; ended by SIGTERM.
"""

from __future__ import annotations

import asyncio
import os
import sys
import time
from typing import TYPE_CHECKING

import httpx
from prefect.settings import get_current_settings
from prefect.utilities.processutils import setup_signal_handlers_worker
from prefect.workers.process import ProcessWorker

from farm import log
from farm.config import load_settings
from farm.errors import FarmError, PrefectUnavailableError
from farm.flows.deploy import register
from farm.services.health import http_ok

if TYPE_CHECKING:
    from farm.config import Settings

__all__ = ["main"]

_WAIT_SECONDS = 300.0


def _wait_for_server() -> None:
    """Wait until the server answers.

    Raises:
        PrefectUnavailableError: none is configured, or it does not answer in time.
    """
    api = get_current_settings().api.url
    if not api:
        raise PrefectUnavailableError("PREFECT_API_URL is not set")
    probe, deadline = http_ok(f"{api}/health"), time.monotonic() + _WAIT_SECONDS
    while wrong := probe(""):
        if time.monotonic() >= deadline:
            raise PrefectUnavailableError(f"{api} does not answer: {wrong}")
        time.sleep(0.5)


async def _work(settings: Settings) -> None:
    logger = log.get(__name__)
    await register(settings)
    logger.info("deployments registered", work_pool=settings.work_pool)
    setup_signal_handlers_worker(os.getpid(), "the worker", logger.info)
    worker = ProcessWorker(work_pool_name=settings.work_pool, name=settings.worker)
    try:
        await worker.start(printer=logger.info)
    except asyncio.CancelledError:
        logger.info("worker stopped")


def main() -> int:
    """Run until SIGTERM; return the exit code."""
    log.configure()
    logger = log.get(__name__)
    try:
        settings = load_settings()
        _wait_for_server()
        asyncio.run(_work(settings))
    except FarmError as error:
        logger.error("worker cannot start", error=error.message, remedy=error.remedy)  # noqa: TRY400 - words, no trace
        return error.exit_code
    except httpx.HTTPError as error:
        logger.error("the Prefect server refused or went away", error=str(error))  # noqa: TRY400 - words, no trace
        return PrefectUnavailableError.exit_code
    except KeyboardInterrupt:
        logger.info("worker stopped")
    return 0


if __name__ == "__main__":
    sys.exit(main())
