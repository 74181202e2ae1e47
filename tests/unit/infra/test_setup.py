"""Set-up as `make` runs it: another interpreter, standard library only, nothing installed."""

from __future__ import annotations

import json
import os
import socket
import subprocess
import sys
import tempfile
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


def test_what_only_the_tests_need_comes_with_them_alone(no_engine: str, tmp_path: Path) -> None:
    wanted = {"maven", "default-jdk-headless"}
    for arguments, expected in (((), set()), (("--with-dev",), wanted)):
        done = _setup("--check", *arguments, DOCKER_HOST=no_engine, PATH=str(tmp_path))
        assert wanted & set(json.loads(done.stdout)["missing_packages"]) == expected
    done = _setup("--with-dev", DOCKER_HOST=no_engine, FARM_NO_INSTALL="1", PATH=str(tmp_path))
    assert done.returncode == 3
    assert "for the tests alone" in done.stdout
    assert "maven default-jdk-headless" in done.stderr


def test_the_base_system_is_announced_until_it_is_there(no_engine: str) -> None:
    done = _setup(DOCKER_HOST=no_engine, FARM_NO_INSTALL="1")
    assert "LATER" in done.stdout
    assert "python311 (Debian bookworm)" in done.stdout


@pytest.mark.parametrize("how", ["FARM_CONFIG", "upward from here"])
def test_the_engine_of_farm_toml_counts(host: Any, tmp_path: Path, monkeypatch: pytest.MonkeyPatch, how: str) -> None:
    (tmp_path / "farm.toml").write_text('[sandbox]\ndocker_host = "unix:///own.sock"\n')
    (tmp_path / "below").mkdir()
    monkeypatch.chdir("/" if how == "FARM_CONFIG" else tmp_path / "below")
    monkeypatch.setenv("DOCKER_HOST", "unix:///other.sock")
    if how == "FARM_CONFIG":
        monkeypatch.setenv("FARM_CONFIG", str(tmp_path / "farm.toml"))
    assert host.engine_address() == "unix:///own.sock"
    monkeypatch.setenv("FARM_SANDBOX__DOCKER_HOST", "unix:///variable.sock")
    assert host.engine_address() == "unix:///variable.sock"
    monkeypatch.delenv("FARM_SANDBOX__DOCKER_HOST")
    (tmp_path / "farm.toml").write_text("")
    assert host.engine_address() == "unix:///other.sock"
    (tmp_path / "farm.toml").write_text("[")
    with pytest.raises(host.SetupError, match=r"farm\.toml cannot be read"):
        host.engine_address()


def test_who_is_not_root_needs_more(host: Any, tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv("PATH", str(tmp_path))
    monkeypatch.setattr(os, "geteuid", lambda: 1000)
    assert {"uidmap", "acl", "docker.io"} <= set(host.missing_packages(engine=True, access=True, venv=False))
    monkeypatch.setattr(os, "geteuid", lambda: 0)
    assert not {"uidmap", "acl"} & set(host.missing_packages(engine=True, access=False, venv=False))


class _Socket:
    """An engine whose socket denies this user until its access list names them; the commands that were run."""

    def __init__(self, host: Any, address: str, *, stubborn: bool = False) -> None:
        self.host, self.address, self.stubborn = host, address, stubborn
        self.commands: list[tuple[str, ...]] = []

    def run(self, *argv: str) -> None:
        self.commands.append(argv)

    def probe(self, _address: str = "") -> Any:
        let_in = any("setfacl" in argv for argv in self.commands) and not self.stubborn
        if let_in:
            return self.host.Engine(self.address, version="1")
        return self.host.Engine(self.address, reason="Permission denied", denied=True)


@pytest.fixture
def denying(host: Any, no_engine: str, monkeypatch: pytest.MonkeyPatch) -> _Socket:
    engine = _Socket(host, no_engine)
    monkeypatch.setattr(host, "run", engine.run)
    monkeypatch.setattr(host, "probe_engine", engine.probe)
    monkeypatch.setattr(host, "elevation", lambda: ["sudo"])
    return engine


def test_a_user_whom_the_socket_denies_is_let_in(host: Any, denying: _Socket, no_engine: str) -> None:
    assert host.allow_user(host.probe_engine()).version == "1"
    assert denying.commands == [("sudo", "setfacl", "-m", f"u:{os.getuid()}:rw", no_engine.removeprefix("unix://"))]


def test_a_new_engine_that_denies_the_user_is_not_waited_for(
    host: Any, denying: _Socket, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    class Process:
        pid = 1

    monkeypatch.setattr(host.subprocess, "Popen", lambda *_argv, **_options: Process())
    monkeypatch.setattr(host.time, "sleep", lambda _seconds: None)
    monkeypatch.setattr(host, "_drop_stale_pid_file", lambda: None)
    host.start_engine(tmp_path)
    assert [argv[1] for argv in denying.commands][-1] == "setfacl"
    denying.stubborn = True
    with pytest.raises(host.SetupError, match="may not use the Docker Engine"):
        host.start_engine(tmp_path)


def test_a_denial_is_told_from_silence(host: Any, no_engine: str) -> None:
    silent = host.probe_engine(no_engine)
    assert (silent.version, silent.denied) == ("", False)
    program = (
        "import os, sys; from infra import host\n"
        "if os.getuid() == 0: os.setgroups([]); os.setgid(65534); os.setuid(65534)\n"  # root is denied nothing
        "engine = host.probe_engine(sys.argv[1]); print([engine.version, engine.denied])"
    )
    with tempfile.TemporaryDirectory() as folder, socket.socket(socket.AF_UNIX) as listener:
        Path(folder).chmod(0o755)
        path = Path(folder) / "engine.sock"
        listener.bind(str(path))
        listener.listen()
        path.chmod(0)
        argv = [sys.executable, "-c", program, f"unix://{path}"]
        told = subprocess.run(argv, cwd=ROOT, capture_output=True, text=True, check=True).stdout
    assert told.strip() == "['', True]"


@pytest.fixture
def host(monkeypatch: pytest.MonkeyPatch) -> Any:
    for name in ("FARM_CONFIG", "FARM_SANDBOX__DOCKER_HOST", "DOCKER_HOST"):
        monkeypatch.delenv(name, raising=False)
    monkeypatch.syspath_prepend(str(ROOT))
    from infra import host  # noqa: PLC0415 - found once the path is set

    return host


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
