"""Asking services whether they are well."""

from __future__ import annotations

from collections.abc import Callable
from datetime import datetime
from typing import TYPE_CHECKING, Any

import httpx

if TYPE_CHECKING:
    from pathlib import Path

__all__ = ["Probe", "answers", "http_ok", "socket_ok", "worker_online"]

Probe = Callable[[str], str]
"""Given when the service was started (RFC 3339), says what is wrong with it; an empty string when nothing is."""

_TIMEOUT = httpx.Timeout(5.0, connect=2.0)


def _ask(
    method: str, url: str, *, socket: Path | None = None, body: Any = None, auth: httpx.Auth | None = None
) -> httpx.Response | str:
    """Ask and return the answer, or what went wrong. Proxies of the environment are not for loopback."""
    transport = httpx.HTTPTransport(uds=str(socket)) if socket is not None else None
    try:
        with httpx.Client(timeout=_TIMEOUT, trust_env=False, transport=transport, auth=auth) as client:
            return client.request(method, url, json=body)
    except (httpx.HTTPError, httpx.InvalidURL) as error:
        return f"{type(error).__name__}: {error}"


def answers(url: str) -> Probe:
    """Healthy when anything is answered at `url` over HTTP (an S3 server refuses who does not sign)."""

    def probe(_since: str) -> str:
        answer = _ask("GET", url)
        return answer if isinstance(answer, str) else ""

    return probe


def http_ok(url: str) -> Probe:
    """Healthy when `url` answers 200."""

    def probe(_since: str) -> str:
        return _status(_ask("GET", url))

    return probe


def socket_ok(socket: Path, path: str) -> Probe:
    """Healthy when `path` answers 200 on the Unix socket."""

    def probe(_since: str) -> str:
        return _status(_ask("GET", f"http://localhost{path}", socket=socket))

    return probe


def worker_online(api: str, login: str, pool: str, worker: str, deployment: str) -> Probe:
    """Healthy when the server knows `deployment` (`flow/name`) and a worker of that name polls `pool`."""
    user, _, password = login.partition(":")
    auth = httpx.BasicAuth(user, password)

    def probe(since: str) -> str:
        known = _status(_ask("GET", f"{api}/deployments/name/{deployment}", auth=auth))
        if known:
            return f"deployment {deployment}: {known}"
        answer = _ask("POST", f"{api}/work_pools/{pool}/workers/filter", body={}, auth=auth)
        if failed := _status(answer):
            return f"work pool {pool}: {failed}"
        workers = answer.json() if isinstance(answer, httpx.Response) else []
        # The server believes in a worker for a minute after its last sign of life: that may be of an earlier start.
        begun = datetime.fromisoformat(since)
        online = any(w["name"] == worker and _later(w.get("last_heartbeat_time"), begun) for w in workers)
        return "" if online else f"worker {worker} does not poll {pool}"

    return probe


def _later(moment: str | None, begun: datetime) -> bool:
    return moment is not None and datetime.fromisoformat(moment) >= begun


def _status(answer: httpx.Response | str) -> str:
    if isinstance(answer, str):
        return answer
    return "" if answer.is_success else f"HTTP {answer.status_code}"
