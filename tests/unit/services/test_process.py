from __future__ import annotations

import os
import subprocess
import sys
import time
from pathlib import Path
from typing import TYPE_CHECKING

import psutil
import pytest

from farm.errors import ServiceError
from farm.services import process, registry

if TYPE_CHECKING:
    from collections.abc import Iterator

    from farm.services.registry import ServiceRecord

ENV = {"PATH": os.environ["PATH"]}
STUBBORN = "import signal, time; signal.signal(signal.SIGTERM, signal.SIG_IGN); print('up', flush=True); time.sleep(60)"
PARENT = """
import os, subprocess, sys, time
subprocess.Popen([sys.executable, "-c", "import time; time.sleep(60)"], start_new_session=True)
print("up", flush=True)
time.sleep(60)
"""


class Spawner:
    def __init__(self, folder: Path) -> None:
        self.folder = folder
        self.records: list[ServiceRecord] = []

    def __call__(self, *argv: str, wait_for: str = "") -> ServiceRecord:
        log = self.folder / "logs" / "x.log"
        record = process.spawn("x", argv, ENV, log=log, cwd=self.folder, url="", basis="")
        self.records.append(record)
        deadline = time.monotonic() + 20
        while wait_for and wait_for not in process.log_tail(record):
            assert time.monotonic() < deadline
            time.sleep(0.02)
        return record


@pytest.fixture
def spawn(tmp_path: Path) -> Iterator[Spawner]:
    spawner = Spawner(tmp_path)
    yield spawner
    for record in spawner.records:
        process.stop(record, 0)


def test_service_runs_in_a_session_of_its_own_and_ends(spawn: Spawner) -> None:
    record = spawn("sleep", "60")
    assert registry.alive(record)
    assert os.getsid(record.pid) == record.pid
    assert process.stop(record, 5) == 1
    assert not registry.alive(record)
    assert process.stop(record, 5) == 0


def test_spawn_returns_once_the_mark_can_be_read(spawn: Spawner, monkeypatch: pytest.MonkeyPatch) -> None:
    answers = iter([False, False, True])
    monkeypatch.setattr(process, "alive", lambda _record: next(answers))
    spawn("sleep", "60")
    assert next(answers, None) is None


def test_environment_is_the_given_one_and_the_mark(spawn: Spawner) -> None:
    record = spawn("sleep", "60")
    assert psutil.Process(record.pid).environ() == {**ENV, registry.MARKER: record.mark}


def test_who_ignores_term_is_killed(spawn: Spawner) -> None:
    record = spawn(sys.executable, "-c", STUBBORN, wait_for="up")
    assert process.stop(record, 0.5) == 1
    assert not psutil.pid_exists(record.pid)


def test_children_that_a_dead_service_left_are_ended(spawn: Spawner) -> None:
    record = spawn(sys.executable, "-c", PARENT, wait_for="up")
    psutil.Process(record.pid).kill()
    while registry.alive(record):
        time.sleep(0.02)
    left = process.owned(record)
    assert len(left) == 1
    assert process.stop(record, 5) == 1
    assert process.owned(record) == []


def test_recycled_pid_is_never_signalled(spawn: Spawner) -> None:
    record = spawn("sleep", "60")
    with subprocess.Popen([sys.executable, "-c", "import time; time.sleep(60)"]) as stranger:
        recycled = record.model_copy(update={"pid": stranger.pid, "mark": "0" * 32})
        assert not registry.alive(recycled)
        assert process.stop(recycled, 0) == 0
        assert stranger.poll() is None
        stranger.kill()
    assert registry.alive(record)


def test_service_that_closes_its_memory_is_known_by_its_start(spawn: Spawner, monkeypatch: pytest.MonkeyPatch) -> None:
    record = spawn("sleep", "60")

    def closed(self: psutil.Process) -> dict[str, str]:
        raise psutil.AccessDenied(self.pid)

    monkeypatch.setattr(psutil.Process, "environ", closed)  # what the signer's is to who is not root
    assert registry.alive(record)
    assert not registry.alive(record.model_copy(update={"process": ""}))
    assert not registry.alive(record.model_copy(update={"process": record.process + "1"}))
    assert process.stop(record, 5) == 1
    assert not registry.alive(record)


def test_program_that_is_missing_is_a_service_error(spawn: Spawner) -> None:
    with pytest.raises(ServiceError, match="/nowhere/at-all cannot be started"):
        spawn("/nowhere/at-all")


def test_log_tail_is_of_this_start_alone(spawn: Spawner) -> None:
    first = spawn(sys.executable, "-c", "print('old news')", wait_for="old news")
    second = spawn(sys.executable, "-c", "print('a'); print('b'); print('c')", wait_for="c")
    assert process.log_tail(second, lines=2) == "b\nc"
    assert "old news" not in process.log_tail(second)
    assert "old news" in Path(first.log).read_text()


def test_exit_code_of_a_child_is_told(spawn: Spawner) -> None:
    record = spawn(sys.executable, "-c", "raise SystemExit(7)")
    deadline = time.monotonic() + 20
    while process.exit_note(record) == "ended" and time.monotonic() < deadline:
        time.sleep(0.02)
    assert process.exit_note(record) == "ended with exit code 7"


def test_large_log_is_put_aside(spawn: Spawner, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(process, "_ROTATE", 10)
    spawn(sys.executable, "-c", "print('x' * 100)", wait_for="xxx")
    record = spawn(sys.executable, "-c", "print('new')", wait_for="new")
    assert "xxx" not in Path(record.log).read_text()
    assert "xxx" in Path(record.log).with_suffix(".log.1").read_text()
