from __future__ import annotations

import hashlib
import threading
from http.server import BaseHTTPRequestHandler, ThreadingHTTPServer
from typing import TYPE_CHECKING, ClassVar

import certifi
import pytest

from farm.errors import ConfigError, SourceMissingError, SourceUnavailableError, SourceUnsafeError
from farm.model.plan import ArchivePin
from farm.source.download import fetch_url, look_at
from farm.source.safety import Caps
from tests.fixtures_source import WHEN, tar_of

if TYPE_CHECKING:
    from collections.abc import Iterator
    from pathlib import Path

    from tests.fixtures_source import Taker

ARCHIVE = tar_of(("demo-1.0/a", b"a"))


class Server(BaseHTTPRequestHandler):
    """`/demo.tar.gz` is the file; `/to/X` redirects to X; `/other` redirects to the same server by another name."""

    seen: ClassVar[list[tuple[str, str, str]]] = []

    def do_GET(self) -> None:
        headers = self.headers
        self.seen.append((self.path, headers.get("Authorization", ""), headers.get("X-Token", "")))
        if self.path == "/demo.tar.gz":
            self.send_response(200)
            self.send_header("Content-Length", str(len(ARCHIVE)))
            self.send_header("Last-Modified", "Fri, 02 Jan 2026 03:04:05 GMT")
            self.end_headers()
            self.wfile.write(ARCHIVE if self.command == "GET" else b"")
            return
        host = self.headers["Host"].replace("127.0.0.1", "localhost")
        targets = {"/ok": "/demo.tar.gz", "/loop": "/loop", "/file": "file:///etc/passwd"}
        target = f"http://{host}/demo.tar.gz" if self.path == "/other" else targets.get(self.path)
        self.send_response(302 if target else {"/gone": 410, "/later": 503}.get(self.path, 404))
        if target:
            self.send_header("Location", target)
        self.send_header("Content-Length", "0")
        self.end_headers()

    do_HEAD = do_GET  # noqa: N815 - the name that the standard library calls

    def log_message(self, *_: object) -> None:
        pass


@pytest.fixture
def server(monkeypatch: pytest.MonkeyPatch) -> Iterator[str]:
    for name in ("HTTP_PROXY", "http_proxy", "ALL_PROXY", "all_proxy"):
        monkeypatch.delenv(name, raising=False)
    Server.seen.clear()
    with ThreadingHTTPServer(("127.0.0.1", 0), Server) as running:
        thread = threading.Thread(target=running.serve_forever, kwargs={"poll_interval": 0.02})
        thread.start()
        yield f"127.0.0.1:{running.server_port}"
        running.shutdown()
        thread.join()


def pin_of(url: str) -> ArchivePin:
    return ArchivePin(kind="url", url=url, sha256=hashlib.sha256(ARCHIVE).hexdigest())


def test_archive_by_its_address(taker: Taker, server: str) -> None:
    snapshot = taker(pin_of(f"http://{server}/demo.tar.gz"))
    assert snapshot.uri == f"http://{server}/demo.tar.gz"
    assert snapshot.epoch == WHEN
    assert (taker.unpacked(snapshot) / "a").read_bytes() == b"a"


def test_redirects_are_followed_and_counted(server: str, tmp_path: Path) -> None:
    fetch_url(pin_of(f"http://{server}/ok"), tmp_path / "f")
    assert (tmp_path / "f").read_bytes() == ARCHIVE
    with pytest.raises(SourceUnavailableError, match="redirects more than"):
        fetch_url(pin_of(f"http://{server}/loop"), tmp_path / "f")


def test_credentials_stay_with_their_host(server: str, tmp_path: Path) -> None:
    url = f"http://user:hunter2@{server}/other"
    shown = fetch_url(pin_of(url), tmp_path / "f", headers={"X-Token": "t0ken"})
    assert "hunter2" not in shown
    (first, second) = Server.seen
    assert first[1].startswith("Basic ")
    assert first[2] == "t0ken"
    assert second == ("/demo.tar.gz", "", "")


def test_errors_do_not_show_credentials(tmp_path: Path, server: str) -> None:
    for url in (f"http://user:hunter2@{server}/nothing", "http://user:hunter2@127.0.0.1:1/x"):
        with pytest.raises((SourceMissingError, SourceUnavailableError)) as caught:
            fetch_url(pin_of(url), tmp_path / "f")
        assert "hunter2" not in str(caught.value)
        assert caught.value.__cause__ is None


def test_redirect_to_a_file_of_this_host_is_refused(server: str, tmp_path: Path) -> None:
    with pytest.raises((SourceUnsafeError, SourceUnavailableError)):
        fetch_url(pin_of(f"http://{server}/file"), tmp_path / "f")
    assert not (tmp_path / "f").exists()


@pytest.mark.parametrize("url", ["file:///etc/passwd", "ftp://h/x", "gopher://h/x"])
def test_only_http_is_fetched(url: str, tmp_path: Path) -> None:
    with pytest.raises(SourceUnsafeError):
        fetch_url(pin_of(url), tmp_path / "f")


def test_size_is_limited(server: str, tmp_path: Path) -> None:
    with pytest.raises(SourceUnsafeError, match="larger than 10 bytes"):
        fetch_url(pin_of(f"http://{server}/demo.tar.gz"), tmp_path / "f", caps=Caps(archive_bytes=10))


def test_only_what_may_come_back_is_asked_for_again(server: str, tmp_path: Path) -> None:
    for path in ("nothing", "gone"):
        with pytest.raises(SourceMissingError) as missing:
            fetch_url(pin_of(f"http://{server}/{path}"), tmp_path / "f")
        assert not missing.value.infrastructure
    with pytest.raises(SourceUnavailableError) as caught:
        fetch_url(pin_of(f"http://{server}/later"), tmp_path / "f")
    assert caught.value.infrastructure


def test_the_bundle_that_is_given_wins_over_the_environments(
    server: str, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    broken = tmp_path / "broken.pem"
    broken.write_text("no certificate")
    with pytest.raises(ConfigError, match=r"broken\.pem"):
        fetch_url(pin_of(f"http://{server}/ok"), tmp_path / "f", bundle=str(broken))
    monkeypatch.setenv("PIP_CERT", str(broken))
    with pytest.raises(ConfigError, match=r"broken\.pem"):
        fetch_url(pin_of(f"http://{server}/ok"), tmp_path / "f")
    fetch_url(pin_of(f"http://{server}/ok"), tmp_path / "f", bundle=certifi.where())


def test_this_host_is_reached_past_the_proxy(server: str, tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    for name in ("no_proxy", "NO_PROXY"):
        monkeypatch.delenv(name, raising=False)
    monkeypatch.setenv("http_proxy", "http://127.0.0.1:9")
    fetch_url(pin_of(f"http://{server}/ok"), tmp_path / "f")


def test_a_file_is_looked_at_without_fetching_it(server: str) -> None:
    assert look_at(pin_of(f"http://{server}/ok")) == "2026-01-02T03:04:05Z"
    assert look_at(pin_of(f"http://{server}/gone")) is None
    for url in (f"http://{server}/later", "http://user:hunter2@127.0.0.1:9/x"):
        with pytest.raises(SourceUnavailableError) as caught:
            look_at(pin_of(url))
        assert "hunter2" not in caught.value.message
