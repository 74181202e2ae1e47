"""The nightly rebuild through a real Prefect server and worker: its schedule, its runs, never two at once."""

from __future__ import annotations

import time
from datetime import UTC, datetime, timedelta
from pathlib import Path
from typing import TYPE_CHECKING, Any

import psutil
import pytest

from farm import services
from farm.catalog.night import NightOptions
from farm.errors import CatalogFailedError, RebuildBusyError, ScheduleError, StoreUnavailableError
from farm.flows import client, rebuilds, schedules
from farm.flows.api import ask, connect, deployment_named
from farm.services.specs import NIGHTLY

if TYPE_CHECKING:
    from collections.abc import Callable, Iterator

    from farm.config import Settings

pytestmark = pytest.mark.services

HERE = Path(__file__).resolve().parent
PATIENCE = 180.0
BAD = NightOptions(only=("bad",))


def stand_in(settings: Settings) -> None:
    """Put the nights of `night_for_tests` behind the deployment that a worker registered at its start."""
    with connect(settings) as api:
        deployment = deployment_named(api, NIGHTLY)
        body = {
            "entrypoint": "night_for_tests.rebuild_catalog",
            "job_variables": {"command": "python -m prefect.engine", "env": {"PYTHONPATH": str(HERE)}},
            "tags": deployment["tags"],
        }
        ask(api, "PATCH", f"/deployments/{deployment['id']}", body)


@pytest.fixture
def farm(running: Settings) -> Settings:
    """The services, with nights that the tests choose."""
    services.up(running, ["s3", "prefect", "worker"])
    stand_in(running)
    return running


@pytest.fixture
def held(farm: Settings) -> Iterator[Callable[[str], str]]:
    """Return a function that starts a rebuild which goes on until the test is over, and waits until it is at work."""
    names: list[str] = []

    def start(name: str) -> str:
        names.append(name)
        run = rebuilds.submit_rebuild(farm, NightOptions(only=(name,))).run
        wait_for(lambda: run_of(farm, run.id)["labels"].get(rebuilds.PROCESS))
        return run.id

    yield start
    for name in names:
        (farm.data / name).touch()


def wait_for(what: Callable[[], Any]) -> Any:
    deadline = time.monotonic() + PATIENCE
    while not (found := what()):
        assert time.monotonic() < deadline, "it did not come"
        time.sleep(0.2)
    return found


def run_of(settings: Settings, run: str) -> Any:
    with connect(settings) as api:
        return ask(api, "GET", f"/flow_runs/{run}")


def query(settings: Settings, what: str, run: str) -> list[Any]:
    with connect(settings) as api:
        found: list[Any] = ask(api, "POST", f"/{what}/filter", {what: {"flow_run_id": {"any_": [run]}}})
        return found


def follow(settings: Settings, run: str) -> tuple[client.RunOutcome, list[str]]:
    lines: list[str] = []
    return client.follow(settings, run, lines.append), lines


@pytest.fixture(scope="module")
def bad(running: Settings) -> str:
    """A night in which nodes failed, were blocked, drifted and met a defect; it has ended."""
    farm = running
    services.up(farm, ["s3", "prefect", "worker"])
    stand_in(farm)
    run = rebuilds.submit_rebuild(farm, BAD).run.id
    outcome, _ = follow(farm, run)
    assert (outcome.state, outcome.exit_code) == ("FAILED", CatalogFailedError.exit_code)
    assert "1 built, 2 failed, 2 blocked, 1 drifted" in outcome.message
    return run


