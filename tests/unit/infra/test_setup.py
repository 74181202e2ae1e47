"""Set-up as `make` runs it: another interpreter, standard library only, nothing installed."""

from __future__ import annotations

import json
import os
import subprocess
import sys
from pathlib import Path
from typing import TYPE_CHECKING, Any

import pytest

if TYPE_CHECKING:
    from subprocess import CompletedProcess

ROOT = Path(__file__).resolve().parents[3]


def _setup(*arguments: str, **variables: str) -> CompletedProcess[str]:
    env = {"PATH": os.environ["PATH"], **variables}
    return subprocess.run(
        [sys.executable, "-S", "-m", "infra.setup", *arguments],
        cwd=ROOT,
        env=env,
        capture_output=True,
        text=True,
        check=False,
    )


def _check(**variables: str) -> tuple[int, dict[str, Any]]:
    done = _setup("--check", **variables)
    return done.returncode, json.loads(done.stdout)


@pytest.fixture
def no_engine(tmp_path: Path) -> str:
    return f"unix://{tmp_path}/no-engine.sock"


def test_check_is_json_and_probes_the_engine_not_the_client(no_engine: str, tmp_path: Path) -> None:
    client = tmp_path / "docker"
    client.write_text("#!/bin/sh\nexit 0\n")
    client.chmod(0o755)
    code, seen = _check(DOCKER_HOST=no_engine, PATH=f"{tmp_path}:{os.environ['PATH']}")
    assert code == 3
    assert seen["ready"] is False
    assert seen["docker"]["address"] == no_engine
    assert seen["docker"]["version"] == ""
    assert seen["docker"]["reason"]


def test_no_install_stops_with_the_commands_and_its_own_code(no_engine: str) -> None:
    done = _setup(DOCKER_HOST=no_engine, FARM_NO_INSTALL="1")
    assert done.returncode == 3
    assert "WILL   start Docker Engine" in done.stdout
    assert "FARM_NO_INSTALL=1" in done.stderr
    assert "docker" in done.stderr.partition("Run:")[2]


def test_missing_programs_are_named_before_anything_is_done(no_engine: str, tmp_path: Path) -> None:
    done = _setup(DOCKER_HOST=no_engine, FARM_NO_INSTALL="1", PATH=str(tmp_path))
    assert done.returncode == 3
    for package in ("git", "mmdebstrap", "docker.io"):
        assert package in done.stdout
    assert "sudo apt-get update && sudo apt-get install" in done.stderr


@pytest.fixture
def venv_module(monkeypatch: pytest.MonkeyPatch) -> Any:
    monkeypatch.syspath_prepend(str(ROOT))
    from infra import virtualenv  # noqa: PLC0415 - found once the path is set

    return virtualenv


def test_pips_index_becomes_uvs(venv_module: Any, tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    for name in tuple(os.environ):
        if name.startswith(("PIP_", "UV_", "SSL_", "XDG_")):
            monkeypatch.delenv(name)
    monkeypatch.setenv("HOME", str(tmp_path))
    conf = tmp_path / ".config" / "pip" / "pip.conf"
    conf.parent.mkdir(parents=True)
    conf.write_text(
        "[global]\nindex-url = http://mirror.test/a%20b/simple\nextra-index-url =\n  http://x.test/1\n  http://x.test/2\n"
        "[install]\ncert = /ca.pem\n"
    )
    found = venv_module._uv_environment()
    assert found["UV_DEFAULT_INDEX"] == "http://mirror.test/a%20b/simple"
    assert found["UV_INDEX"] == "http://x.test/1 http://x.test/2"
    assert found["SSL_CERT_FILE"] == "/ca.pem"
    monkeypatch.setenv("PIP_INDEX_URL", "http://env.test/simple")
    assert venv_module._uv_environment()["UV_DEFAULT_INDEX"] == "http://env.test/simple"
    monkeypatch.setenv("UV_DEFAULT_INDEX", "http://uv.test/simple")
    assert venv_module._uv_environment()["UV_DEFAULT_INDEX"] == "http://uv.test/simple"


def test_environment_is_current_only_for_this_lock_and_these_groups(venv_module: Any, tmp_path: Path) -> None:
    for name in ("uv.lock", "pyproject.toml"):
        (tmp_path / name).write_text(f"# {name}\n")
    programs = tmp_path / ".venv" / "bin"
    programs.mkdir(parents=True)
    for name in ("farm", "python"):
        (programs / name).touch()
    assert not venv_module.is_current(tmp_path, dev=False)
    (tmp_path / ".venv" / venv_module._STAMP).write_text(json.dumps({**venv_module._stamp(tmp_path), "dev": False}))
    assert venv_module.is_current(tmp_path, dev=False)
    assert not venv_module.is_current(tmp_path, dev=True)
    (tmp_path / "uv.lock").write_text("# changed\n")
    assert not venv_module.is_current(tmp_path, dev=False)
