from __future__ import annotations

import json
import os
import socket
import stat
import tempfile
from typing import TYPE_CHECKING

import pytest

from farm.config import ServiceSettings, Settings
from farm.errors import ServiceError
from farm.services import registry
from farm.services.registry import ServiceRecord

if TYPE_CHECKING:
    from collections.abc import Iterator
    from pathlib import Path


@pytest.fixture
def settings(tmp_path: Path) -> Settings:
    made = Settings(data=tmp_path / "data")
    registry.run_folder(made)
    return made


@pytest.fixture
def listener() -> Iterator[socket.socket]:
    with socket.socket() as taken:
        taken.bind(("127.0.0.1", 0))
        taken.listen()
        yield taken


def _record(**changes: object) -> ServiceRecord:
    values: dict[str, object] = dict.fromkeys(("since", "log", "basis"), "")
    values |= {"name": "s3", "pid": os.getpid(), "mark": "m", "url": "http://127.0.0.1:1", "log_start": 0}
    return ServiceRecord.model_validate(values | changes)


def test_run_folder_is_private(settings: Settings) -> None:
    assert stat.S_IMODE(settings.run_dir.stat().st_mode) == 0o700


def test_chosen_ports_are_kept(settings: Settings) -> None:
    first = registry.choose_ports(settings)
    assert set(first) == {"prefect", "s3", "index"}
    assert len(set(first.values())) == 3
    assert registry.choose_ports(settings) == first == registry.read_ports(settings)


def test_ports_come_out_the_same_when_their_file_is_lost(settings: Settings) -> None:
    first = registry.choose_ports(settings)
    (settings.run_dir / "ports.json").unlink()
    assert registry.choose_ports(settings) == first


def test_kept_port_that_a_stranger_took_is_left_to_them(settings: Settings) -> None:
    first = registry.choose_ports(settings)
    with socket.socket() as stranger:
        stranger.bind(("127.0.0.1", first["index"]))
        stranger.listen()
        second = registry.choose_ports(settings)
    assert second["index"] != first["index"]
    assert {k: v for k, v in second.items() if k != "index"} == {k: v for k, v in first.items() if k != "index"}


def test_port_of_the_settings_is_taken_as_it_is(tmp_path: Path) -> None:
    with socket.socket() as probe:
        probe.bind(("127.0.0.1", 0))
        port = probe.getsockname()[1]
    settings = Settings(data=tmp_path, services=ServiceSettings(s3_port=port))
    registry.run_folder(settings)
    assert registry.choose_ports(settings)["s3"] == port


def test_port_of_the_settings_in_use_is_an_error_that_names_it(tmp_path: Path, listener: socket.socket) -> None:
    port = listener.getsockname()[1]
    settings = Settings(data=tmp_path, services=ServiceSettings(index_port=port))
    registry.run_folder(settings)
    with pytest.raises(ServiceError, match=rf"port {port} of the index service"):
        registry.choose_ports(settings)


@pytest.mark.parametrize("content", ["", "{", "[]", '{"prefect": "4200", "s3": 0, "index": 99999}'])
def test_unreadable_ports_count_as_none(settings: Settings, content: str) -> None:
    (settings.run_dir / "ports.json").write_text(content)
    assert registry.read_ports(settings) == {}
    assert len(registry.choose_ports(settings)) == 3


@pytest.mark.parametrize("content", ["", "{", "[]", '{"name": "s3"}', '{"pid": "x"}'])
def test_unreadable_record_counts_as_none(settings: Settings, content: str) -> None:
    (settings.run_dir / "s3.service.json").write_text(content)
    assert registry.read_record(settings, "s3") is None
    assert registry.service_url(settings, "s3") == ""


def test_record_round_trip_and_mode(settings: Settings) -> None:
    record = _record()
    registry.write_record(settings, record)
    assert registry.read_record(settings, "s3") == record
    assert stat.S_IMODE((settings.run_dir / "s3.service.json").stat().st_mode) == 0o600
    registry.drop_record(settings, "s3")
    registry.drop_record(settings, "s3")
    assert registry.read_record(settings, "s3") is None


def test_living_process_without_the_mark_is_not_the_service(settings: Settings) -> None:
    # The pid was recycled: here by this very test process.
    record = _record(pid=os.getpid())
    registry.write_record(settings, record)
    assert not registry.alive(record)
    assert registry.service_url(settings, "s3") == ""


def test_s3_keys_are_made_once_and_follow_the_port(settings: Settings) -> None:
    access, secret = registry.s3_credentials(settings, 1111)
    assert len(access) >= 16
    assert len(secret) >= 32
    assert registry.s3_credentials(settings, 2222) == (access, secret)
    path = settings.run_dir / "s3.json"
    assert json.loads(path.read_text()) == {
        "endpoint": "http://127.0.0.1:2222",
        "access_key": access,
        "secret_key": secret,
    }
    assert stat.S_IMODE(path.stat().st_mode) == 0o600


def test_short_socket_path_is_used_as_it_is(settings: Settings) -> None:
    assert registry.bind_socket(settings) == registry.signer_address(settings) == settings.signer_socket


def _bind(path: Path) -> None:
    with socket.socket(socket.AF_UNIX) as server:
        server.bind(str(path))


@pytest.fixture
def deep(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Iterator[Settings]:
    with tempfile.TemporaryDirectory(prefix="f", dir="/tmp") as short:
        monkeypatch.setattr(tempfile, "tempdir", short)
        settings = Settings(data=tmp_path / ("d" * 120))
        registry.run_folder(settings)
        yield settings
        monkeypatch.undo()


def test_long_socket_path_gets_a_short_private_one_with_a_link(deep: Settings) -> None:
    address = registry.bind_socket(deep)
    assert address == registry.signer_address(deep) == registry.bind_socket(deep)
    assert stat.S_IMODE(address.parent.stat().st_mode) == 0o700
    _bind(address)
    assert deep.signer_socket.resolve() == address


def test_short_folder_that_others_can_enter_is_refused(deep: Settings) -> None:
    folder = registry.signer_address(deep).parent
    folder.mkdir(mode=0o777)
    folder.chmod(0o777)
    with pytest.raises(ServiceError, match="not a private folder"):
        registry.bind_socket(deep)


def test_link_in_place_of_the_short_folder_is_refused(deep: Settings, tmp_path: Path) -> None:
    registry.signer_address(deep).parent.symlink_to(tmp_path)
    with pytest.raises(ServiceError, match="not a private folder"):
        registry.bind_socket(deep)
