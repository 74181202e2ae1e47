"""Never two rebuilds at once: what a server says about runs, and what follows."""

from __future__ import annotations

import json
import os
import socket
from contextlib import contextmanager
from datetime import UTC, datetime, timedelta
from typing import TYPE_CHECKING, Any

import httpx
import pytest

from farm.catalog.night import NightOptions
from farm.config import Settings
from farm.errors import PrefectUnavailableError, RebuildBusyError
from farm.flows import rebuilds
from farm.sandbox.owner import own_mark

if TYPE_CHECKING:
    from collections.abc import Iterator
    from pathlib import Path

LIVING = rebuilds.own_labels()


def run(number: int, state: str = "RUNNING", *, age: float = 60, **more: Any) -> dict[str, Any]:
    """Return a run as the server tells it."""
    since = (datetime.now(UTC) - timedelta(seconds=age)).isoformat()
    return {
        "id": f"{number:08d}-0000-0000-0000-000000000000",
        "name": f"catalog {number}",
        "state_type": state,
        "state": {"timestamp": since},
        "start_time": since if state in {"RUNNING", "CANCELLING"} else None,
        "parameters": {},
        "labels": LIVING,
        **more,
    }


class Server:
    """A Prefect server with the runs of a test."""

    def __init__(self, *runs: dict[str, Any], online: bool = True) -> None:
        self.runs = list(runs)
        self.online = online
        self.made: list[dict[str, Any]] = []
        self.ended: dict[str, Any] = {}

    def __call__(self, request: httpx.Request) -> httpx.Response:
        body = json.loads(request.content or b"{}")
        path = request.url.path
        if path.endswith("/workers/filter"):
            return httpx.Response(200, json=[{"status": "ONLINE" if self.online else "OFFLINE"}])
        if path.endswith("/flow_runs/filter"):
            assert body["flows"] == {"name": {"any_": ["rebuild_catalog"]}}
            states = body["flow_runs"]["state"]["type"]["any_"]
            if "SCHEDULED" in states:  # the scheduler makes runs of months to come
                assert "before_" in body["flow_runs"]["expected_start_time"]
            return httpx.Response(200, json=[run for run in self.runs if run["state_type"] in states])
        if path.endswith("/set_state"):
            self.ended[path.split("/")[-2]] = body
            return httpx.Response(201, json={})
        if path.endswith("/create_flow_run"):
            self.made.append(body)
            return httpx.Response(201, json={"id": "new", "name": body["name"]})
        return httpx.Response(200, json={"id": "d"})

    def api(self) -> httpx.Client:
        return httpx.Client(base_url="http://prefect.test/api", transport=httpx.MockTransport(self))


@pytest.fixture
def settings(tmp_path: Path) -> Settings:
    return Settings(data=tmp_path)


def submit(
    monkeypatch: pytest.MonkeyPatch, settings: Settings, server: Server, options: NightOptions | None = None
) -> rebuilds.Submitted:
    @contextmanager
    def connect(_settings: Settings) -> Iterator[httpx.Client]:
        with server.api() as api:
            yield api

    monkeypatch.setattr(rebuilds, "connect", connect)
    return rebuilds.submit_rebuild(settings, options or NightOptions())


def test_one_is_made_where_none_is_at_work(monkeypatch: pytest.MonkeyPatch, settings: Settings, tmp_path: Path) -> None:
    server = Server(run(1, "COMPLETED"), run(2, "CRASHED"))
    monkeypatch.chdir(tmp_path)
    options = NightOptions(only=("python/click", "./recipes/python/own", "python/click"), keep_going=False, force=True)
    submitted = submit(monkeypatch, settings, server, options)
    assert not submitted.joined
    (made,) = server.made
    assert made["parameters"] == {
        "only": [f"{tmp_path}/recipes/python/own", "python/click"],
        "keep_going": False,
        "inputs": "",
        "nightly": False,
        "retry_failed": False,
        "force": True,
    }
    assert made["name"].startswith("catalog 20")
    assert server.ended == {}


@pytest.mark.parametrize("state", ["RUNNING", "PENDING", "SCHEDULED"])
def test_the_same_is_joined_whether_it_runs_or_is_about_to(
    state: str, monkeypatch: pytest.MonkeyPatch, settings: Settings
) -> None:
    server = Server(run(1, state, parameters={"only": ["python/click"]}))
    submitted = submit(monkeypatch, settings, server, NightOptions(only=("python/click",)))
    assert (submitted.joined, submitted.run.name) == (True, "catalog 1")
    assert server.made == []


