"""The Prefect server's REST API, as far as farm asks it.

Without Prefect: importing it would cost more than everything else that a call does.
"""

from __future__ import annotations

import time
from contextlib import contextmanager
from typing import TYPE_CHECKING, Any

import httpx

from farm.errors import PrefectUnavailableError
from farm.services.registry import alive, read_prefect_login, read_record, service_url

if TYPE_CHECKING:
    from collections.abc import Iterator

    from farm.config import Settings

__all__ = ["FINAL", "ask", "connect", "deployment_named", "require_worker", "worker_gone"]

FINAL = frozenset({"COMPLETED", "FAILED", "CRASHED", "CANCELLED"})
"""States that a run does not leave."""

_BUSY = frozenset({408, 429, 502, 503})
_BUSY_SECONDS = 30.0
_POLL_SECONDS = 0.4


@contextmanager
def connect(settings: Settings) -> Iterator[httpx.Client]:
    """Give a client of this farm's own server.

    Raises:
        PrefectUnavailableError: it is not running.
    """
    url = service_url(settings, "prefect")
    if not url:
        raise PrefectUnavailableError("the Prefect server is not running")
    # Loopback: the proxies of the environment are not for it.
    user, _, password = read_prefect_login(settings).partition(":")
    with httpx.Client(base_url=f"{url}/api", auth=(user, password), timeout=30.0, trust_env=False) as client:
        yield client


def ask(api: httpx.Client, method: str, path: str, body: Any = None, *, missing_ok: bool = False) -> Any:
    """Ask the server and return its answer; None for what is not there, if that is allowed, and for an empty answer.

    Repeated for a while where the server says that it is busy (SQLite's lock on a loaded machine).

    Raises:
        PrefectUnavailableError: no answer, or a refusal.
    """
    deadline = time.monotonic() + _BUSY_SECONDS
    while True:
        try:
            answer = api.request(method, path, json=body)
        except httpx.TransportError as error:
            msg = f"the Prefect server at {api.base_url} does not answer: {error}"
            raise PrefectUnavailableError(msg) from error
        if answer.status_code not in _BUSY or time.monotonic() >= deadline:
            break
        time.sleep(_POLL_SECONDS)
    if missing_ok and answer.status_code == httpx.codes.NOT_FOUND:
        return None
    if not answer.is_success:
        msg = f"the Prefect server answered {answer.status_code} to {answer.request.url.path}: {answer.text[:200]}"
        raise PrefectUnavailableError(msg)
    return answer.json() if answer.content else None


def worker_gone(settings: Settings) -> bool:
    """Return whether this host's worker was started and is no more (a server notices only after a minute)."""
    record = read_record(settings, "worker")
    return record is not None and not alive(record)


def require_worker(settings: Settings, api: httpx.Client) -> None:
    """Go on only where a worker polls the work pool.

    Raises:
        PrefectUnavailableError: there is none.
    """
    found = ask(api, "POST", f"/work_pools/{settings.work_pool}/workers/filter", {}, missing_ok=True)
    if worker_gone(settings) or not any(worker.get("status") == "ONLINE" for worker in found or []):
        msg = f"no worker polls the work pool {settings.work_pool}"
        raise PrefectUnavailableError(msg)


def deployment_named(api: httpx.Client, name: str) -> Any:
    """Return the deployment called `name` (`flow/deployment`).

    Raises:
        PrefectUnavailableError: it is not registered.
    """
    found = ask(api, "GET", f"/deployments/name/{name}", missing_ok=True)
    if found is None:
        msg = f"the deployment {name} is not registered"
        raise PrefectUnavailableError(msg, remedy="A worker registers it at its start: `farm up`, then try again.")
    return found