def test_each_node_is_a_task_run_with_its_name_its_tags_and_its_state(farm: Settings, bad: str) -> None:
    found = {task["name"]: task for task in query(farm, "task_runs", bad)}
    assert {name: task["state"]["name"] for name, task in found.items()} == {
        "python/base@1.0": "Built",
        "python/broken@1.0": "Failed",
        "python/above@1.0": "Blocked",
        "python/over@1.0": "Blocked",
        "python/drifted@1.0": "Drifted",
        "python/defect@1.0": "Failed",
    }
    assert set(found["python/broken@1.0"]["tags"]) == {"python", "python/broken"}
    words = found["python/broken@1.0"]["state"]["message"]
    assert words.startswith("BuildFailedError (exit code 41): the build command failed\n→ ")
    assert found["python/over@1.0"]["state"]["message"] == "python/broken@1.0 failed"


def test_the_graph_of_the_run_shows_who_needed_whom(farm: Settings, bad: str) -> None:
    tasks = query(farm, "task_runs", bad)
    names = {task["id"]: task["name"] for task in tasks}
    needs = {
        task["name"]: sorted(names[found["id"]] for found in task["task_inputs"].get("wait_for", ())) for task in tasks
    }
    assert needs["python/over@1.0"] == ["python/above@1.0", "python/base@1.0"]
    assert needs["python/above@1.0"] == ["python/broken@1.0"]
    assert needs["python/base@1.0"] == []


def test_the_log_of_a_node_is_with_its_task(farm: Settings, bad: str) -> None:
    tasks = {task["name"]: task["id"] for task in query(farm, "task_runs", bad)}
    follow(farm, bad)  # its last lines may still be on their way
    lines = {line["message"]: line["task_run_id"] for line in query(farm, "logs", bad)}
    wanted = "[python/broken@1.0] a node at work of=python/broken@1.0"
    assert lines[wanted] == tasks["python/broken@1.0"]


def test_the_run_carries_report_nodes_and_failures_by_cause(farm: Settings, bad: str) -> None:
    found = {artifact["key"]: artifact["data"] for artifact in query(farm, "artifacts", bad)}
    assert set(found) == {"catalog-report", "catalog-nodes", "catalog-failures"}
    assert "6 packages" in found["catalog-report"]
    assert "the build command failed" in found["catalog-nodes"]
    for cause in ("BuildFailedError", "ZeroDivisionError", "drifted"):
        assert cause in found["catalog-failures"]
    assert "python/above" not in found["catalog-failures"]


def test_a_rebuild_that_cannot_begin_says_why(farm: Settings) -> None:
    outcome, _ = follow(farm, rebuilds.submit_rebuild(farm, NightOptions(only=("away",))).run.id)
    assert outcome.exit_code == StoreUnavailableError.exit_code
    assert "the store is away" in outcome.message


def test_the_second_joins_what_does_the_same_and_is_refused_else(farm: Settings, held: Callable[[str], str]) -> None:
    run = held("until-joined")
    again = rebuilds.submit_rebuild(farm, NightOptions(only=("until-joined",)))
    assert (again.joined, again.run.id) == (True, run)
    with pytest.raises(RebuildBusyError, match=r"until-joined.*is running with only") as caught:
        rebuilds.submit_rebuild(farm, NightOptions())
    assert caught.value.details["run"] == run
    (farm.data / "until-joined").touch()
    outcome, _ = follow(farm, run)
    assert outcome.exit_code == 0


def test_one_that_nobody_submitted_leaves_the_catalog_to_the_first(farm: Settings, held: Callable[[str], str]) -> None:
    first = held("until-scheduled")
    with connect(farm) as api:  # as the schedule does: it asks nobody
        deployment = deployment_named(api, NIGHTLY)
        made = ask(api, "POST", f"/deployments/{deployment['id']}/create_flow_run", {"state": {"type": "SCHEDULED"}})
    outcome, _ = follow(farm, made["id"])
    assert (outcome.state, outcome.exit_code) == ("CANCELLED", RebuildBusyError.exit_code)
    assert first in outcome.message
    assert run_of(farm, made["id"])["state"]["name"] == "Busy"


