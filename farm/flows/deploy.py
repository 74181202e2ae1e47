"""Registering what the worker runs: work pool and deployment of `build_package`. Saying it again changes nothing."""

from __future__ import annotations

from typing import TYPE_CHECKING

from prefect.client.orchestration import get_client
from prefect.client.schemas.actions import WorkPoolCreate
from prefect.deployments.runner import RunnerDeployment
from prefect.exceptions import ObjectNotFound
from prefect.types.entrypoint import EntrypointType
from prefect.workers.process import ProcessWorker

from farm import __version__
from farm.flows.build import build_package
from farm.services.specs import DEPLOYMENT

if TYPE_CHECKING:
    from uuid import UUID

    from farm.config import Settings

__all__ = ["register"]

# Given in full: without a command, Prefect prepares a workspace first and imports itself twice more for each run.
# `python` is found on the worker's PATH, so the deployment holds no path of one machine.
_COMMAND = "python -P -m prefect.engine"


async def register(settings: Settings) -> UUID:
    """Make sure that the work pool (type process) and the deployment are there and current; return the deployment's id.

    The code is not uploaded: workers import `farm.flows.build` from their own environment.
    """
    async with get_client() as client:
        try:
            await client.read_work_pool(settings.work_pool)
        except ObjectNotFound:
            await client.create_work_pool(
                WorkPoolCreate(
                    name=settings.work_pool,
                    type=ProcessWorker.type,
                    base_job_template=ProcessWorker.get_default_base_job_template(),
                )
            )
    deployment = RunnerDeployment.from_flow(
        build_package,
        name=DEPLOYMENT.partition("/")[2],
        description="Build, test, sign and publish one package version from its recipe.",
        version=__version__,
        tags=["farm"],
        work_pool_name=settings.work_pool,
        job_variables={"command": _COMMAND},
        entrypoint_type=EntrypointType.MODULE_PATH,
    )
    return await deployment.aapply()
