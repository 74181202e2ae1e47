"""A peer for tests: an HTTP server on a Unix socket, in a folder of its own."""

from __future__ import annotations

import hashlib
import http.server
import shutil
import socketserver
import tempfile
import threading
from pathlib import Path
from typing import TYPE_CHECKING

import pytest

from farm.sandbox.base import Peer

if TYPE_CHECKING:
    from collections.abc import Iterator

PORT = 8080
BLOCK = bytes(range(256)) * 256


class Handler(http.server.BaseHTTPRequestHandler):
    """`/<text>` gives the text; `/size/<n>` n bytes; `/cut/<n>` ends there, half way; POST gives the body's SHA-256."""

    protocol_version = "HTTP/1.1"
    disable_nagle_algorithm = False  # a Unix socket has none

    def do_GET(self) -> None:
        kind, _, number = self.path.removeprefix("/").partition("/")
        if kind not in {"size", "cut"}:
            self._answer(self.path.encode())
            return
        size = int(number)
        self.send_response(200)
        self.send_header("Content-Length", str(2 * size if kind == "cut" else size))
        self.end_headers()
        while size:
            size -= self.wfile.write(BLOCK[:size])
        self.close_connection = kind == "cut"

    def do_POST(self) -> None:
        digest, left = hashlib.sha256(), int(self.headers["Content-Length"])
        while left and (part := self.rfile.read(min(left, len(BLOCK)))):
            digest.update(part)
            left -= len(part)
        self._answer(digest.hexdigest().encode())

    def _answer(self, body: bytes) -> None:
        self.send_response(200)
        self.send_header("Content-Length", str(len(body)))
        self.end_headers()
        self.wfile.write(body)

    def address_string(self) -> str:
        return "unix"

    def log_message(self, *_: object) -> None:
        pass


class Server(socketserver.ThreadingUnixStreamServer):
    daemon_threads = True
    block_on_close = False
    request_queue_size = 16

    def handle_error(self, *_: object) -> None:
        """Whoever goes away early is no concern of these tests."""


def content(size: int) -> bytes:
    """Return what `/size/<n>` gives."""
    return (BLOCK * (size // len(BLOCK) + 1))[:size]


@pytest.fixture
def peer() -> Iterator[Peer]:
    # Not below tmp_path, which may be longer than the name of a socket can be.
    folder = Path(tempfile.mkdtemp(prefix="peer-"))
    try:
        with Server(str(folder / "socket"), Handler) as server:
            (folder / "socket").chmod(0o666)
            thread = threading.Thread(target=server.serve_forever, args=(0.05,))
            thread.start()
            try:
                yield Peer(folder / "socket", PORT)
            finally:
                server.shutdown()
                thread.join()
    finally:
        shutil.rmtree(folder)
