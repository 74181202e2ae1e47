"""The flow `rebuild_catalog`: each node of the catalog that has work to do is one Prefect task.

Imports Prefect: only the worker's processes import this module.
"""

from __future__ import annotations

from datetime import UTC, datetime
from typing import TYPE_CHECKING, Any
from uuid import UUID
from zoneinfo import ZoneInfo

import httpx
from prefect import flow
from prefect.artifacts import create_markdown_artifact, create_table_artifact
from prefect.client.orchestration import get_client
from prefect.runtime import flow_run
from prefect.settings import get_current_settings
from prefect.states import Cancelled, Completed, Failed

from farm import log
from farm.catalog import hooks, rebuild
from farm.catalog.night import InputsPolicy, NightOptions
from farm.config import load_settings
from farm.errors import CatalogFailedError, FarmError, RebuildBusyError, registry
from farm.flows import rebuilds, tables
from farm.flows.beside import beside_the_run
from farm.flows.logs import forward
from farm.flows.nodes import PrefectExecutor
from farm.flows.verdict import as_message
from farm.net import is_loopback
from farm.pipeline.runtime import Runtime

if TYPE_CHECKING:
    from prefect.client.schemas.objects import State

    from farm.catalog.night import NightReport
    from farm.config import Settings

__all__ = ["rebuild_catalog"]

_logger = log.get(__name__)


@flow(name="rebuild_catalog", persist_result=False)
def rebuild_catalog(
    only: list[str] = [],  # noqa: B006 - a deployment's parameter: Prefect hands over a list of its own
    keep_going: bool = True,  # noqa: FBT001, FBT002 - parameters of a deployment
    inputs: InputsPolicy = "",
    nightly: bool = False,  # noqa: FBT001, FBT002 - the same
    retry_failed: bool = False,  # noqa: FBT001, FBT002 - the same
    force: bool = False,  # noqa: FBT001, FBT002 - the same
) -> State[Any]:
    """Rebuild what changed in the catalog, in the order of needs.

    Args:
        only: references; with everything that they need. Empty = the whole catalog.
        keep_going: a failure blocks its dependants only; false = start nothing new after the first.
        inputs: rebuilt-first, rebuilt-only or locked; empty = as the settings say.
        nightly: also rebuild a share of what is unchanged and compare, and look at what upstream did.
        retry_failed: repeat also what is remembered as failing.
        force: build although the results are known; equal bytes are expected.

    Returns:
        The final state. A failure's message ends with the error as JSON (`farm.flows.verdict`).
    """
    forward()
    run_id = _run_id()
    options = NightOptions(
        only=tuple(only),
        keep_going=keep_going,
        inputs=inputs,
        reverify=nightly,
        watch=nightly,
        retry_failed=retry_failed,
        force=force,
    )
    try:
        settings = load_settings()
        _introduce(settings, run_id, options)
        _refuse_a_second(run_id)
    except RebuildBusyError as error:
        return Cancelled(name="Busy", message=as_message(error))
    except FarmError as error:
        return Failed(message=as_message(error))
    try:
        report = rebuild.run_night(Runtime(settings), options, PrefectExecutor(), run_id=str(run_id))
    except RebuildBusyError as error:
        return Cancelled(name="Busy", message=as_message(error))
    except FarmError as error:
        hooks.tell_of_error(settings, error, run_id=str(run_id))
        return Failed(message=as_message(error))
    report = hooks.tell(settings, report, run_id=str(run_id))
    with beside_the_run("no report in the Prefect UI"):
        _leave_artifacts(report)
    if report.ended_with:
        return Failed(message=as_message(_failure(report)))
    return Completed(message=report.summary)


def _run_id() -> UUID:
    found = flow_run.get_id()
    if not found:
        msg = "rebuild_catalog was called outside of a flow run"
        raise RuntimeError(msg)
    return UUID(found)


def _introduce(settings: Settings, run_id: UUID, options: NightOptions) -> None:
    """Give the run its name and tags, and the labels that tell whether its process still lives."""
    due = flow_run.get_scheduled_start_time() or datetime.now(UTC)
    day = due.astimezone(ZoneInfo(settings.catalog.timezone)).date().isoformat()
    name = " ".join(["catalog", day, *options.only])
    tags = ["catalog", "nightly"] if options.reverify else ["catalog"]
    with beside_the_run("the run keeps its first name"), get_client(sync_client=True) as client:
        client.update_flow_run_labels(run_id, rebuilds.own_labels())
        client.update_flow_run(run_id, name=name[:100], tags=tags)


def _refuse_a_second(run_id: UUID) -> None:
    """Leave the catalog to a rebuild that began before this one: a schedule asks nobody.

    Raises:
        RebuildBusyError: there is one.
        PrefectUnavailableError: the server does not answer.
    """
    api = get_current_settings().api
    user, _, password = (api.auth_string.get_secret_value() if api.auth_string else "").partition(":")
    with httpx.Client(
        base_url=str(api.url),
        auth=(user, password) if user else None,
        timeout=30.0,
        trust_env=not is_loopback(str(api.url)),
    ) as client:
        other = rebuilds.earlier(client, str(run_id))
    if other is not None:
        raise rebuilds.busy(other)


def _failure(report: NightReport) -> FarmError:
    """Return the error that the report's exit code stands for."""
    kind = registry().get(report.ended_with, CatalogFailedError)
    return kind(report.summary, details={"counts": report.counts, "report": report.path})


def _leave_artifacts(report: NightReport) -> None:
    """Attach the report, the table of nodes and the failures by cause to the run."""
    create_markdown_artifact(report.markdown, key="catalog-report", description="Report")
    create_table_artifact(tables.nodes(report), key="catalog-nodes", description="Packages")
    failures = tables.failures(report)
    if failures:
        create_table_artifact(failures, key="catalog-failures", description="Failures by cause")
