"""The process side of the signer: data folder, socket, peers, hardening, and the server loop."""

from __future__ import annotations

import asyncio
import ctypes
import fcntl
import os
import resource
import signal
import socket
import struct
from contextlib import contextmanager
from typing import TYPE_CHECKING

import uvicorn
from uvicorn.protocols.http.h11_impl import H11Protocol

from farm import log
from farm.errors import ConfigError, ServiceError

if TYPE_CHECKING:
    from collections.abc import Iterator
    from pathlib import Path

    from starlette.applications import Starlette

__all__ = ["configuration", "harden", "listen", "lock_folder", "peer_uid", "serve", "write_public"]

_LOG = log.get(__name__)
_PR_SET_DUMPABLE = 4
_MAX_SOCKET_PATH = 107
"""Bytes that fit into a Unix socket's address on Linux (sun_path, 108, with its end)."""
_PEER_FORMAT = "3i"
"""struct ucred: pid, uid, gid."""


def harden() -> None:
    """Keep the keys out of core files, out of debuggers' reach, and out of files that others can read."""
    os.umask(0o077)
    resource.setrlimit(resource.RLIMIT_CORE, (0, 0))
    if ctypes.CDLL(None, use_errno=True).prctl(_PR_SET_DUMPABLE, 0, 0, 0, 0) != 0:
        raise ServiceError(f"the signer cannot protect its memory: {os.strerror(ctypes.get_errno())}")


@contextmanager
def lock_folder(folder: Path) -> Iterator[None]:
    """Make the data folder when it is missing and hold it: one signer writes a log, never two.

    Raises:
        ServiceError: another signer holds it, or it cannot be made.
    """
    try:
        folder.mkdir(mode=0o700, parents=True, exist_ok=True)
        descriptor = os.open(folder / "lock", os.O_RDWR | os.O_CREAT | os.O_CLOEXEC, 0o600)
    except OSError as error:
        raise ServiceError(f"the signer's data folder {folder} cannot be used: {error}") from error
    try:
        fcntl.flock(descriptor, fcntl.LOCK_EX | fcntl.LOCK_NB)
    except BlockingIOError as error:
        os.close(descriptor)
        raise ServiceError(
            f"another signer uses {folder}", remedy="Stop it (`farm down`), then start again."
        ) from error
    try:
        yield
    finally:
        os.close(descriptor)


def write_public(path: Path, data: bytes) -> None:
    """Write a file that everyone may read, whole or not at all.

    Raises:
        ServiceError: it cannot be written.
    """
    fresh = path.with_name(f".{path.name}.new")
    try:
        path.parent.mkdir(parents=True, exist_ok=True)
        fresh.write_bytes(data)
        fresh.chmod(0o644)
        fresh.replace(path)
    except OSError as error:
        raise ServiceError(f"{path} cannot be written: {error}") from error


def listen(path: Path) -> socket.socket:
    """Return a listening socket at `path` that only this user can reach; one left by a dead signer is replaced.

    Raises:
        ConfigError: the path is too long for a socket.
        ServiceError: something answers there, or the socket cannot be made.
    """
    if len(os.fsencode(path)) > _MAX_SOCKET_PATH:
        raise ConfigError(f"the path of the signer's socket is too long: {path}", remedy="Use a shorter data folder.")
    try:
        path.parent.mkdir(parents=True, exist_ok=True)
        _remove_stale(path)
        return _bind(path)
    except OSError as error:
        raise ServiceError(f"the signer cannot listen at {path}: {error}") from error


def _bind(path: Path) -> socket.socket:
    server = socket.socket(socket.AF_UNIX, socket.SOCK_STREAM)
    # The umask decides over the mode at bind: there is no moment at which others can connect.
    before = os.umask(0o177)
    try:
        server.bind(str(path))
        server.listen(128)
        server.settimeout(0)
    except OSError:
        server.close()
        raise
    finally:
        os.umask(before)
    return server


def _remove_stale(path: Path) -> None:
    if not path.is_socket():
        return
    with socket.socket(socket.AF_UNIX, socket.SOCK_STREAM) as probe:
        probe.settimeout(2)
        try:
            probe.connect(str(path))
        except ConnectionRefusedError:
            path.unlink()
        else:
            raise ServiceError(f"something already listens at {path}")


class _PeerCheckedProtocol(H11Protocol):
    """HTTP/1.1 for peers that run as this user or root; others are cut off before a byte is read."""

    def connection_made(self, transport: asyncio.BaseTransport) -> None:
        """Check who is there, then go on as HTTP does."""
        if not isinstance(transport, asyncio.Transport):
            msg = f"a connection of the kind {type(transport).__name__}"
            raise TypeError(msg)
        uid = peer_uid(transport.get_extra_info("socket"))
        if uid not in {0, os.getuid()}:
            _LOG.warning("refused a connection", uid=uid)
            transport.abort()
            return
        super().connection_made(transport)


def peer_uid(connection: socket.socket) -> int:
    """Return the user id of the process at the other end of a Unix socket, as the kernel knows it."""
    raw = connection.getsockopt(socket.SOL_SOCKET, socket.SO_PEERCRED, struct.calcsize(_PEER_FORMAT))
    return int(struct.unpack(_PEER_FORMAT, raw)[1])


def configuration(app: Starlette) -> uvicorn.Config:
    """Return how the application is served."""
    return uvicorn.Config(
        app,
        http=_PeerCheckedProtocol,
        ws="none",
        loop="asyncio",
        lifespan="off",
        log_config=None,
        access_log=False,
        server_header=False,
        timeout_graceful_shutdown=30,
    )


def serve(app: Starlette, listener: socket.socket, path: Path) -> None:
    """Answer requests until SIGTERM or SIGINT; open requests are finished, then the socket is removed."""
    server = uvicorn.Server(configuration(app))

    def stop(*_: object) -> None:
        server.should_exit = True

    # uvicorn raises the signal again after it has stopped; with the default handlers that would be the end right there.
    for number in (signal.SIGTERM, signal.SIGINT):
        signal.signal(number, stop)
    try:
        server.run(sockets=[listener])
    finally:
        path.unlink(missing_ok=True)
