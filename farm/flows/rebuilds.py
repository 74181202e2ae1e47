"""Submitting rebuilds of the catalog: never two at once. The second joins the first or is refused.

A run whose process is gone (killed, or its host went down) counts for nothing, whatever the server still believes.
"""

from __future__ import annotations

import socket
import uuid
from datetime import UTC, datetime, timedelta
from typing import TYPE_CHECKING, Any

from farm.errors import RebuildBusyError
from farm.flows.api import ask, connect, deployment_named, require_worker
from farm.flows.client import RunInfo, run_info
from farm.model.base import Value
from farm.recipe.reference import absolute
from farm.sandbox.owner import is_gone, own_mark
from farm.services.registry import read_record
from farm.services.specs import NIGHTLY

if TYPE_CHECKING:
    import httpx

    from farm.catalog.night import NightOptions
    from farm.config import Settings

__all__ = ["HOST", "PROCESS", "Rebuild", "Submitted", "earlier", "own_labels", "parameters", "submit_rebuild"]

PROCESS = "farm.process"
HOST = "farm.host"
"""Labels by which a run says what process it is."""

_AT_WORK = ("RUNNING", "CANCELLING", "PENDING", "PAUSED")
_SILENT = timedelta(minutes=5)
"""A run that has not said by then what process it is never will."""
_DEFAULTS: dict[str, Any] = {
    "only": [],
    "keep_going": True,
    "inputs": "",
    "nightly": False,
    "retry_failed": False,
    "force": False,
}


class Rebuild(Value):
    """A run of the flow that has not ended, as far as the server knows."""

    id: str
    name: str
    state: str
    since: str
    """When it came into this state (RFC 3339)."""
    started: str
    """When it began to run; empty before."""
    parameters: dict[str, Any]
    process: str
    host: str

    @property
    def order(self) -> tuple[str, str]:
        """Return what decides which of two was first."""
        return (self.started or "9", self.id)


class Submitted(Value):
    """A rebuild that does what was asked for."""

    run: RunInfo
    joined: bool
    """Whether it was there before."""


def parameters(options: NightOptions) -> dict[str, Any]:
    """Return the flow's parameters for `options`; paths come absolute, since the worker stands elsewhere."""
    return {
        "only": sorted({absolute(reference) for reference in options.only}),
        "keep_going": options.keep_going,
        "inputs": options.inputs,
        "nightly": options.reverify and options.watch,
        "retry_failed": options.retry_failed,
        "force": options.force,
    }


def own_labels() -> dict[str, bool | int | float | str]:
    """Return the labels of a run in this process."""
    return {PROCESS: own_mark(), HOST: socket.gethostname()}


def submit_rebuild(settings: Settings, options: NightOptions) -> Submitted:
    """Ask the farm to rebuild the catalog; join a rebuild at work that was asked for the same.

    Raises:
        RebuildBusyError: one that was asked for something else is at work.
        PrefectUnavailableError: no server, or no worker to run it.
    """
    wanted = parameters(options)
    with connect(settings) as api:
        require_worker(settings, api)
        deployment = deployment_named(api, NIGHTLY)
        record = read_record(settings, "worker")
        others = at_work(api, worker_since=record.since if record else "")
        for other in others:
            if other.parameters == wanted:
                return Submitted(run=run_info(settings, {"id": other.id, "name": other.name}), joined=True)
        if others:
            raise busy(others[0])
        body = {
            "name": f"catalog {datetime.now(UTC).date().isoformat()}",
            "parameters": wanted,
            "state": {"type": "SCHEDULED", "name": "Scheduled"},
            # A call that is repeated, since its answer was lost, must not make a second run.
            "idempotency_key": str(uuid.uuid4()),
        }
        made = ask(api, "POST", f"/deployments/{deployment['id']}/create_flow_run", body)
    return Submitted(run=run_info(settings, made), joined=False)


