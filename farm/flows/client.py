"""Submitting builds to the Prefect server and following them.

Speaks to the server's REST API: importing Prefect would cost more than everything else that a submit does.
"""

from __future__ import annotations

import time
import uuid
from collections.abc import Callable
from datetime import UTC, datetime, timedelta
from typing import TYPE_CHECKING, Any

from farm.errors import PrefectUnavailableError, RunFailedError, RunNotFoundError
from farm.flows.api import FINAL, ask, connect, deployment_named, require_worker, worker_gone
from farm.flows.verdict import RunOutcome, read_outcome
from farm.model.base import Value
from farm.recipe.reference import absolute
from farm.services.registry import service_url
from farm.services.specs import DEPLOYMENT

if TYPE_CHECKING:
    from collections.abc import Iterator

    import httpx

    from farm.config import Settings

__all__ = ["LogEntry", "RunInfo", "RunOutcome", "find_run", "follow", "logs", "run_info", "submit"]

OnLog = Callable[[str], None]

_LEVELS = {10: "DEBUG", 20: "INFO", 30: "WARNING", 40: "ERROR", 50: "CRITICAL"}
_POLL_SECONDS = 0.4
_PAGE = 200
_SETTLE_SECONDS = 1.5
"""How long the last lines of a log may come after the end: they are sent in batches."""
_PATIENCE_SECONDS = 60.0
"""How long the server may be away while a run is followed."""
_OVERLAP = timedelta(seconds=10)
"""Lines of other processes arrive out of order by at most this much."""


class RunInfo(Value):
    """A flow run."""

    id: str
    name: str
    url: str
    """Its page in the Prefect UI."""


class LogEntry(Value):
    """A line (or block) of a run's log."""

    time: str
    """RFC 3339, UTC."""
    level: str
    message: str

    @property
    def text(self) -> str:
        """The line for people: time of day, level, message."""
        return f"{self.time[11:19]} {self.level:<7} {self.message}"


def submit(settings: Settings, reference: str, *, force: bool = False, image: str = "") -> RunInfo:
    """Ask the farm to build `reference` in `image` (empty: the primary one of the recipe); return the run.

    Raises:
        PrefectUnavailableError: no server, or no worker to run it.
    """
    reference = absolute(reference)  # the worker stands elsewhere
    with connect(settings) as api:
        require_worker(settings, api)
        deployment = deployment_named(api, DEPLOYMENT)
        wanted = {
            "name": reference,
            "parameters": {"reference": reference, "force": force, "image": image},
            "state": {"type": "SCHEDULED", "name": "Scheduled"},
            # A call that is repeated, since its answer was lost, must not make a second run.
            "idempotency_key": str(uuid.uuid4()),
        }
        made = ask(api, "POST", f"/deployments/{deployment['id']}/create_flow_run", wanted)
    return run_info(settings, made)


def find_run(settings: Settings, run: str) -> RunInfo:
    """Return the run with that id, else the newest of that name.

    Raises:
        RunNotFoundError: there is none.
        PrefectUnavailableError: no server.
    """
    with connect(settings) as api:
        return run_info(settings, _find(api, run))


def logs(settings: Settings, run: str) -> tuple[LogEntry, ...]:
    """Return the whole log of a run (id or name).

    Raises:
        RunNotFoundError: there is none.
        PrefectUnavailableError: no server.
    """
    with connect(settings) as api:
        return tuple(_LogReader(api, _find(api, run)["id"]).new())


def follow(settings: Settings, run: str, on_log: OnLog) -> RunOutcome:
    """Pass every line of the run's log to `on_log` until the run ends, and return how it ended.

    Raises:
        RunNotFoundError: there is no such run.
        RunFailedError: the worker died and left the run behind.
        PrefectUnavailableError: no server, or it went away for long.
    """
    with connect(settings) as api:
        run_id = str(_find(api, run)["id"])
        reader = _LogReader(api, run_id)
        seen = time.monotonic()
        state = ""
        while True:
            try:
                for entry in reader.new():
                    on_log(entry.text)
                now = ask(api, "GET", f"/flow_runs/{run_id}")
            except PrefectUnavailableError:
                if time.monotonic() - seen > _PATIENCE_SECONDS:
                    raise
                time.sleep(1.0)
                continue
            seen = time.monotonic()
            kind = str(now.get("state_type") or "")
            if kind != state:
                state = kind
            if kind in FINAL:
                _drain(reader, on_log)
                return read_outcome(kind, str((now.get("state") or {}).get("message") or ""))
            if worker_gone(settings):
                msg = f"the worker died while run {now.get('name', run_id)} was {kind.lower()}"
                raise RunFailedError(msg, remedy="Read the worker's log (`farm status` names it), then `farm up`.")
            time.sleep(_POLL_SECONDS)


def _drain(reader: _LogReader, on_log: OnLog) -> None:
    """Pass on the last lines: the run sends them in batches, also after its end."""
    deadline = time.monotonic() + _SETTLE_SECONDS
    while time.monotonic() < deadline:
        for entry in reader.new():
            on_log(entry.text)
        time.sleep(_POLL_SECONDS)


class _LogReader:
    """Reads a run's log again and again, each line once."""

    def __init__(self, api: httpx.Client, run_id: str) -> None:
        self._api = api
        self._run_id = run_id
        self._seen: set[str] = set()
        self._newest: datetime | None = None

    def new(self) -> Iterator[LogEntry]:
        """Return the lines that were not returned before, in the order of their times."""
        wanted: dict[str, Any] = {"flow_run_id": {"any_": [self._run_id]}}
        if self._newest is not None:
            wanted["timestamp"] = {"after_": (self._newest - _OVERLAP).isoformat()}
        offset = 0
        while True:
            body = {"logs": wanted, "sort": "TIMESTAMP_ASC", "offset": offset, "limit": _PAGE}
            page = ask(self._api, "POST", "/logs/filter", body)
            for item in page:
                if item["id"] in self._seen:
                    continue
                self._seen.add(item["id"])
                moment = datetime.fromisoformat(item["timestamp"]).astimezone(UTC)
                self._newest = max(moment, self._newest or moment)
                yield LogEntry(
                    time=moment.isoformat(timespec="milliseconds").replace("+00:00", "Z"),
                    level=_LEVELS.get(item["level"], str(item["level"])),
                    message=item["message"],
                )
            if len(page) < _PAGE:
                return
            offset += len(page)


def _find(api: httpx.Client, run: str) -> Any:
    try:
        identifier = str(uuid.UUID(run))
    except ValueError:
        chosen = {"flow_runs": {"name": {"any_": [run]}}, "sort": "EXPECTED_START_TIME_DESC", "limit": 1}
    else:
        chosen = {"flow_runs": {"id": {"any_": [identifier]}}, "limit": 1}
    found = ask(api, "POST", "/flow_runs/filter", chosen)
    if not found:
        raise RunNotFoundError(f"no flow run by the name or id {run}")
    return found[0]


def run_info(settings: Settings, run: Any) -> RunInfo:
    """Return what the server says about a run, as farm shows it."""
    page = f"{service_url(settings, 'prefect')}/runs/flow-run/{run['id']}"
    return RunInfo(id=str(run["id"]), name=str(run["name"]), url=page)
