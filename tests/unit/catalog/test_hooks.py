"""Hooks, with real processes and a real HTTP server."""

from __future__ import annotations

import errno
import json
import os
import sys
import threading
import time
from contextlib import contextmanager
from http.server import BaseHTTPRequestHandler, ThreadingHTTPServer
from typing import TYPE_CHECKING, Any

import psutil
import pytest
from pydantic import SecretStr

from farm.catalog import hooks
from farm.catalog.night import NightReport, NodeEnd, NodeState
from farm.config import HookSettings, Settings, load_settings
from farm.errors import ConfigError, StoreUnavailableError

if TYPE_CHECKING:
    from collections.abc import Iterator
    from pathlib import Path

COPY = "import os, pathlib, sys; pathlib.Path(sys.argv[1]).write_bytes(sys.stdin.buffer.read())"
SECRET = "token-in-the-address"


def _report(state: NodeState, *, path: str = "", code: int | None = None) -> NightReport:
    bad = state in {"failed", "drifted"}
    return NightReport(
        ended_with=(97 if bad else 0) if code is None else code,
        nodes=(NodeEnd(id="python/a@1:t", state=state, message="why"),),
        markdown="# Night\n",
        path=path,
        counts={state: 1},
        started_on="2026-01-01T00:00:00Z",
        finished_on="2026-01-01T00:00:01Z",
    )


def _settings(tmp_path: Path, **hook: Any) -> Settings:
    return Settings(data=tmp_path, hooks=HookSettings(**hook))


@contextmanager
def _server(status: int = 204) -> Iterator[tuple[str, list[tuple[str, bytes]]]]:
    seen: list[tuple[str, bytes]] = []

    class Handler(BaseHTTPRequestHandler):
        def do_POST(self) -> None:
            body = self.rfile.read(int(self.headers["Content-Length"]))
            seen.append((self.headers["Content-Type"], body))
            self.send_response(status)
            self.send_header("Location", "/elsewhere")
            self.end_headers()

        def log_message(self, *_: object) -> None:
            return

    server = ThreadingHTTPServer(("127.0.0.1", 0), Handler)
    thread = threading.Thread(target=server.serve_forever)
    thread.start()
    try:
        yield f"http://127.0.0.1:{server.server_address[1]}/{SECRET}", seen
    finally:
        server.shutdown()
        thread.join()
        server.server_close()


@pytest.mark.parametrize(
    ("state", "code", "wanted"),
    [
        ("built", 0, False),
        ("unchanged", 0, False),
        ("failed", 97, True),
        ("drifted", 97, True),
        ("drifted", 0, True),
        ("built", 80, True),
    ],
)
def test_hooks_are_for_failure_and_drift(state: NodeState, code: int, wanted: bool) -> None:  # noqa: FBT001 - a table
    assert hooks.needed(_report(state, code=code)) is wanted


def test_command_and_webhook_get_the_report_as_json(tmp_path: Path) -> None:
    got = tmp_path / "got.json"
    with _server() as (address, seen):
        settings = _settings(tmp_path, command=(sys.executable, "-c", COPY, str(got)), webhook=SecretStr(address))
        report = hooks.tell(settings, _report("failed"), run_id="r1")
    assert report == _report("failed")
    ((kind, body),) = seen
    assert kind == "application/json"
    assert got.read_bytes() == body
    told = json.loads(body)
    assert (told["run"], told["ended_with"], told["counts"], told["nodes"][0]["message"]) == (
        "r1",
        97,
        {"failed": 1},
        "why",
    )


def test_nothing_is_called_after_a_good_night(tmp_path: Path) -> None:
    with _server() as (address, seen):
        hooks.tell(_settings(tmp_path, webhook=SecretStr(address)), _report("built"), run_id="r1")
    assert seen == []


def test_a_rebuild_that_could_not_begin_is_told_too(tmp_path: Path) -> None:
    with _server() as (address, seen):
        error = StoreUnavailableError("the store is away")
        hooks.tell_of_error(_settings(tmp_path, webhook=SecretStr(address)), error, run_id="r1")
    told = json.loads(seen[0][1])
    assert (told["ended_with"], told["error"]["message"]) == (80, "the store is away")


