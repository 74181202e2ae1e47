"""The process side of the signer: who may connect, and where it listens."""

from __future__ import annotations

import asyncio
import os
import socket
import stat
from typing import TYPE_CHECKING

import pytest
import uvicorn
from starlette.applications import Starlette
from starlette.responses import PlainTextResponse, Response
from starlette.routing import Route

from farm.errors import ConfigError, ServiceError
from farm.trust.signer import server

if TYPE_CHECKING:
    from pathlib import Path

    from starlette.requests import Request


async def answer(_: Request) -> Response:
    return PlainTextResponse("hello")


async def talk(path: Path) -> bytes:
    """Serve one connection and return what the client at the other end got."""
    with server.listen(path) as listener:
        service = uvicorn.Server(server.configuration(Starlette(routes=[Route("/", answer)])))
        serving = asyncio.create_task(service.serve(sockets=[listener]))
        reader, writer = await asyncio.open_unix_connection(path)
        try:
            writer.write(b"GET / HTTP/1.1\r\nhost: signer\r\nconnection: close\r\n\r\n")
            got = await reader.read()
        except ConnectionError:
            got = b""
        writer.close()
        service.should_exit = True
        await serving
    return got


def test_the_own_user_is_answered(tmp_path: Path) -> None:
    assert asyncio.run(talk(tmp_path / "s.sock")).endswith(b"hello")


def test_another_user_is_cut_off(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(server, "peer_uid", lambda _: os.getuid() + 1)
    assert asyncio.run(talk(tmp_path / "s.sock")) == b""


def test_the_kernel_says_who_the_peer_is() -> None:
    here, there = socket.socketpair(socket.AF_UNIX, socket.SOCK_STREAM)
    with here, there:
        assert server.peer_uid(here) == os.getuid()


def test_the_socket_is_private_from_its_first_moment(tmp_path: Path) -> None:
    before = os.umask(0)
    try:
        with server.listen(tmp_path / "s.sock"):
            assert stat.S_IMODE((tmp_path / "s.sock").stat().st_mode) == 0o600
    finally:
        os.umask(before)


def test_a_live_socket_is_not_taken_over(tmp_path: Path) -> None:
    with server.listen(tmp_path / "s.sock"), pytest.raises(ServiceError, match="already listens"):
        server.listen(tmp_path / "s.sock")


def test_a_file_in_the_way_is_not_removed(tmp_path: Path) -> None:
    (tmp_path / "s.sock").write_text("mine")
    with pytest.raises(ServiceError, match="cannot listen"):
        server.listen(tmp_path / "s.sock")
    assert (tmp_path / "s.sock").read_text() == "mine"


def test_a_path_that_is_too_long_is_named(tmp_path: Path) -> None:
    with pytest.raises(ConfigError, match="too long"):
        server.listen(tmp_path / ("x" * 100) / "s.sock")


def test_the_data_folder_has_one_holder(tmp_path: Path) -> None:
    with server.lock_folder(tmp_path / "signer"):
        with pytest.raises(ServiceError, match="another signer uses"), server.lock_folder(tmp_path / "signer"):
            pass
        assert stat.S_IMODE((tmp_path / "signer").stat().st_mode) == 0o700
    with server.lock_folder(tmp_path / "signer"):
        pass
