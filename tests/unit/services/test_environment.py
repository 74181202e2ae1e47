from __future__ import annotations

import json
import os
import sys
from pathlib import Path

import pytest

from farm.config import S3Settings, Settings, load_settings
from farm.errors import ConfigError
from farm.services import environment
from farm.services.registry import MARKER, PortName, run_folder
from farm.services.specs import SERVICES, ServiceSpec, service_spec

PORTS: dict[PortName, int] = {"prefect": 20001, "s3": 20002, "index": 20003}
USER = {
    "HOME": "/home/u",
    "PATH": "/usr/bin",
    "LC_ALL": "C.UTF-8",
    "SSL_CERT_FILE": "/ca.pem",
    "PIP_INDEX_URL": "http://user:pass@index.test/simple",
    "UV_DEFAULT_INDEX": "http://index.test/simple",
    "GIT_CONFIG_GLOBAL": "/home/u/gitconfig",
    "DOCKER_HOST": "unix:///d.sock",
    "HTTPS_PROXY": "http://proxy.test",
    "no_proxy": "localhost",
    "GIT_DIR": "/elsewhere/.git",
    "AWS_SECRET_ACCESS_KEY": "aws-secret",
    "GITHUB_TOKEN": "token",
    "SSH_AUTH_SOCK": "/agent",
    "LD_PRELOAD": "/evil.so",
    "PYTHONPATH": "/evil",
    "RCLONE_CONFIG": "/home/u/rclone.conf",
    "PREFECT_API_URL": "http://other.test/api",
    "FARM_PYTHON_INDEX": "http://index.test/simple",
    "FARM_S3__SECRET_KEY": "s3-secret",
}
NETWORK = {
    "PIP_INDEX_URL", "UV_DEFAULT_INDEX", "GIT_CONFIG_GLOBAL", "DOCKER_HOST", "HTTPS_PROXY", "no_proxy",
}  # fmt: skip
NEVER = {
    "GIT_DIR", "AWS_SECRET_ACCESS_KEY", "GITHUB_TOKEN", "SSH_AUTH_SOCK", "LD_PRELOAD", "PYTHONPATH", "RCLONE_CONFIG",
}  # fmt: skip


