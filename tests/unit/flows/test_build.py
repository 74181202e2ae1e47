from __future__ import annotations

import uuid
from types import SimpleNamespace
from typing import TYPE_CHECKING, Any, Never

import httpx
import pytest
from prefect.exceptions import PrefectException

from farm.config import Settings
from farm.errors import LockStaleError
from farm.flows import build
from farm.flows.beside import beside_the_run
from farm.model.plan import PackageId
from farm.pipeline import chain
from farm.pipeline.runtime import Runtime

if TYPE_CHECKING:
    from pathlib import Path

HICCUPS = (httpx.ConnectError("gone"), PrefectException("refused"))


def _raise(error: Exception) -> Never:
    raise error


@pytest.mark.parametrize("error", HICCUPS)
def test_a_run_that_cannot_be_renamed_goes_on(
    error: Exception, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(build, "get_client", lambda **_: _raise(error))
    tasks = build._Tasks(Runtime(Settings(data=tmp_path)), "python/x", uuid.uuid4())
    tasks._found(PackageId(ecosystem="python", name="x", version="1.0"))


@pytest.mark.parametrize("error", HICCUPS)
def test_a_published_build_is_a_success_without_its_artifacts(
    error: Exception, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    outcome = SimpleNamespace(package="python/x@1.0", reused=False)
    runs: list[Any] = []

    def built(_reference: str, *, run: Any, **_: Any) -> Any:
        runs.append(run)
        return outcome

    run_id = uuid.uuid4()
    monkeypatch.setattr(build, "forward", lambda: None)
    monkeypatch.setattr(build, "load_settings", lambda: Settings(data=tmp_path))
    monkeypatch.setattr(build, "flow_run", SimpleNamespace(get_id=lambda: str(run_id), get_run_count=lambda: 2))
    monkeypatch.setattr(chain, "build_package", built)
    monkeypatch.setattr(build, "_leave_artifacts", lambda *_: _raise(error))
    state = build.build_package.fn("python/x")
    assert state.is_completed()
    assert state.message == "python/x@1.0 published"
    assert [run.id for run in runs] == [f"{run_id}.2"]


def test_errors_of_farm_are_not_passed_over() -> None:
    with pytest.raises(LockStaleError), beside_the_run("nothing"):
        raise LockStaleError("stale")
