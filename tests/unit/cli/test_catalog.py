"""`farm catalog rebuild`, `farm schedule`: what they ask for, what they print, how they end."""

from __future__ import annotations

import json
from typing import TYPE_CHECKING, Any

import pytest
import structlog

from farm.catalog import rebuild
from farm.catalog.night import NightOptions, NightReport, NodeEnd, NodeRun, NodeState
from farm.cli.app import main
from farm.errors import PrefectUnavailableError, RebuildBusyError, ScheduleError
from farm.flows import client, rebuilds, schedules
from farm.flows.client import RunInfo, RunOutcome
from farm.flows.rebuilds import Submitted
from farm.flows.schedules import ScheduleState

if TYPE_CHECKING:
    from collections.abc import Callable, Iterator
    from pathlib import Path

    from farm.catalog.night import Executor

RUN = RunInfo(id="1-2", name="catalog 2026-01-01", url="http://prefect.test/runs/1-2")


@pytest.fixture(autouse=True)
def _home(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Iterator[None]:
    monkeypatch.chdir(tmp_path)
    monkeypatch.delenv("FARM_CONFIG", raising=False)
    (tmp_path / "farm.toml").write_text("")
    yield
    structlog.reset_defaults()


def _farm(*arguments: str) -> int:
    with pytest.raises(SystemExit) as caught:
        main(arguments)
    code = caught.value.code
    assert isinstance(code, int)
    return code


@pytest.fixture
def asked(monkeypatch: pytest.MonkeyPatch) -> list[NightOptions]:
    found: list[NightOptions] = []

    def submit(_settings: object, options: NightOptions) -> Submitted:
        found.append(options)
        return Submitted(run=RUN, joined=len(found) > 1)

    monkeypatch.setattr(rebuilds, "submit_rebuild", submit)
    return found


def test_a_rebuild_is_submitted_as_it_was_asked_for(
    asked: list[NightOptions], capsys: pytest.CaptureFixture[str]
) -> None:
    assert _farm("catalog", "rebuild") == 0
    assert "run catalog 2026-01-01" in capsys.readouterr().out
    options = ("--only", "python/click", "--only", "python/x", "--fail-fast", "--inputs", "rebuilt-only", "--force")
    assert _farm("catalog", "rebuild", *options, "--retry-failed", "--json") == 0
    assert json.loads(capsys.readouterr().out)["joined"]
    assert asked == [
        NightOptions(),
        NightOptions(
            only=("python/click", "python/x"), keep_going=False, inputs="rebuilt-only", retry_failed=True, force=True
        ),
    ]


def test_an_unknown_policy_is_a_mistake_in_the_command_line(asked: list[NightOptions]) -> None:
    assert _farm("catalog", "rebuild", "--inputs", "anything") == 2
    assert asked == []


def test_waiting_ends_with_the_code_of_the_rebuild(
    asked: list[NightOptions], monkeypatch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture[str]
) -> None:
    def follow(_settings: object, run: str, on_log: Callable[[str], None]) -> RunOutcome:
        on_log(f"a line of {run}")
        return RunOutcome(state="FAILED", exit_code=97, message="1 failed")

    monkeypatch.setattr(client, "follow", follow)
    assert _farm("catalog", "rebuild", "--wait") == 97
    out = capsys.readouterr().out
    assert "a line of 1-2" in out
    assert "catalog 2026-01-01: FAILED" in out
    assert len(asked) == 1


def test_a_busy_farm_says_so(monkeypatch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture[str]) -> None:
    def busy(*_: object) -> Submitted:
        raise RebuildBusyError("the rebuild catalog 1 is running")

    monkeypatch.setattr(rebuilds, "submit_rebuild", busy)
    assert _farm("catalog", "rebuild", "--json") == 98
    assert json.loads(capsys.readouterr().out)["error"] == "RebuildBusyError"


def _night(state: NodeState, ended_with: int) -> Callable[..., NightReport]:
    def run(_runtime: object, options: NightOptions, executor: Executor, *, run_id: str) -> NightReport:
        assert run_id
        node = NodeRun(id="python/a@1:t", ecosystem="python", package="python/a", title="python/a@1")
        executor.start(node, lambda: NodeEnd(id=node.id, state=state, seconds=1, message="why"))
        return NightReport(
            ended_with=ended_with,
            nodes=executor.wait(),
            markdown=str(options),
            path="report.md",
            counts={state: 1},
            started_on="",
            finished_on="",
        )

    return run


@pytest.mark.parametrize(("state", "code"), [("built", 0), ("failed", 97)])
def test_here_it_runs_in_this_process_and_shows_each_end(
    state: NodeState, code: int, monkeypatch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture[str]
) -> None:
    monkeypatch.setattr(rebuild, "run_night", _night(state, code))
    assert _farm("catalog", "rebuild", "--here", "--jobs", "2") == code
    said = capsys.readouterr()
    assert [state, "1.0", "s", "python/a@1", "why"] == said.err.split()[1:]
    assert f"1 {state}" in said.out
    assert _farm("catalog", "rebuild", "--here", "--json") == code
    said = capsys.readouterr()
    assert json.loads(said.out)["nodes"][0]["state"] == state
    assert said.err == ""


STATE = ScheduleState(
    cron="0 2 * * *",
    timezone="UTC",
    paused=False,
    from_settings=True,
    next=("2026-01-01T02:00:00+00:00",),
    url="http://prefect.test/d",
)


def _schedule(monkeypatch: pytest.MonkeyPatch, verb: str, state: ScheduleState) -> list[tuple[Any, ...]]:
    calls: list[tuple[Any, ...]] = []

    def answer(_settings: object, *values: object) -> ScheduleState:
        calls.append(values)
        return state

    monkeypatch.setattr(schedules, verb, answer)
    return calls


def test_a_schedule_is_shown_with_its_next_times(
    monkeypatch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture[str]
) -> None:
    _schedule(monkeypatch, "show", STATE)
    assert _farm("schedule", "show") == 0
    assert "0 2 * * * UTC, as the settings say\n  2026-01-01T02:00:00+00:00\n" in capsys.readouterr().out
    assert _farm("schedule", "show", "--json") == 0
    assert json.loads(capsys.readouterr().out) == STATE.model_dump(mode="json")


def test_a_paused_one_and_none_say_so(monkeypatch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture[str]) -> None:
    _schedule(monkeypatch, "pause", STATE.model_copy(update={"paused": True, "next": (), "from_settings": False}))
    assert _farm("schedule", "pause") == 0
    assert "0 2 * * * UTC, as it was set, paused\n" in capsys.readouterr().out
    _schedule(monkeypatch, "resume", STATE.model_copy(update={"cron": ""}))
    assert _farm("schedule", "resume") == 0
    assert "no schedule" in capsys.readouterr().out


def test_a_schedule_is_set_with_its_time_zone(monkeypatch: pytest.MonkeyPatch) -> None:
    calls = _schedule(monkeypatch, "set_schedule", STATE)
    assert _farm("schedule", "set", "0 4 * * *", "--timezone", "Europe/Berlin") == 0
    assert calls == [("0 4 * * *", "Europe/Berlin")]


def test_a_bad_schedule_is_told_also_where_no_server_runs(capsys: pytest.CaptureFixture[str]) -> None:
    assert _farm("schedule", "set", "0 25 * * *", "--json") == ScheduleError.exit_code
    assert "0 25 * * *" in json.loads(capsys.readouterr().out)["message"]
    assert _farm("schedule", "set", "0 5 * * *", "--json") == PrefectUnavailableError.exit_code