@pytest.fixture
def specs(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> dict[str, ServiceSpec]:
    for name in tuple(os.environ):
        monkeypatch.delenv(name)
    for name, value in USER.items():
        monkeypatch.setenv(name, value)
    settings = Settings(data=tmp_path / "data")
    run_folder(settings)
    return {name: service_spec(settings, name, PORTS) for name in SERVICES}


def test_worker_has_the_users_indexes_git_proxies_and_docker(specs: dict[str, ServiceSpec]) -> None:
    assert set(specs["worker"].env) >= NETWORK
    assert specs["worker"].env["FARM_PYTHON_INDEX"] == USER["FARM_PYTHON_INDEX"]


@pytest.mark.parametrize("name", ["s3", "signer", "index", "prefect"])
def test_others_have_no_credentials_of_the_network(specs: dict[str, ServiceSpec], name: str) -> None:
    assert not NETWORK & set(specs[name].env)


@pytest.mark.parametrize("name", SERVICES)
def test_nothing_else_of_the_user_comes_along(specs: dict[str, ServiceSpec], name: str) -> None:
    assert not NEVER & set(specs[name].env)
    assert specs[name].env.get("PREFECT_API_URL") in {None, "http://127.0.0.1:20001/api"}
    assert specs[name].env["SSL_CERT_FILE"] == "/ca.pem"
    assert specs[name].env["PATH"].split(os.pathsep)[0] == str(Path(sys.executable).parent)


@pytest.mark.parametrize("name", ["signer", "prefect", "s3"])
def test_signer_server_and_store_have_no_settings_of_farm(specs: dict[str, ServiceSpec], name: str) -> None:
    assert not [key for key in specs[name].env if key.startswith("FARM_")]


@pytest.mark.parametrize("name", SERVICES)
def test_no_secret_is_in_an_argument(specs: dict[str, ServiceSpec], name: str) -> None:
    kept = json.loads((Path(specs["s3"].cwd) / "run" / "s3.json").read_text())
    assert not [a for a in specs[name].argv if kept["secret_key"] in a or kept["access_key"] in a]


def test_server_and_its_clients_share_a_login_that_is_made_once(specs: dict[str, ServiceSpec]) -> None:
    login = (Path(specs["s3"].cwd) / "run" / "prefect.login").read_text().strip()
    assert specs["prefect"].env["PREFECT_SERVER_API_AUTH_STRING"] == login
    assert specs["worker"].env["PREFECT_API_AUTH_STRING"] == login
    assert len(login.partition(":")[2]) == 64
    for name, spec in specs.items():
        assert not [a for a in spec.argv if login in a]
        assert name in {"prefect", "worker"} or login not in spec.env.values()


DATABASE = "postgresql+asyncpg://farm:database-secret@db.test/prefect"


def test_only_the_prefect_server_learns_of_its_database(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv("FARM_SERVICES__PREFECT_DATABASE", DATABASE)
    settings = load_settings(data=tmp_path)
    run_folder(settings)
    specs = {name: service_spec(settings, name, PORTS) for name in SERVICES}
    assert specs["prefect"].env["PREFECT_SERVER_DATABASE_CONNECTION_URL"] == DATABASE
    for name, spec in specs.items():
        assert not [a for a in spec.argv if "database-secret" in a]
        assert name == "prefect" or not [v for v in spec.env.values() if "database-secret" in v]
        assert "database-secret" not in spec.basis
    assert "database-secret" not in repr(settings)
    monkeypatch.delenv("FARM_SERVICES__PREFECT_DATABASE")
    plain = service_spec(Settings(data=tmp_path), "prefect", PORTS)
    assert "PREFECT_SERVER_DATABASE_CONNECTION_URL" not in plain.env
    assert plain.basis != specs["prefect"].basis


@pytest.mark.parametrize("address", ["postgresql://u:database-secret@h/d", "sqlite:///database-secret"])
def test_another_kind_of_database_is_refused_without_repeating_it(
    address: str, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setenv("FARM_SERVICES__PREFECT_DATABASE", address)
    with pytest.raises(ConfigError, match=r"services.prefect_database: .*postgresql\+asyncpg://") as caught:
        load_settings()
    assert "database-secret" not in caught.value.message


def test_pages_of_other_origins_may_not_call_the_prefect_server(specs: dict[str, ServiceSpec]) -> None:
    assert "*" not in specs["prefect"].env["PREFECT_SERVER_CORS_ALLOWED_ORIGINS"]


def test_builds_keep_the_umask_of_builds_and_keys_are_private(specs: dict[str, ServiceSpec]) -> None:
    assert specs["worker"].umask == 0o022
    assert specs["signer"].umask == specs["s3"].umask == 0o077


def test_another_process_reads_the_same_settings(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    home = tmp_path / "home"
    home.mkdir()
    (home / "farm.toml").write_text(
        'data = "d"\nrecipes = "r"\n[sources]\n"https://git.test/" = "mirror"\n[trust]\ntrust_config = "t.json"\n'
    )
    monkeypatch.chdir(home)
    for name in ("FARM_CONFIG", "FARM_DATA"):
        monkeypatch.delenv(name, raising=False)
    here = load_settings()
    exported = {**environment.farm_settings(here), MARKER: "x"}
    monkeypatch.chdir(tmp_path)
    for name, value in exported.items():
        monkeypatch.setenv(name, value)
    assert load_settings() == here


def test_basis_changes_with_what_farm_decides_and_not_with_the_users_shell(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    settings = Settings(data=tmp_path, s3=S3Settings(endpoint="http://s3.test"))
    run_folder(settings)
    before = {name: service_spec(settings, name, PORTS).basis for name in SERVICES}
    monkeypatch.setenv("LC_TIME", "de_DE")
    assert {name: service_spec(settings, name, PORTS).basis for name in SERVICES} == before
    moved: dict[PortName, int] = {**PORTS, "prefect": 20009}
    assert service_spec(settings, "worker", moved).basis != before["worker"]