def test_the_environment_of_the_command_is_an_allow_list(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    got = tmp_path / "env.json"
    for name in (
        "FARM_S3__SECRET_KEY",
        "PREFECT_API_AUTH_STRING",
        "AWS_SECRET_ACCESS_KEY",
        "LD_PRELOAD_X",
        "PYTHONPATH_X",
    ):
        monkeypatch.setenv(name, "secret")
    program = f"import json, os, pathlib; pathlib.Path({str(got)!r}).write_text(json.dumps(dict(os.environ)))"
    hooks.tell(_settings(tmp_path, command=(sys.executable, "-c", program)), _report("failed"), run_id="r1")
    env = json.loads(got.read_text())
    assert "secret" not in env.values()
    assert env["PATH"]


def test_a_hook_that_fails_is_a_warning_in_the_report_and_its_file(tmp_path: Path) -> None:
    path = tmp_path / "report.md"
    path.write_text("# Night\n")
    program = "import sys; print('\\x1b[31mno such channel'); sys.exit(3)"
    with _server(500) as (address, _):
        settings = _settings(tmp_path, command=(sys.executable, "-c", program), webhook=SecretStr(address))
        report = hooks.tell(settings, _report("failed", path=str(path)), run_id="r1")
    assert report.ended_with == 97
    assert report.warnings == (f"the hook {sys.executable} ended with 3: no such channel", "the webhook answered 500")
    assert report.markdown == path.read_text()
    assert "## Warnings\n\n- the hook" in report.markdown
    assert SECRET not in report.markdown


@pytest.mark.parametrize("status", [301, 307, 404])
def test_a_redirect_is_not_followed(status: int, tmp_path: Path) -> None:
    with _server(status) as (address, seen):
        report = hooks.tell(_settings(tmp_path, webhook=SecretStr(address)), _report("failed"), run_id="r1")
    assert len(seen) == 1
    assert report.warnings == (f"the webhook answered {status}",)


def test_nobody_at_the_address_and_no_such_program(tmp_path: Path) -> None:
    settings = _settings(
        tmp_path, command=(str(tmp_path / "missing"),), webhook=SecretStr(f"http://127.0.0.1:1/{SECRET}")
    )
    report = hooks.tell(settings, _report("drifted"), run_id="r1")
    assert report.warnings == (
        f"the hook {tmp_path / 'missing'} cannot be started: No such file or directory",
        "the webhook does not answer: ConnectError",
    )


def test_a_command_that_takes_too_long_is_ended_with_its_children(tmp_path: Path) -> None:
    pid = tmp_path / "pid"
    child = f"import os, pathlib, time; pathlib.Path({str(pid)!r}).write_text(str(os.getpid())); time.sleep(60)"
    program = f"import subprocess, sys; subprocess.run([sys.executable, '-c', {child!r}])"
    settings = _settings(tmp_path, command=(sys.executable, "-c", program), timeout_seconds=2)
    report = hooks.tell(settings, _report("failed"), run_id="r1")
    assert report.warnings == (f"the hook {sys.executable} was ended: it took longer than 2 s",)
    number = int(pid.read_text())
    deadline = time.monotonic() + 10
    while psutil.pid_exists(number) and psutil.Process(number).status() != psutil.STATUS_ZOMBIE:
        assert time.monotonic() < deadline, "a child is left"  # the kernel takes a moment
        time.sleep(0.01)


def test_a_command_that_does_not_read_or_writes_without_end_blocks_nobody(tmp_path: Path) -> None:
    program = "import os\nfor _ in range(2000): os.write(1, b'x' * 1000)\nraise SystemExit(1)"
    report = hooks.tell(_settings(tmp_path, command=(sys.executable, "-c", program)), _report("failed"), run_id="r1")
    (warning,) = report.warnings
    assert len(warning) < 400


def test_the_address_is_a_secret_and_has_to_be_one_of_the_web(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv("FARM_HOOKS__WEBHOOK", f"file:///{SECRET}")
    with pytest.raises(ConfigError, match="neither http") as caught:
        load_settings()
    assert SECRET not in caught.value.message
    monkeypatch.setenv("FARM_HOOKS__WEBHOOK", f"https://chat.test/{SECRET}")
    assert SECRET not in repr(load_settings())
    assert os.environ["FARM_HOOKS__WEBHOOK"]


def test_a_full_disk_keeps_the_command_from_running_and_not_the_webhook(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    def full() -> None:
        raise OSError(errno.ENOSPC, os.strerror(errno.ENOSPC))

    monkeypatch.setattr("tempfile.TemporaryFile", full)
    with _server() as (address, seen):
        settings = _settings(tmp_path, command=("true",), webhook=SecretStr(address))
        hooks.tell_of_error(settings, StoreUnavailableError("away"), run_id="run")
        report = hooks.tell(settings, _report("failed"), run_id="run")
    assert len(seen) == 2
    assert report.warnings == ("the hook true cannot be started: No space left on device",)
