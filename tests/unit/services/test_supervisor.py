"""The supervisor over small stand-in services: real processes, a probe that looks for a file."""

from __future__ import annotations

import sys
import threading
from typing import TYPE_CHECKING

import psutil
import pytest

from farm.config import S3Settings, Settings
from farm.errors import ServiceError
from farm.services import supervisor
from farm.services.registry import alive, read_record
from farm.services.specs import SERVICES, ServiceSpec, service_names

if TYPE_CHECKING:
    from collections.abc import Iterator, Mapping
    from pathlib import Path

    from farm.services.health import Probe
    from farm.services.model import ServiceState

GOOD = "import pathlib, sys, time; pathlib.Path(sys.argv[1]).write_text('up'); time.sleep(60)"
DEAD = "import sys; print('cannot bind: no luck'); sys.exit(3)"
MUTE = "import time; print('thinking', flush=True); time.sleep(60)"


class Stand:
    """Which program each service is, for the patched `service_spec`."""

    def __init__(self, settings: Settings) -> None:
        self.settings = settings
        self.programs = dict.fromkeys(SERVICES, GOOD)
        self.start_seconds = 30.0

    def spec(self, settings: Settings, name: str, ports: Mapping[str, int]) -> ServiceSpec:
        ready = settings.data / f"{name}.ready"
        return ServiceSpec(
            name=name,
            argv=(sys.executable, "-c", self.programs[name], str(ready)),
            env={},
            url=f"http://127.0.0.1:{ports.get(name, 1)}",
            probe=self.probe(settings, name, ports),
            log=settings.data / "logs" / f"{name}.log",
            cwd=settings.data,
            start_seconds=self.start_seconds,
        )

    def probe(self, settings: Settings, name: str, ports: Mapping[str, int]) -> Probe:
        del ports
        ready = settings.data / f"{name}.ready"
        return lambda _since: "" if ready.exists() else "no file yet"


@pytest.fixture
def stand(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Iterator[Stand]:
    made = Stand(Settings(data=tmp_path / "data"))
    monkeypatch.setattr(supervisor, "service_spec", made.spec)
    monkeypatch.setattr(supervisor, "service_probe", made.probe)
    yield made
    supervisor.down(made.settings)


def _pids(states: tuple[ServiceState, ...]) -> dict[str, int | None]:
    return {state.name: state.pid for state in states}


def test_up_starts_all_and_a_second_up_reuses_all(stand: Stand) -> None:
    told: list[str] = []
    first = supervisor.up(stand.settings, progress=told.append)
    assert [state.name for state in first] == list(SERVICES)
    assert all(state.healthy for state in first)
    assert any(line.startswith("s3: ready") for line in told)
    told.clear()
    assert _pids(supervisor.up(stand.settings, progress=told.append)) == _pids(first)
    assert sorted(told) == sorted(f"{name}: running already" for name in SERVICES)


def test_up_of_some_starts_only_these(stand: Stand) -> None:
    assert [s.name for s in supervisor.up(stand.settings, ["index", "s3"])] == ["index", "s3"]
    conditions = {s.name: s.condition for s in supervisor.status(stand.settings)}
    assert conditions == {
        "s3": "healthy", "signer": "stopped", "index": "healthy", "prefect": "stopped", "worker": "stopped",
    }  # fmt: skip


def test_two_ups_at_once_start_one_of_each(stand: Stand) -> None:
    found: list[dict[str, int | None]] = []
    threads = [threading.Thread(target=lambda: found.append(_pids(supervisor.up(stand.settings)))) for _ in range(3)]
    for thread in threads:
        thread.start()
    for thread in threads:
        thread.join()
    assert len(found) == 3
    assert found[0] == found[1] == found[2]


def test_service_that_dies_is_an_error_with_its_log_and_the_others_stay(stand: Stand) -> None:
    stand.programs["index"] = DEAD
    with pytest.raises(ServiceError) as caught:
        supervisor.up(stand.settings)
    assert "service index ended with exit code 3" in caught.value.message
    assert "cannot bind: no luck" in caught.value.message
    assert str(stand.settings.data / "logs" / "index.log") in caught.value.remedy
    assert caught.value.exit_code == 93
    conditions = {s.name: s.condition for s in supervisor.status(stand.settings)}
    assert conditions["index"] == "died"
    assert conditions["prefect"] == "healthy"
    stand.programs["index"] = GOOD
    assert all(state.healthy for state in supervisor.up(stand.settings))


def test_service_that_never_gets_healthy_is_an_error(stand: Stand) -> None:
    stand.programs["signer"] = MUTE
    stand.start_seconds = 1.0
    with pytest.raises(ServiceError, match=r"signer is not healthy after 1 s \(no file yet\)\nthinking"):
        supervisor.up(stand.settings, ["signer"])


def test_crashed_service_is_started_again(stand: Stand) -> None:
    first = _pids(supervisor.up(stand.settings))
    psutil.Process(first["s3"]).kill()
    (stand.settings.data / "s3.ready").unlink()
    record = read_record(stand.settings, "s3")
    assert record is not None
    while alive(record):
        pass
    assert {s.name: s.condition for s in supervisor.status(stand.settings)}["s3"] == "died"
    second = _pids(supervisor.up(stand.settings))
    assert second["s3"] != first["s3"]
    assert {k: v for k, v in second.items() if k != "s3"} == {k: v for k, v in first.items() if k != "s3"}


def test_down_ends_all_and_a_second_down_does_nothing(stand: Stand) -> None:
    pids = _pids(supervisor.up(stand.settings))
    assert all(s.condition == "stopped" for s in supervisor.down(stand.settings))
    assert not any(psutil.pid_exists(pid) for pid in pids.values() if pid)
    told: list[str] = []
    supervisor.down(stand.settings, progress=told.append)
    assert told == []


def test_changed_settings_of_a_running_service_are_told(stand: Stand) -> None:
    supervisor.up(stand.settings, ["index"])
    stand.programs["index"] = GOOD + "  # another"
    (state,) = supervisor.up(stand.settings, ["index"])
    assert state.healthy
    assert "other settings" in state.detail


def test_stale_record_of_a_recycled_pid_is_started_anew(stand: Stand) -> None:
    supervisor.up(stand.settings, ["index"])
    record = read_record(stand.settings, "index")
    assert record is not None
    supervisor.down(stand.settings)
    stale = record.model_copy(update={"pid": psutil.Process().ppid()})
    (stand.settings.run_dir / "index.service.json").write_text(stale.model_dump_json())
    (state,) = supervisor.up(stand.settings, ["index"])
    assert state.healthy
    assert state.pid != stale.pid
    assert psutil.pid_exists(stale.pid)


def test_unknown_name_is_refused(stand: Stand) -> None:
    for verb in (supervisor.up, supervisor.down):
        with pytest.raises(ServiceError, match="no service called redis"):
            verb(stand.settings, ["redis"])


def test_configured_object_store_replaces_the_embedded_one(tmp_path: Path) -> None:
    settings = Settings(data=tmp_path, s3=S3Settings(endpoint="http://s3.test:9000"))
    assert "s3" not in service_names(settings)
    assert "s3" in service_names(Settings(data=tmp_path))
