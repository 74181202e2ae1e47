"""Maven repositories on loopback that misbehave on demand, a sink, and a relay, for the tests of the recorder."""

from __future__ import annotations

import base64
import hashlib
import http.client
import shutil
import socket
import threading
import time
from collections import Counter
from contextlib import contextmanager
from dataclasses import dataclass, field
from http.server import BaseHTTPRequestHandler, ThreadingHTTPServer
from typing import TYPE_CHECKING, Any

from farm.model.base import BlobRef, sha256_file

if TYPE_CHECKING:
    from collections.abc import Iterator
    from pathlib import Path


@dataclass
class Repository:
    """Path → content, and what goes wrong with it."""

    files: dict[str, bytes] = field(default_factory=dict)
    checksums: bool = True
    credentials: str = ""
    fail: dict[str, list[int | str]] = field(default_factory=dict)
    """Path → what the next requests get instead: a status, or `cut` (the connection ends in mid-file)."""
    redirects: dict[str, str] = field(default_factory=dict)
    headers: dict[str, dict[str, str]] = field(default_factory=dict)
    body_of_403: bytes = b""
    delay: float = 0.0
    asked: Counter[str] = field(default_factory=Counter)
    seen: list[dict[str, str]] = field(default_factory=list)
    port: int = 0

    @property
    def url(self) -> str:
        return f"http://127.0.0.1:{self.port}/maven"

    def put(self, path: str, data: bytes) -> str:
        self.files[path] = data
        return path

    def find(self, path: str) -> bytes | None:
        if path in self.files:
            return self.files[path]
        base, _, extension = path.rpartition(".")
        if self.checksums and extension in {"sha1", "md5", "sha256"} and base in self.files:
            return hashlib.new(extension, self.files[base]).hexdigest().encode()
        return None


def _handler(repository: Repository) -> type[BaseHTTPRequestHandler]:
    class Handler(BaseHTTPRequestHandler):
        protocol_version = "HTTP/1.1"
        wbufsize = 64 * 1024

        def do_GET(self) -> None:
            path = self.path.removeprefix("/maven/")
            repository.asked[path] += 1
            repository.seen.append({**dict(self.headers.items()), "path": path, "method": self.command})
            time.sleep(repository.delay)
            wanted = "Basic " + base64.b64encode(repository.credentials.encode()).decode()
            queue = repository.fail.get(path, [])
            what = queue.pop(0) if queue else 0
            if repository.credentials and self.headers.get("Authorization") != wanted:
                self.answer(401, b"")
            elif path in repository.redirects:
                self.answer(302, b"", {"Location": repository.redirects[path]})
            elif isinstance(what, int) and what:
                self.answer(what, repository.body_of_403 if what == 403 else b"broken")
            elif (data := repository.find(path)) is None:
                self.answer(404, b"not here")
            elif what == "cut":
                self.send_response(200)
                self.send_header("Content-Length", str(len(data)))
                self.end_headers()
                self.wfile.write(data[: len(data) // 2])
                self.close_connection = True
            else:
                self.answer(200, data, repository.headers.get(path))

        def answer(self, status: int, data: bytes, headers: dict[str, str] | None = None) -> None:
            self.send_response(status)
            for name, value in (headers or {}).items():
                self.send_header(name, value)
            self.send_header("Content-Length", str(len(data)))
            self.end_headers()
            self.wfile.write(b"" if self.command == "HEAD" else data)

        do_HEAD = do_GET  # noqa: N815 - the name that the standard library calls

        def log_message(self, format: str, *args: Any) -> None:  # noqa: A002 - the name in the standard library
            pass

    return Handler


@contextmanager
def serving(repository: Repository) -> Iterator[Repository]:
    server = ThreadingHTTPServer(("127.0.0.1", 0), _handler(repository))
    server.daemon_threads = True
    repository.port = server.server_address[1]
    thread = threading.Thread(target=server.serve_forever, args=(0.02,))
    thread.start()
    try:
        yield repository
    finally:
        server.shutdown()
        thread.join()
        server.server_close()


class Folder:
    """A sink that keeps files in a folder, by digest."""

    def __init__(self, path: Path) -> None:
        self.path = path
        self.puts: Counter[str] = Counter()
        path.mkdir()

    def put_file(self, path: Path) -> BlobRef:
        ref = sha256_file(path)
        self.puts[ref.sha256] += 1
        shutil.copyfile(path, self.path / ref.sha256)
        return ref


class UnixConnection(http.client.HTTPConnection):
    """HTTP to a Unix socket."""

    def __init__(self, path: Path) -> None:
        super().__init__("localhost", timeout=30)
        self._path = path

    def connect(self) -> None:
        self.sock = unix_socket(self._path)


def unix_socket(path: Path) -> socket.socket:
    found = socket.socket(socket.AF_UNIX)
    found.settimeout(30)
    found.connect(str(path))
    return found


@contextmanager
def relayed(path: Path) -> Iterator[int]:
    """Show the Unix socket on a port of loopback, as the sandbox does."""
    listener = socket.create_server(("127.0.0.1", 0), backlog=64)
    connections: set[socket.socket] = set()

    def pump(source: socket.socket, sink: socket.socket) -> None:
        try:
            while data := source.recv(256 * 1024):
                sink.sendall(data)
            sink.shutdown(socket.SHUT_WR)
        except OSError:
            pass

    def serve(client: socket.socket) -> None:
        with client, unix_socket(path) as server:
            server.settimeout(None)
            back = threading.Thread(target=pump, args=(server, client), daemon=True)
            back.start()
            pump(client, server)
            back.join()

    def accept() -> None:
        while True:
            try:
                client, _ = listener.accept()
            except OSError:
                return
            connections.add(client)
            threading.Thread(target=serve, args=(client,), daemon=True).start()

    threading.Thread(target=accept, daemon=True).start()
    try:
        yield listener.getsockname()[1]
    finally:
        listener.shutdown(socket.SHUT_RDWR)
        listener.close()
        for client in connections:
            client.close()
