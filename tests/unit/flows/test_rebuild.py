"""The flow's body: how it ends, whatever the night and Prefect do."""

from __future__ import annotations

import uuid
from types import SimpleNamespace
from typing import TYPE_CHECKING, Any, Never

import httpx
import pytest

from farm.catalog import hooks
from farm.catalog.night import NightOptions, NightReport
from farm.config import Settings
from farm.errors import FarmError, RebuildBusyError, StoreUnavailableError
from farm.flows import rebuild
from farm.flows.verdict import read_outcome

if TYPE_CHECKING:
    from pathlib import Path

    from prefect.client.schemas.objects import State


def _report(code: int, **counts: int) -> NightReport:
    return NightReport(
        ended_with=code, nodes=(), markdown="# Night", path="", counts=counts, started_on="", finished_on=""
    )


class Farm:
    """The flow with everything around it replaced."""

    def __init__(self, monkeypatch: pytest.MonkeyPatch, data: Path) -> None:
        self.asked: list[NightOptions] = []
        self.told: list[object] = []
        self.left: list[NightReport] = []
        self.night: NightReport | FarmError = _report(0, built=2)
        self.earlier: Exception | None = None
        monkeypatch.setattr(rebuild, "forward", lambda: None)
        monkeypatch.setattr(rebuild, "load_settings", lambda: Settings(data=data))
        monkeypatch.setattr(rebuild, "flow_run", SimpleNamespace(get_id=lambda: str(uuid.uuid4())))
        monkeypatch.setattr(rebuild, "_introduce", lambda *_: None)
        monkeypatch.setattr(rebuild, "_refuse_a_second", self._refuse)
        monkeypatch.setattr(rebuild, "_leave_artifacts", self.left.append)
        monkeypatch.setattr("farm.catalog.rebuild.run_night", self._run)
        monkeypatch.setattr(hooks, "tell", self._tell)
        monkeypatch.setattr(hooks, "tell_of_error", lambda _settings, error, **_: self.told.append(error))

    def _refuse(self, _run: object) -> None:
        if self.earlier is not None:
            raise self.earlier

    def _run(self, _runtime: object, options: NightOptions, _executor: object, **_: object) -> NightReport:
        self.asked.append(options)
        if isinstance(self.night, FarmError):
            raise self.night
        return self.night

    def _tell(self, _settings: object, report: NightReport, **_: object) -> NightReport:
        self.told.append(report)
        return report

    def __call__(self, **parameters: Any) -> State[Any]:
        state: State[Any] = rebuild.rebuild_catalog.fn(**parameters)
        return state


@pytest.fixture
def farm(monkeypatch: pytest.MonkeyPatch, tmp_path: Path) -> Farm:
    return Farm(monkeypatch, tmp_path)


def _code(state: State[Any]) -> int:
    return read_outcome(state.type.value, state.message or "").exit_code


def test_a_night_without_failures_completes_with_its_counts(farm: Farm) -> None:
    farm.night = _report(0, built=2, unchanged=7, failed=0)
    state = farm()
    assert state.is_completed()
    assert state.message == "2 built, 7 unchanged"
    assert farm.left == farm.told == [farm.night]
    assert farm.asked == [NightOptions()]


def test_the_nightly_one_also_compares_and_watches(farm: Farm) -> None:
    farm(nightly=True, only=["python/click"], keep_going=False, inputs="rebuilt-only", retry_failed=True, force=True)
    assert farm.asked == [
        NightOptions(
            only=("python/click",),
            keep_going=False,
            inputs="rebuilt-only",
            reverify=True,
            watch=True,
            retry_failed=True,
            force=True,
        )
    ]


@pytest.mark.parametrize(("ended", "code"), [(97, 97), (50, 50), (96, 96), (3, 97)])
def test_a_night_with_failures_ends_with_the_code_of_its_report(farm: Farm, ended: int, code: int) -> None:
    farm.night = _report(ended, built=1, failed=2)
    state = farm()
    assert state.is_failed()
    assert "1 built, 2 failed" in (state.message or "")
    assert _code(state) == code
    assert farm.left == [farm.night]


def test_a_night_that_cannot_begin_is_told_to_the_hooks(farm: Farm) -> None:
    farm.night = StoreUnavailableError("the store is away")
    assert _code(farm()) == 80
    assert farm.told == [farm.night]


@pytest.mark.parametrize("where", ["server", "engine"])
def test_a_second_one_ends_as_busy_and_alarms_nobody(farm: Farm, where: str) -> None:
    if where == "server":
        farm.earlier = RebuildBusyError("another is at work")
    else:
        farm.night = RebuildBusyError("another is at work")
    state = farm()
    assert (state.name, state.is_cancelled(), _code(state)) == ("Busy", True, 98)
    assert farm.told == []
    assert len(farm.asked) == (0 if where == "server" else 1)


def test_a_finished_night_is_a_success_without_its_artifacts(farm: Farm, monkeypatch: pytest.MonkeyPatch) -> None:
    def refuse(_report: object) -> Never:
        raise httpx.ConnectError("gone")

    monkeypatch.setattr(rebuild, "_leave_artifacts", refuse)
    assert farm().is_completed()
