"""Registering what the worker runs: work pool, deployments, the nightly schedule. Saying it again changes nothing."""

from __future__ import annotations

from typing import TYPE_CHECKING, Any

from prefect.client.orchestration import get_client
from prefect.client.schemas.actions import DeploymentScheduleCreate, WorkPoolCreate
from prefect.client.schemas.schedules import CronSchedule
from prefect.deployments.runner import RunnerDeployment
from prefect.exceptions import ObjectNotFound
from prefect.types.entrypoint import EntrypointType
from prefect.workers.process import ProcessWorker

from farm import __version__
from farm.flows.build import build_package
from farm.flows.cron import checked, slug_of
from farm.flows.rebuild import rebuild_catalog
from farm.services.specs import DEPLOYMENT, NIGHTLY

if TYPE_CHECKING:
    from prefect import Flow
    from prefect.client.orchestration import PrefectClient
    from prefect.client.schemas.responses import DeploymentResponse

    from farm.config import Settings
    from farm.flows.cron import Cron

__all__ = ["register"]

# Given in full: without a command, Prefect prepares a workspace first and imports itself twice more for each run.
# `python` is found on the worker's PATH, so the deployment holds no path of one machine.
_COMMAND = "python -P -m prefect.engine"


async def register(settings: Settings) -> None:
    """Make sure that work pool (type process), deployments and the nightly schedule are there and current.

    The code is not uploaded: workers import the flows from their own environment.

    Raises:
        ScheduleError: the setting `catalog.schedule` or `catalog.timezone` is none.
    """
    cron = checked(settings.catalog.schedule, settings.catalog.timezone)
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
        await _deploy(client, settings, DEPLOYMENT, build_package, tags=["farm"])
        before = await _deploy(
            client, settings, NIGHTLY, rebuild_catalog, tags=["farm", "catalog"], parameters={"nightly": True}
        )
        await _schedule(client, before, cron)


async def _deploy(
    client: PrefectClient,
    settings: Settings,
    name: str,
    flow: Flow[..., Any],
    *,
    tags: list[str],
    parameters: dict[str, Any] | None = None,
) -> DeploymentResponse | None:
    """Register a deployment; return what was there before."""
    try:
        before = await client.read_deployment_by_name(name)
    except ObjectNotFound:
        before = None
    deployment = RunnerDeployment.from_flow(
        flow,
        name=name.partition("/")[2],
        description=(flow.description or "").partition("\n")[0],
        version=__version__,
        tags=tags,
        parameters=parameters,
        # Without it, Prefect would resume what was paused in its UI.
        paused=before.paused if before is not None else None,
        work_pool_name=settings.work_pool,
        job_variables={"command": _COMMAND},
        entrypoint_type=EntrypointType.MODULE_PATH,
    )
    await deployment.aapply()
    return before


async def _schedule(client: PrefectClient, before: DeploymentResponse | None, cron: Cron) -> None:
    """Give the nightly rebuild the schedule of the settings, unless somebody chose another one.

    A schedule that farm registered is called after its own content: where it is not any more, it was changed, with
    `farm schedule` or in the UI. That, its pause, and its removal stay as they are.
    """
    deployment = await client.read_deployment_by_name(NIGHTLY)
    wanted = CronSchedule(cron=cron.expression, timezone=cron.timezone)
    if before is None:
        made = DeploymentScheduleCreate(schedule=wanted, active=True, slug=cron.slug)
        await client.create_deployment_schedules(deployment.id, [made])
        return
    for schedule in deployment.schedules:
        found = schedule.schedule
        if not isinstance(found, CronSchedule) or schedule.slug == cron.slug:
            continue
        if schedule.slug == slug_of(found.cron, found.timezone or "UTC"):
            await client.update_deployment_schedule(deployment.id, schedule.id, schedule=wanted, slug=cron.slug)
