"""Builds through the Prefect server and its worker, as `farm submit` runs them."""

from __future__ import annotations

import time
from typing import TYPE_CHECKING, Any

import httpx
import pytest

from farm.errors import BuildFailedError, RunNotFoundError

from .homes import SOURCES, FarmHome, get
from .packages import add

if TYPE_CHECKING:
    from collections.abc import Iterator

pytestmark = [pytest.mark.docker, pytest.mark.services]

BEFORE = ["plan", "source", "lock", "link", "reuse"]
STEPS = [*BEFORE, "proof", "inputs", "job", "build", "inspect", "finish", "test", "sign", "publish", "close"]
PATIENCE = 300.0


@pytest.fixture(scope="module")
def flows(tmp_path_factory: pytest.TempPathFactory, image: str) -> Iterator[FarmHome]:
    """A farm with everything that `farm up` starts."""
    del image
    folder = tmp_path_factory.mktemp("f")
    home = FarmHome(folder, folder / "recipes", {SOURCES: "repos"})
    with home.running():
        yield home


@pytest.fixture(scope="module")
def submitted(flows: FarmHome) -> dict[str, Any]:
    """A package that was submitted and waited for; what `--json` said."""
    package = add(flows, "through-prefect")
    found: dict[str, Any] = flows.farm("submit", "recipe", package.reference, "--wait", "--json").ok().data
    return found


def ask(home: FarmHome, path: str, body: Any = None) -> Any:
    """Ask Prefect's own HTTP API."""
    user, _, password = (home.data / "run" / "prefect.login").read_text(encoding="utf-8").strip().partition(":")
    base = f"{home.url('prefect')}/api"
    with httpx.Client(base_url=base, auth=(user, password), trust_env=False, timeout=60) as api:
        answer = api.get(path) if body is None else api.post(path, json=body)
        return answer.raise_for_status().json()


def tasks(home: FarmHome, run: str) -> dict[str, Any]:
    """Return the task runs of a flow run by the name of their task, in the order in which they began."""
    wanted = {"task_runs": {"flow_run_id": {"any_": [run]}}}
    found = ask(home, "/task_runs/filter", wanted)
    ordered = sorted((task for task in found if task["start_time"]), key=lambda task: str(task["start_time"]))
    return {str(task["name"]).rpartition("-")[0]: task for task in ordered}


def test_a_build_ends_as_a_run_of_its_own_name(flows: FarmHome, submitted: dict[str, Any]) -> None:
    assert (submitted["outcome"]["state"], submitted["outcome"]["exit_code"]) == ("COMPLETED", 0)
    run = ask(flows, f"/flow_runs/{submitted['run']['id']}")
    assert run["name"] == "python/through-prefect@1.0"
    assert {"python", "python/through-prefect"} <= set(run["tags"])
    assert run["state"]["message"] == "python/through-prefect@1.0 published"
    page = flows.page("through-prefect")
    assert page is not None
    assert page["versions"] == ["1.0"]


def test_each_step_is_one_task(flows: FarmHome, submitted: dict[str, Any]) -> None:
    found = tasks(flows, submitted["run"]["id"])
    assert list(found) == STEPS
    assert {task["state_type"] for task in found.values()} == {"COMPLETED"}


def test_the_run_carries_the_evidence(flows: FarmHome, submitted: dict[str, Any]) -> None:
    wanted = {"artifacts": {"flow_run_id": {"any_": [submitted["run"]["id"]]}}}
    found = {artifact["key"]: artifact for artifact in ask(flows, "/artifacts/filter", wanted)}
    assert set(found) == {"evidence-python-through-prefect-1-0", "index-python-through-prefect-1-0"}
    page = flows.page("through-prefect")
    assert page is not None
    assert page["files"][0]["hashes"]["sha256"] in found["evidence-python-through-prefect-1-0"]["data"]
    assert f"{flows.simple}through-prefect/" in found["index-python-through-prefect-1-0"]["data"]


def test_the_ui_answers_where_status_says(flows: FarmHome, submitted: dict[str, Any]) -> None:
    status = {service["name"]: service for service in flows.farm("status", "--json").ok().data}
    assert {service["condition"] for service in status.values()} == {"healthy"}
    page = get(status["prefect"]["url"], accept="text/html")
    assert (page.status_code, page.headers["content-type"].partition(";")[0]) == (200, "text/html")
    assert submitted["run"]["url"].startswith(status["prefect"]["url"])
    assert get(submitted["run"]["url"], accept="text/html").status_code == httpx.codes.OK


def test_the_log_names_the_package_in_its_lines(flows: FarmHome, submitted: dict[str, Any]) -> None:
    told = flows.farm("logs", submitted["run"]["id"]).ok().out.splitlines()
    assert any("[python/through-prefect@1.0]" in line and "isolated: no network" in line for line in told)
    by_name = flows.farm("logs", "python/through-prefect@1.0", "--json").ok().data
    assert {"time", "level", "message"} <= by_name[0].keys()
    flows.farm("logs", "no-such-run", "--json").failed(RunNotFoundError, "no-such-run")


def test_what_is_known_is_not_built_again(flows: FarmHome, submitted: dict[str, Any]) -> None:
    done = flows.farm("submit", "recipe", "python/through-prefect@1.0", "--wait").ok()
    assert "python/through-prefect" in done.out
    assert "COMPLETED" in done.out
    assert "known build key: nothing to build" in done.out
    # The schedule has made runs of another flow, for nights to come.
    builds = {"flows": {"name": {"any_": ["build_package"]}}}
    newest = ask(flows, "/flow_runs/filter", {**builds, "sort": "EXPECTED_START_TIME_DESC", "limit": 1})[0]
    assert newest["id"] != submitted["run"]["id"]
    assert newest["state"]["message"] == "python/through-prefect@1.0 up to date, nothing was built"
    assert list(tasks(flows, newest["id"])) == BEFORE


def test_a_failing_build_ends_the_command_with_its_own_code(flows: FarmHome) -> None:
    behave = "def build(folder, wheel):\n    raise RuntimeError('this backend is broken')\n"
    package = add(flows, "fails-in-prefect", behave=behave)
    done = flows.farm("submit", "recipe", package.reference, "--wait", "--json")
    assert done.code == BuildFailedError.exit_code
    outcome = done.data["outcome"]
    assert (outcome["state"], outcome["exit_code"]) == ("FAILED", BuildFailedError.exit_code)
    assert "this backend is broken" in outcome["message"]
    assert BuildFailedError.default_remedy in outcome["message"]
    assert flows.page("fails-in-prefect") is None
    # A build that fails fails again: it is not tried again.
    found = tasks(flows, done.data["run"]["id"])
    assert (list(found)[-2:], found["build"]["run_count"]) == (["build", "close"], 1)
    assert "Traceback" not in flows.farm("logs", done.data["run"]["id"]).ok().out


def test_a_step_whose_infrastructure_is_away_is_tried_again(flows: FarmHome) -> None:
    package = add(flows, "tried-again")
    flows.down("s3")
    try:
        run = flows.farm("submit", "recipe", package.reference, "--json").ok().data["id"]
        deadline = time.monotonic() + PATIENCE
        while (waiting := tasks(flows, run).get("source")) is None or waiting["run_count"] < 1:
            assert time.monotonic() < deadline, waiting
            time.sleep(0.2)
    finally:
        flows.up("s3")
    done = flows.farm("logs", run, "--follow", "--json")
    assert done.code == 0, done.out
    assert done.data["outcome"]["state"] == "COMPLETED"
    assert tasks(flows, run)["source"]["run_count"] > 1
    assert flows.page("tried-again") is not None
