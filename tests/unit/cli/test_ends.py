"""How commands end: one JSON document whatever happens, and the exit code that says what."""

from __future__ import annotations

import json
import subprocess
import sys
from typing import TYPE_CHECKING, Any, Never

import pytest
import structlog

from farm import services
from farm.cli.app import main
from farm.cli.render import Renderer
from farm.errors import BuildFailedError, LockStaleError
from farm.pipeline import locking
from farm.pipeline.locking import LockChange
from farm.services.model import ServiceState

if TYPE_CHECKING:
    from collections.abc import Callable, Iterator
    from pathlib import Path


@pytest.fixture(autouse=True)
def _home(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Iterator[None]:
    monkeypatch.chdir(tmp_path)
    monkeypatch.delenv("FARM_CONFIG", raising=False)
    (tmp_path / "farm.toml").write_text("")
    yield
    structlog.reset_defaults()  # verbs send the log to what pytest gave them as stderr


def _ends(*arguments: str) -> Any:
    with pytest.raises(SystemExit) as caught:
        main(arguments)
    return caught.value.code


def _raising(error: BaseException) -> Callable[..., Never]:
    def fail(*_: object, **__: object) -> Never:
        raise error

    return fail


def test_lock_check_prints_one_document(monkeypatch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture[str]) -> None:
    change = LockChange(package="python/x@1", path="l.json", files=1, added=("a",), removed=(), same=False)
    monkeypatch.setattr(locking, "lock_images", lambda *_: ("a",))
    monkeypatch.setattr(locking, "write_recipe_lock", lambda *_, **__: change)
    assert _ends("lock", "python/x", "--check", "--json") == LockStaleError.exit_code
    told = json.loads(capsys.readouterr().out)
    assert (told["error"], told["details"]["added"]) == ("LockStaleError", ["a"])
    assert _ends("lock", "python/x", "--json") == 0
    assert json.loads(capsys.readouterr().out)["added"] == ["a"]


def test_lock_of_several_images_prints_a_list(
    monkeypatch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture[str]
) -> None:
    def change(_runtime: object, _reference: str, *, image: str, **_: object) -> LockChange:
        same = image == "a"
        return LockChange(package="python/x@1", path=image, files=1, added=(), removed=(), same=same)

    monkeypatch.setattr(locking, "lock_images", lambda _runtime, _reference, image: (image,) if image else ("a", "b"))
    monkeypatch.setattr(locking, "write_recipe_lock", change)
    assert _ends("lock", "python/x", "--json") == 0
    assert [told["path"] for told in json.loads(capsys.readouterr().out)] == ["a", "b"]
    assert _ends("lock", "python/x", "--image", "b", "--json") == 0
    assert json.loads(capsys.readouterr().out)["path"] == "b"
    assert _ends("lock", "python/x", "--check", "--json") == LockStaleError.exit_code
    told = json.loads(capsys.readouterr().out)
    assert [lock["same"] for lock in told["details"]["locks"]] == [True, False]


def test_status_says_in_json_whether_each_service_is_healthy(
    monkeypatch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture[str]
) -> None:
    states = (ServiceState(name="s3", condition="healthy"), ServiceState(name="index", condition="died", detail="why"))
    monkeypatch.setattr(services, "status", lambda _settings: states, raising=False)
    assert _ends("status", "--json") == 93
    assert {s["name"]: s["healthy"] for s in json.loads(capsys.readouterr().out)} == {"s3": True, "index": False}
    assert _ends("status") == 93
    assert "index: why" in capsys.readouterr().out


@pytest.mark.parametrize("options", [(), ("--json",)])
def test_ctrl_c_ends_with_130_and_a_word(
    options: tuple[str, ...], monkeypatch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture[str]
) -> None:
    monkeypatch.setattr(locking, "lock_images", _raising(KeyboardInterrupt()))
    assert _ends("lock", "python/x", *options) == 130
    said = capsys.readouterr()
    assert said.out == ""
    assert "interrupted" in said.err
    assert "Traceback" not in said.err


def test_a_defect_leaves_a_trace_and_with_json_an_object(tmp_path: Path) -> None:
    program = (
        "from farm.pipeline import locking; from farm.cli import main\n"
        "def broken(*_, **__): raise ZeroDivisionError('a defect')\n"
        "locking.lock_images = broken\n"
        "main(['lock', 'python/x', *{options!r}])\n"
    )

    def run(*options: str) -> subprocess.CompletedProcess[str]:
        argv = [sys.executable, "-c", program.format(options=options)]
        return subprocess.run(argv, cwd=tmp_path, capture_output=True, text=True, check=False)

    plain, machine = run(), run("--json")
    for done in (plain, machine):
        assert done.returncode == 1
        assert "Traceback" in done.stderr
        assert "ZeroDivisionError: a defect" in done.stderr
    assert "{" not in plain.stdout
    told = json.loads(machine.stdout)
    assert (told["exit_code"], told["message"]) == (1, "ZeroDivisionError: a defect")


def test_a_step_that_fails_is_shown(capsys: pytest.CaptureFixture[str]) -> None:
    renderer = Renderer()
    with pytest.raises(BuildFailedError), renderer.step("build"):
        raise BuildFailedError("no")
    with renderer.step("test") as line:
        line.text = "passed"
    first, second = capsys.readouterr().err.splitlines()
    assert first.startswith("✗ build ")
    assert second.startswith("✓ test ")
    assert second.endswith("passed")
