"""Whose container is whose: only what belongs to a process that is gone for certain is an orphan."""

from __future__ import annotations

import os
import subprocess
import sys
import time
from pathlib import Path
from typing import TYPE_CHECKING, Any

import pytest

from farm.config import load_settings
from farm.sandbox import engine, owner

if TYPE_CHECKING:
    from collections.abc import Iterator

PLACE = "boot-1/4026531836"


@pytest.fixture(autouse=True)
def _place(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(owner, "_place", lambda: PLACE)


@pytest.fixture
def child() -> Iterator[int]:
    with subprocess.Popen([sys.executable, "-c", "input()"], stdin=subprocess.PIPE) as process:
        yield process.pid


@pytest.fixture(scope="module")
def ended() -> int:
    with subprocess.Popen([sys.executable, "-c", ""]) as process:
        return process.pid


def test_a_living_process_keeps_its_containers(child: int) -> None:
    assert not owner.is_gone(f"{PLACE}/{child}/{owner._started(child)}")


def test_an_ended_process_and_one_whose_number_was_given_again_are_gone(child: int, ended: int) -> None:
    assert owner.is_gone(f"{PLACE}/{ended}/1")
    assert owner.is_gone(f"{PLACE}/{child}/1")


@pytest.mark.parametrize(
    "mark",
    [
        "",
        "a-host/1/1700000000.00",
        "boot-2/4026531836/{pid}/1",
        "boot-1/4026532000/{pid}/1",
        f"{PLACE}/{{pid}}/",
        f"{PLACE}/{{pid}}",
        f"{PLACE}/x/1",
        f"{PLACE}//1",
        f"{PLACE}/{9**30}/1",
        f"{PLACE}/0/1",
    ],
)
def test_what_cannot_be_judged_from_here_stays(mark: str, ended: int) -> None:
    assert not owner.is_gone(mark.format(pid=ended))


def test_a_process_that_proc_hides_is_asked_for(monkeypatch: pytest.MonkeyPatch, child: int, ended: int) -> None:
    def hidden(_pid: int) -> str:
        raise FileNotFoundError

    monkeypatch.setattr(owner, "_started", hidden)
    assert not owner.is_gone(f"{PLACE}/{child}/1")
    assert owner.is_gone(f"{PLACE}/{ended}/1")

    def of_another_user(_pid: int, _signal: int) -> None:
        raise PermissionError

    monkeypatch.setattr(os, "kill", of_another_user)
    assert not owner.is_gone(f"{PLACE}/{child}/1")


def test_an_unreadable_stat_is_no_end(monkeypatch: pytest.MonkeyPatch, child: int) -> None:
    def denied(_pid: int) -> str:
        raise PermissionError

    monkeypatch.setattr(owner, "_started", denied)
    assert not owner.is_gone(f"{PLACE}/{child}/1")
    assert engine.owner_labels()["farm.owner"] == ""


def test_the_programs_name_does_not_shift_the_fields(tmp_path: Path) -> None:
    program = tmp_path / "a) S 1 (b"
    program.symlink_to("/bin/sleep")
    with subprocess.Popen([str(program), "60"]) as process:
        try:
            # The kernel ends the wait for exec a moment before it changes the name.
            deadline = time.monotonic() + 10
            while (name := Path(f"/proc/{process.pid}/comm").read_text()) != "a) S 1 (b\n":
                assert time.monotonic() < deadline, name
                time.sleep(0.01)
            assert int(owner._started(process.pid)) >= int(owner._started(os.getpid()))
        finally:
            process.kill()


def test_only_orphans_are_removed_and_none_where_this_place_is_unknown(
    monkeypatch: pytest.MonkeyPatch, ended: int
) -> None:
    removed: list[str] = []

    class Api:
        def containers(self, **_options: Any) -> list[dict[str, Any]]:
            owners = {"gone": f"{PLACE}/{ended}/1", "live": engine.owner_labels()["farm.owner"], "other": "x/1/1/1"}
            return [{"Id": name, "Labels": {"farm.owner": mark}} for name, mark in owners.items()]

        def remove_container(self, container: str, **_options: Any) -> None:
            removed.append(container)

    class Connection:
        def __enter__(self) -> Api:
            return Api()

        def __exit__(self, *_error: object) -> None:
            return

    monkeypatch.setattr(engine, "connected", lambda _settings: Connection())
    assert engine.remove_orphans(load_settings()) == 1
    assert removed == ["gone"]
    monkeypatch.setattr(owner, "_place", str)
    assert engine.remove_orphans(load_settings()) == 0
