from __future__ import annotations

import threading
from http.server import BaseHTTPRequestHandler, ThreadingHTTPServer
from typing import TYPE_CHECKING

import pytest
from pydantic import SecretStr

from farm.store.config import S3Config
from farm.store.s3 import S3Store

if TYPE_CHECKING:
    from collections.abc import Iterator


class Empty(BaseHTTPRequestHandler):
    """A store that has nothing."""

    def do_HEAD(self) -> None:
        self.send_response(404)
        self.end_headers()

    def log_message(self, *_: object) -> None:
        pass


@pytest.fixture
def port() -> Iterator[int]:
    with ThreadingHTTPServer(("127.0.0.1", 0), Empty) as server:
        thread = threading.Thread(target=server.serve_forever, kwargs={"poll_interval": 0.02})
        thread.start()
        yield server.server_port
        server.shutdown()
        thread.join()


def store(endpoint: str) -> S3Store:
    keys = {"access_key": SecretStr("a"), "secret_key": SecretStr("s")}
    return S3Store(S3Config(endpoint=endpoint, region="us-east-1", **keys), "bucket")


def test_a_store_on_this_host_is_reached_past_the_proxy(port: int, monkeypatch: pytest.MonkeyPatch) -> None:
    for name in ("no_proxy", "NO_PROXY"):
        monkeypatch.delenv(name, raising=False)
    for name in ("http_proxy", "HTTP_PROXY"):
        monkeypatch.setenv(name, "http://127.0.0.1:9")
    found = store(f"http://127.0.0.1:{port}")
    assert found.head("x") is None
    found.client.close()
