from __future__ import annotations

import base64
import hashlib
import json
import threading
from dataclasses import dataclass, field
from http.server import BaseHTTPRequestHandler, ThreadingHTTPServer
from typing import TYPE_CHECKING

import pytest

if TYPE_CHECKING:
    from collections.abc import Iterator


@dataclass
class IndexDouble:
    """A simple index on loopback: project → filename → content."""

    projects: dict[str, dict[str, bytes]] = field(default_factory=dict)
    credentials: str = ""
    html: bool = False
    stated: dict[str, str] = field(default_factory=dict)
    """Digests that the page claims, where they are not the right ones."""
    requests: list[tuple[str, str]] = field(default_factory=list)
    port: int = 0

    @property
    def url(self) -> str:
        user = f"{self.credentials}@" if self.credentials else ""
        return f"http://{user}127.0.0.1:{self.port}/simple/"

    def page(self, project: str) -> tuple[str, bytes]:
        files = self.projects[project]
        digests = {name: self.stated.get(name, hashlib.sha256(data).hexdigest()) for name, data in files.items()}
        if self.html:
            links = "".join(f'<a href="/files/{n}#sha256={d}">{n}</a>' for n, d in digests.items())
            return "text/html", f"<!DOCTYPE html><html><body>{links}</body></html>".encode()
        listed = [{"filename": n, "url": f"/files/{n}", "hashes": {"sha256": d}} for n, d in digests.items()]
        body = {"meta": {"api-version": "1.99"}, "name": project, "files": listed}
        return "application/vnd.pypi.simple.v1+json", json.dumps(body).encode()

    def answer(self, path: str, authorization: str) -> tuple[int, str, bytes]:
        self.requests.append((path, authorization))
        if self.credentials:
            wanted = "Basic " + base64.b64encode(self.credentials.encode()).decode()
            if authorization != wanted:
                return 401, "text/plain", b""
        parts = path.strip("/").split("/")
        if parts[0] == "simple" and parts[1] in self.projects:
            return (200, *self.page(parts[1]))
        for files in self.projects.values():
            if parts[0] == "files" and parts[1] in files:
                return 200, "application/octet-stream", files[parts[1]]
        return 404, "text/plain", b""


def _handler(double: IndexDouble) -> type[BaseHTTPRequestHandler]:
    class Handler(BaseHTTPRequestHandler):
        def do_GET(self) -> None:
            status, kind, body = double.answer(self.path, self.headers.get("Authorization", ""))
            self.send_response(status)
            self.send_header("Content-Type", kind)
            self.send_header("Content-Length", str(len(body)))
            self.end_headers()
            self.wfile.write(body)

        def log_message(self, format: str, *args: object) -> None:  # noqa: A002 - the name of the base class
            """Say nothing."""

    return Handler


@pytest.fixture
def index() -> Iterator[IndexDouble]:
    double = IndexDouble()
    server = ThreadingHTTPServer(("127.0.0.1", 0), _handler(double))
    double.port = server.server_port
    thread = threading.Thread(target=server.serve_forever, kwargs={"poll_interval": 0.05}, daemon=True)
    thread.start()
    yield double
    server.shutdown()
    server.server_close()
    thread.join()
