"""Real services: rclone's S3 server, the Prefect server, farm's worker, flows in processes of their own."""

from __future__ import annotations

import json
import time
from typing import TYPE_CHECKING

import boto3
import httpx
import psutil
import pytest
from botocore.exceptions import ClientError

from farm import services
from farm.errors import PrefectUnavailableError, RunFailedError, RunNotFoundError
from farm.flows import client
from farm.services.registry import alive, prefect_login_path, read_record, service_url

if TYPE_CHECKING:
    from collections.abc import Callable

    from farm.config import Settings

pytestmark = pytest.mark.services


def _pid(settings: Settings, name: str) -> int:
    record = read_record(settings, name)
    assert record is not None
    return record.pid


def test_all_are_healthy_and_a_second_up_changes_nothing(running: Settings) -> None:
    before = {s.name: s.pid for s in services.status(running) if s.healthy}
    assert set(before) == {"s3", "prefect", "worker"}
    after = services.up(running, ["s3", "prefect", "worker"])
    assert {s.name: s.pid for s in after} == before


def test_store_has_the_buckets_and_takes_only_its_own_keys(running: Settings) -> None:
    keys = json.loads((running.run_dir / "s3.json").read_text())

    def connect(secret: str) -> set[str]:
        s3 = boto3.client(
            "s3",
            endpoint_url=keys["endpoint"],
            aws_access_key_id=keys["access_key"],
            aws_secret_access_key=secret,
            region_name=running.s3.region,
        )
        try:
            return {str(bucket["Name"]) for bucket in s3.list_buckets()["Buckets"]}
        finally:
            s3.close()

    assert connect(keys["secret_key"]) == {running.s3.vault_bucket, running.s3.repository_bucket}
    with pytest.raises(ClientError):
        connect("0" * 64)


def test_the_prefect_server_answers_only_who_has_the_login(running: Settings) -> None:
    address = f"{service_url(running, 'prefect')}/api/flow_runs/filter"
    login = prefect_login_path(running)
    assert login.stat().st_mode & 0o777 == 0o600
    user, _, password = login.read_text().strip().partition(":")

    def status(auth: tuple[str, str] | None) -> int:
        with httpx.Client(trust_env=False, timeout=30, auth=auth) as api:
            return api.post(address, json={}).status_code

    assert status(None) == status((user, "wrong")) == httpx.codes.UNAUTHORIZED
    assert status((user, password)) == httpx.codes.OK
    told = {state.name: state.detail for state in services.status(running)}
    assert str(login) in told["prefect"]


def test_flow_runs_in_the_worker_with_the_package_in_each_line(running: Settings, send: Callable[[str], str]) -> None:
    lines: list[str] = []
    outcome = client.follow(running, send("good"), lines.append)
    assert outcome.exit_code == 0
    assert outcome.state == "COMPLETED"
    assert any("[python/sample@1.0] first: a step at work umask_of=builds words=hello" in line for line in lines)
    assert len(lines) == len(set(lines))


def test_infrastructure_failure_is_tried_again(running: Settings, send: Callable[[str], str]) -> None:
    outcome = client.follow(running, send("flaky"), lambda _line: None)
    assert outcome.exit_code == 0
    assert outcome.message == "after 3 tries"


def test_deterministic_failure_is_not_tried_again_and_keeps_its_exit_code(
    running: Settings, send: Callable[[str], str]
) -> None:
    lines: list[str] = []
    outcome = client.follow(running, send("stale"), lines.append)
    assert outcome.exit_code == 31
    assert "the lock is stale (try 1)" in outcome.message
    assert "farm lock" in outcome.message
    assert not any("Traceback" in line for line in lines)


def test_submitted_build_returns_the_exit_code_of_its_error(running: Settings) -> None:
    run = client.submit(running, "python/no-such-package")
    assert run.url.startswith(service_url(running, "prefect"))
    outcome = client.follow(running, run.id, lambda _line: None)
    assert outcome.exit_code == 11
    assert "no-such-package" in outcome.message
    assert client.find_run(running, "python/no-such-package").id == run.id
    assert [entry for entry in client.logs(running, run.id) if "RecipeNotFoundError" in entry.message]


def test_unknown_run(running: Settings) -> None:
    for name in ("nothing-of-that-name", "00000000-0000-0000-0000-000000000000"):
        with pytest.raises(RunNotFoundError, match=name):
            client.find_run(running, name)


def test_worker_that_dies_is_noticed_and_started_again(running: Settings, send: Callable[[str], str]) -> None:
    old = _pid(running, "worker")
    psutil.Process(old).kill()
    while (record := read_record(running, "worker")) and alive(record):
        time.sleep(0.05)
    with pytest.raises(PrefectUnavailableError, match="no worker polls"):
        client.submit(running, "python/markupsafe")
    run = send("good")
    with pytest.raises(RunFailedError, match="worker died"):
        client.follow(running, run, lambda _line: None)
    assert {s.name: s.condition for s in services.status(running)}["worker"] == "died"
    services.up(running, ["worker"])
    assert _pid(running, "worker") != old
    assert client.follow(running, run, lambda _line: None).exit_code == 0


def test_down_ends_every_process_and_data_stays(running: Settings) -> None:
    names = ("s3", "prefect", "worker")
    pids = [_pid(running, name) for name in names]
    ports = (running.run_dir / "ports.json").read_text()
    states = services.down(running)
    assert {s.name: s.condition for s in states}["prefect"] == "stopped"
    assert not [p for p in pids if psutil.pid_exists(p) and psutil.Process(p).status() != psutil.STATUS_ZOMBIE]
    assert (running.data / "prefect").is_dir()
    with pytest.raises(PrefectUnavailableError):
        client.submit(running, "python/markupsafe")
    services.up(running, ["s3", "prefect"])
    assert (running.run_dir / "ports.json").read_text() == ports
    assert client.find_run(running, "python/no-such-package").name == "python/no-such-package"
