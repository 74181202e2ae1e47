from __future__ import annotations

from pathlib import Path
from typing import TYPE_CHECKING

import pytest

from farm import services
from farm.config import Settings
from farm.flows.api import ask, connect

if TYPE_CHECKING:
    from collections.abc import Callable, Iterator

ROOT = Path(__file__).resolve().parents[3]
HERE = Path(__file__).resolve().parent


@pytest.fixture(scope="session")
def running(tmp_path_factory: pytest.TempPathFactory) -> Iterator[Settings]:
    """Object store, Prefect server and worker, really running; the first start of the server takes half a minute."""
    data = tmp_path_factory.mktemp("farm")
    settings = Settings(data=data, recipes=ROOT / "recipes", images=ROOT / "images", work_pool="tests")
    services.up(settings, ["s3", "prefect", "worker"])
    yield settings
    services.down(settings)


@pytest.fixture(scope="session")
def send(running: Settings) -> Callable[[str], str]:
    """Return a function that sends `flow_for_tests` in a mode through the worker and returns the run's id."""
    with connect(running) as api:
        flow = ask(api, "POST", "/flows/", {"name": "for_tests"})
        body = {
            "name": "tests",
            "flow_id": flow["id"],
            "entrypoint": "flow_for_tests.chosen",
            "work_pool_name": running.work_pool,
            "job_variables": {"command": "python -m prefect.engine", "env": {"PYTHONPATH": str(HERE)}},
        }
        deployment = ask(api, "POST", "/deployments/", body)["id"]

    def submit(mode: str) -> str:
        wanted = {"parameters": {"mode": mode}, "state": {"type": "SCHEDULED"}}
        with connect(running) as api:
            return str(ask(api, "POST", f"/deployments/{deployment}/create_flow_run", wanted)["id"])

    return submit