def test_another_one_is_refused_and_says_what_is_at_work(monkeypatch: pytest.MonkeyPatch, settings: Settings) -> None:
    server = Server(run(1, parameters={"nightly": True}))
    with pytest.raises(RebuildBusyError, match=r"catalog 1 .* is running with nightly=True") as caught:
        submit(monkeypatch, settings, server)
    assert caught.value.exit_code == 98
    assert caught.value.infrastructure
    assert server.made == []


def test_without_a_worker_nothing_is_submitted(monkeypatch: pytest.MonkeyPatch, settings: Settings) -> None:
    server = Server(online=False)
    with pytest.raises(PrefectUnavailableError, match="no worker polls"):
        submit(monkeypatch, settings, server)
    assert server.made == []


def _gone() -> str:
    boot, space, _, started = own_mark().split("/")
    return f"{boot}/{space}/{2**22 + 1}/{started}"  # beyond the kernel's greatest process id


@pytest.mark.parametrize(
    "labels",
    [
        {rebuilds.PROCESS: _gone(), rebuilds.HOST: socket.gethostname()},
        {rebuilds.PROCESS: f"{own_mark()}0", rebuilds.HOST: socket.gethostname()},
        {rebuilds.PROCESS: f"earlier-boot/1/{os.getpid()}/2", rebuilds.HOST: socket.gethostname()},
    ],
    ids=["ended", "another process of its number", "before a reboot"],
)
def test_a_run_whose_process_is_gone_does_not_block_and_ends_as_crashed(
    labels: dict[str, str], monkeypatch: pytest.MonkeyPatch, settings: Settings
) -> None:
    dead = run(1, labels=labels, parameters={"nightly": True})
    server = Server(dead)
    assert not submit(monkeypatch, settings, server).joined
    assert server.ended[dead["id"]]["state"]["type"] == "CRASHED"
    assert server.ended[dead["id"]]["force"]


@pytest.mark.parametrize(
    "labels",
    [
        LIVING,
        {rebuilds.PROCESS: "other-boot/1/2/3", rebuilds.HOST: "another-host"},
        {rebuilds.PROCESS: own_mark().replace("/", "/9", 1), rebuilds.HOST: socket.gethostname()},
    ],
    ids=["it lives", "of another host", "of a container on this host"],
)
def test_a_run_that_may_live_blocks(
    labels: dict[str, str], monkeypatch: pytest.MonkeyPatch, settings: Settings
) -> None:
    server = Server(run(1, labels=labels, parameters={"nightly": True}, age=90_000))
    with pytest.raises(RebuildBusyError):
        submit(monkeypatch, settings, server)
    assert server.ended == {}


@pytest.mark.parametrize("state", ["RUNNING", "PENDING"])
def test_a_run_that_never_said_what_process_it_is_blocks_for_minutes_only(
    state: str, monkeypatch: pytest.MonkeyPatch, settings: Settings
) -> None:
    silent = {"labels": {}, "parameters": {"nightly": True}}
    with pytest.raises(RebuildBusyError):
        submit(monkeypatch, settings, Server(run(1, state, age=10, **silent)))
    server = Server(run(1, state, age=600, **silent))
    assert not submit(monkeypatch, settings, server).joined
    assert server.ended == {}  # nobody knows for certain


def test_a_silent_run_of_an_earlier_worker_does_not_block() -> None:
    server = Server(run(1, age=30, labels={}))
    with server.api() as api:
        later = (datetime.now(UTC) - timedelta(seconds=10)).isoformat()
        assert rebuilds.at_work(api, worker_since=later) == ()
        assert len(rebuilds.at_work(api, worker_since=(datetime.now(UTC) - timedelta(hours=1)).isoformat())) == 1


def test_of_two_that_run_the_first_goes_on() -> None:
    first, second, queued = run(1, age=60), run(2, age=50), run(3, "PENDING")
    with Server(first, second, queued).api() as api:
        assert rebuilds.earlier(api, first["id"]) is None
        before = rebuilds.earlier(api, second["id"])
    assert before is not None
    assert before.id == first["id"]


def test_of_two_that_began_in_the_same_instant_one_goes_on() -> None:
    both = [run(1), run(2)]
    with Server(*both).api() as api:
        assert [rebuilds.earlier(api, each["id"]) is None for each in both] == [True, False]