def busy(other: Rebuild) -> RebuildBusyError:
    """Return the error that says what is at work."""
    differs = ", ".join(
        f"{key}={other.parameters[key]}" for key in _DEFAULTS if other.parameters[key] != _DEFAULTS[key]
    )
    msg = f"the rebuild {other.name} ({other.id}) is {other.state.lower()}" + (f" with {differs}" if differs else "")
    return RebuildBusyError(msg, details={"run": other.id, "parameters": other.parameters})


def earlier(api: httpx.Client, run_id: str) -> Rebuild | None:
    """Return the rebuild that began before the run `run_id` and is at work: of two at once, the first goes on.

    Raises:
        PrefectUnavailableError: the server does not answer.
    """
    found = [other for other in at_work(api) if other.started]
    own = next((other for other in found if other.id == run_id), None)
    before = [other for other in found if other.id != run_id and (own is None or other.order < own.order)]
    return min(before, key=lambda other: other.order) if before else None


def at_work(api: httpx.Client, *, worker_since: str = "") -> tuple[Rebuild, ...]:
    """Return the rebuilds that run or are about to, in their order; a run whose process is gone is ended as crashed.

    Args:
        api: the server.
        worker_since: when this host's worker started: a run before it that never said where it runs is gone, too.

    Raises:
        PrefectUnavailableError: the server does not answer.
    """
    now = datetime.now(UTC)
    found = []
    for rebuild in _unfinished(api, now):
        if _dead(rebuild):
            _bury(api, rebuild)
        elif not _lost(rebuild, now, worker_since):
            found.append(rebuild)
    return tuple(sorted(found, key=lambda rebuild: rebuild.order))


def _unfinished(api: httpx.Client, now: datetime) -> list[Rebuild]:
    flow = {"name": {"any_": [NIGHTLY.partition("/")[0]]}}
    working = {"state": {"type": {"any_": list(_AT_WORK)}}}
    # The scheduler makes runs far ahead: only what is due by now is about to begin.
    due = {"state": {"type": {"any_": ["SCHEDULED"]}}, "expected_start_time": {"before_": now.isoformat()}}
    runs = [
        run
        for wanted in (working, due)
        for run in ask(api, "POST", "/flow_runs/filter", {"flows": flow, "flow_runs": wanted, "limit": 200})
    ]
    return list({run["id"]: _rebuild(run) for run in runs}.values())


def _rebuild(run: Any) -> Rebuild:
    labels = run.get("labels") or {}
    return Rebuild(
        id=str(run["id"]),
        name=str(run["name"]),
        state=str(run["state_type"]),
        since=_moment((run.get("state") or {}).get("timestamp")),
        started=_moment(run.get("start_time")),
        parameters={**_DEFAULTS, **(run.get("parameters") or {})},
        process=str(labels.get(PROCESS) or ""),
        host=str(labels.get(HOST) or ""),
    )


def _moment(text: str | None) -> str:
    """Return a time such that text order is the order of time."""
    return datetime.fromisoformat(text).astimezone(UTC).isoformat(timespec="microseconds") if text else ""


def _dead(rebuild: Rebuild) -> bool:
    """Return whether the run's process is gone for certain: it is of this host, and ended or of an earlier boot."""
    here = own_mark()
    rebooted = rebuild.host == socket.gethostname() and here and _boot(rebuild.process) != _boot(here)
    return bool(rebuild.process) and (is_gone(rebuild.process) or bool(rebooted))


def _boot(mark: str) -> str:
    return mark.partition("/")[0]


def _lost(rebuild: Rebuild, now: datetime, worker_since: str) -> bool:
    """Return whether the run began and never came as far as to say what process it is."""
    if rebuild.process or rebuild.state == "SCHEDULED" or not rebuild.since:
        return False
    return rebuild.since < _moment(worker_since) or datetime.fromisoformat(rebuild.since) < now - _SILENT


def _bury(api: httpx.Client, rebuild: Rebuild) -> None:
    """Tell the server what it does not know."""
    state = {"type": "CRASHED", "name": "Crashed", "message": "The process of this run is gone."}
    ask(api, "POST", f"/flow_runs/{rebuild.id}/set_state", {"state": state, "force": True})
