"""The commands of the host's that make an image."""

from __future__ import annotations

import os
import sys
import time
from typing import TYPE_CHECKING

import psutil
import pytest

from farm.errors import ImageBuildError
from farm.image import builder
from farm.image.builder import _Job, _run
from farm.image.definition import ImageDefinition

if TYPE_CHECKING:
    from collections.abc import Iterable
    from pathlib import Path

DEFINITION = ImageDefinition.model_validate({
    "schema": 1, "name": "sample", "suite": "bookworm", "platform": "linux/amd64", "interpreter": "cp311",
    "version": "3.11", "requirements": "requirements.txt",
})  # fmt: skip
STUBBORN = """
import signal, subprocess, sys, time
signal.signal(signal.SIGTERM, signal.SIG_IGN)
child = subprocess.Popen([sys.executable, "-c", "import time; time.sleep(600)"])
print(child.pid, flush=True)
time.sleep(600)
"""


@pytest.fixture
def job(tmp_path: Path) -> _Job:
    return _Job(DEFINITION, b"", "0" * 64, tmp_path / "log")


def run(job: _Job, program: str, said: list[str]) -> None:
    with job.log_path.open("wb") as log:
        _run([sys.executable, "-c", program], dict(os.environ), log, job, said.append)


def gone(pids: Iterable[int]) -> bool:
    return not any(psutil.pid_exists(p) and psutil.Process(p).status() != psutil.STATUS_ZOMBIE for p in pids)


def test_output_is_logged_whole_and_marked_lines_are_progress(job: _Job) -> None:
    said: list[str] = []

    run(job, "print('I: one\\nplain\\nI: tw', end='', flush=True); print('o\\nrest', end='')", said)

    assert job.log_path.read_text() == "I: one\nplain\nI: two\nrest"
    assert said == ["one", "two"]


def test_a_failure_names_code_last_line_and_log(job: _Job) -> None:
    with pytest.raises(ImageBuildError, match=r"exit code 7\): the end") as caught:
        run(job, "print('the end'); raise SystemExit(7)", [])

    assert caught.value.details["log"] == str(job.log_path)


def test_out_of_time_everything_that_was_started_is_ended(job: _Job, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(builder, "_BUILD_SECONDS", 2.0)
    monkeypatch.setattr(builder, "_TIDY_SECONDS", 0.2)

    with pytest.raises(ImageBuildError, match="took longer than 2 s") as caught:
        run(job, STUBBORN, [])

    assert str(job.log_path) in caught.value.remedy
    pids = [int(word) for word in job.log_path.read_text().split()]
    assert len(pids) == 1
    while not gone(pids):
        time.sleep(0.02)


def test_a_command_that_says_nothing_more_but_goes_on_is_ended(job: _Job, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(builder, "_BUILD_SECONDS", 0.5)

    with pytest.raises(ImageBuildError, match="took longer"):
        run(job, "import os, time; os.close(1); os.close(2); time.sleep(600)", [])