def test_a_run_whose_process_was_killed_does_not_block(farm: Settings, held: Callable[[str], str]) -> None:
    run = held("until-killed")
    pid = int(run_of(farm, run)["labels"][rebuilds.PROCESS].split("/")[2])
    worker = psutil.Process(pid).parent()
    assert worker is not None
    worker.kill()  # first: it would tell the server
    psutil.Process(pid).kill()
    wait_for(lambda: not psutil.pid_exists(pid) or psutil.Process(pid).status() == psutil.STATUS_ZOMBIE)
    services.up(farm, ["worker"])
    assert run_of(farm, run)["state_type"] == "RUNNING"  # for all that the server knows
    stand_in(farm)
    again = rebuilds.submit_rebuild(farm, NightOptions())
    assert not again.joined
    assert run_of(farm, run)["state_type"] == "CRASHED"
    assert follow(farm, again.run.id)[0].exit_code == 0


def test_the_schedule_fires_and_its_run_is_told_from_others(farm: Settings) -> None:
    before = schedules.show(farm)
    assert (before.cron, before.from_settings, before.paused) == ("0 2 * * *", True, False)
    soon = datetime.now(UTC) + timedelta(seconds=75)
    set_ = schedules.set_schedule(farm, f"{soon.minute} {soon.hour} * * *")
    due = soon.replace(second=0, microsecond=0)
    try:
        assert set_.next[0] == due.isoformat()
        run = wait_for(lambda: _scheduled_for(farm, due))
        outcome, _ = follow(farm, run["id"])
    finally:
        schedules.set_schedule(farm, "0 2 * * *")
    assert outcome.exit_code == 0
    ended = run_of(farm, run["id"])
    assert ended["auto_scheduled"]
    assert ended["name"] == f"catalog {due.date().isoformat()}"
    assert set(ended["tags"]) == {"catalog", "nightly"}
    # A worker takes a run some seconds ahead, so that it begins in time.
    assert due - timedelta(seconds=15) <= datetime.fromisoformat(ended["start_time"])


def _scheduled_for(settings: Settings, due: datetime) -> Any:
    wanted = {
        "flow_runs": {"expected_start_time": {"after_": due.isoformat(), "before_": due.isoformat()}},
        "flows": {"name": {"any_": ["rebuild_catalog"]}},
    }
    with connect(settings) as api:
        found = ask(api, "POST", "/flow_runs/filter", wanted)
    return next(iter(found), None)


def test_a_new_start_takes_a_changed_setting_but_keeps_what_somebody_chose(
    farm: Settings, monkeypatch: pytest.MonkeyPatch
) -> None:
    def restart(schedule: str) -> schedules.ScheduleState:
        monkeypatch.setenv("FARM_CATALOG__SCHEDULE", schedule)
        services.down(farm, ["worker"])
        services.up(farm, ["worker"])
        return schedules.show(farm)

    assert restart("15 4 * * *").cron == "15 4 * * *"
    schedules.set_schedule(farm, "30 5 * * *", "Europe/Berlin")
    schedules.pause(farm)
    kept = restart("45 6 * * *")
    assert (kept.cron, kept.timezone, kept.paused, kept.next) == ("30 5 * * *", "Europe/Berlin", True, ())
    resumed = schedules.resume(farm)
    assert not resumed.paused
    assert len(resumed.next) == 3
    with connect(farm) as api:  # in the UI: paused as a whole, and the schedule deleted
        deployment = deployment_named(api, NIGHTLY)
        ask(api, "POST", f"/deployments/{deployment['id']}/pause_deployment")
    assert restart("0 2 * * *").paused
    with connect(farm) as api:
        ask(api, "DELETE", f"/deployments/{deployment['id']}/schedules/{deployment['schedules'][0]['id']}")
    assert restart("0 2 * * *").cron == ""
    with pytest.raises(ScheduleError, match="no schedule"):
        schedules.resume(farm)
    assert schedules.set_schedule(farm, "0 2 * * *").from_settings
