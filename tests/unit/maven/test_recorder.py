from __future__ import annotations

import hashlib
import json
import socket
import threading
from contextlib import ExitStack, contextmanager
from http.client import HTTPException
from typing import TYPE_CHECKING, Any

import pytest
from structlog.testing import capture_logs

from farm.ecosystems.maven.answers import Caps
from farm.ecosystems.maven.recorder import Recorder
from farm.ecosystems.maven.transfer import TransferLimits
from farm.ecosystems.maven.upstreams import own_upstream, upstream_at
from farm.errors import ConfigError, StoreUnavailableError
from tests.fixtures_maven_http import Folder, Repository, UnixConnection, serving, unix_socket

if TYPE_CHECKING:
    from collections.abc import Iterator
    from pathlib import Path

    from farm.ecosystems.maven.upstreams import Upstream
    from farm.model.base import BlobRef

JAR = "org/x/a/1.0/a-1.0.jar"
POM = "org/x/a/1.0/a-1.0.pom"
META = "org/x/a/maven-metadata.xml"
QUICK = TransferLimits(pause=0.01, idle_seconds=5)


class Bench:
    """A recorder on a folder, asked over its socket."""

    def __init__(self, folder: Path, *upstreams: Upstream, **more: Any) -> None:
        self.socket = folder / "s.sock"
        self.sink = Folder(folder / "sink")
        self.recorder = Recorder(
            self.socket, upstreams, self.sink, scratch=folder, **{"limits": QUICK, "caps": Caps(), **more}
        )

    def get(self, path: str, method: str = "GET", **headers: str) -> tuple[int, bytes]:
        connection = UnixConnection(self.socket)
        try:
            connection.request(method, path if path.startswith("/") else f"/{path}", headers=headers)
            response = connection.getresponse()
            return response.status, response.read()
        finally:
            connection.close()

    def raw(self, text: bytes) -> bytes:
        with unix_socket(self.socket) as connection:
            connection.sendall(text)
            connection.shutdown(socket.SHUT_WR)
            data = b""
            while chunk := connection.recv(65536):
                data += chunk
            return data


@contextmanager
def bench(folder: Path, *repositories: Repository, own: Repository | None = None, **more: Any) -> Iterator[Bench]:
    with ExitStack() as stack:
        for repository in (*repositories, *([own] if own else [])):
            stack.enter_context(serving(repository))
        upstreams = [own_upstream(own.url, {})] if own else []
        upstreams += [upstream_at(f"up{number}", r.url) for number, r in enumerate(repositories)]
        found = Bench(folder, *upstreams, **more)
        stack.enter_context(found.recorder)
        yield found


def test_files_are_recorded_and_kept(tmp_path: Path) -> None:
    data = b"jar" * 100
    seen: list[tuple[int, int]] = []
    with bench(tmp_path, Repository({JAR: data}), progress=lambda n, size: seen.append((n, size))) as found:
        assert found.get(JAR) == (200, data)
        assert found.get(JAR) == (200, data)
        assert found.get(JAR, "HEAD") == (200, b"")
        assert found.get(POM)[0] == 404
        (file,) = found.recorder.recording().files
    recording = found.recorder.recording()
    assert recording.files == (file,)
    assert (file.path, file.origin, file.repository, file.size, file.checked) == (JAR, "index", "up0", 300, "sha1")
    assert (file.sha256, file.sha1) == (hashlib.sha256(data).hexdigest(), hashlib.sha1(data).hexdigest())  # noqa: S324 - what Maven uses
    assert (found.sink.path / file.sha256).read_bytes() == data
    assert found.sink.puts == {file.sha256: 1}
    assert recording.missing == (POM,)
    assert (recording.problems, recording.refused, recording.refusals) == ((), (), 0)
    assert seen == [(1, 300)]
    assert not found.socket.exists()
    assert sorted(p.name for p in tmp_path.iterdir()) == ["sink"]


def test_checksums_are_computed_and_no_files_of_their_own(tmp_path: Path) -> None:
    up = Repository({JAR: b"jar"})
    with bench(tmp_path, up) as found:
        for name in ("md5", "sha512", "sha256", "sha1"):
            assert found.get(f"{JAR}.{name}") == (200, hashlib.new(name, b"jar").hexdigest().encode())
        assert found.get(f"{POM}.sha1")[0] == 404
        assert found.get(f"{JAR}.sha1.md5")[0] == 404
        recording = found.recorder.recording()
    assert [f.path for f in recording.files] == [JAR]
    assert recording.missing == (POM,)
    assert up.asked[JAR] == up.asked[f"{JAR}.sha1"] == 1
    assert not up.asked[f"{JAR}.sha512"]


def test_a_digest_in_the_headers_saves_a_request(tmp_path: Path) -> None:
    up = Repository({JAR: b"jar", POM: b"pom"})
    sha1 = hashlib.sha1(b"jar").hexdigest()  # noqa: S324 - what repositories state
    up.headers = {JAR: {"X-Checksum-SHA1": sha1}, POM: {"ETag": f'"{{SHA1{{{sha1}}}}}"'}}
    with bench(tmp_path, up) as found:
        assert found.get(JAR) == (200, b"jar")
        status, words = found.get(POM)
        assert status == 502
        assert b"states another sha1" in words
    assert not up.asked[f"{JAR}.sha1"]


def test_farms_own_repository_first_and_metadata_merged(tmp_path: Path) -> None:
    def metadata(version: str) -> bytes:
        return (
            f"<metadata><versioning><versions><version>{version}</version></versions></versioning></metadata>".encode()
        )

    own = Repository({JAR: b"rebuilt", META: metadata("1.0")})
    up = Repository({JAR: b"upstream", POM: b"pom", META: metadata("2.0"), "org/y/maven-metadata.xml": b"as it came"})
    with bench(tmp_path, up, own=own) as found:
        assert found.get(JAR) == (200, b"rebuilt")
        assert found.get(POM) == (200, b"pom")
        assert found.get("org/y/maven-metadata.xml") == (200, b"as it came")
        status, merged = found.get(META)
        assert (status, merged.count(b"<version>")) == (200, 2)
        assert found.get(f"{META}.sha256")[1] == hashlib.sha256(merged).hexdigest().encode()
        files = {f.path: (f.origin, f.repository) for f in found.recorder.recording().files}
    assert files == {
        JAR: ("farm", "farm"),
        POM: ("index", "up0"),
        META: ("index", "farm+up0"),
        "org/y/maven-metadata.xml": ("index", "up0"),
    }
    assert not up.asked[JAR]


@pytest.mark.parametrize("failure", [503, 429, 500, "cut"])
def test_what_passes_is_waited_out(tmp_path: Path, failure: int | str) -> None:
    up = Repository({JAR: b"jar" * 50_000}, fail={JAR: [failure, failure]})
    with bench(tmp_path, up) as found:
        assert found.get(JAR) == (200, b"jar" * 50_000)
        assert found.recorder.recording().problems == ()
    assert up.asked[JAR] == 3


@pytest.mark.parametrize("failure", [503, "cut"])
def test_what_does_not_pass_is_a_problem_and_never_the_next_repositorys_file(
    tmp_path: Path, failure: int | str
) -> None:
    first = Repository({JAR: b"jar" * 50_000}, fail={JAR: [failure] * 4})
    second = Repository({JAR: b"look-alike"})
    with bench(tmp_path, first, second) as found:
        assert found.get(JAR)[0] == 502
        (problem,) = found.recorder.recording().unmended
        assert (problem.path, problem.error) == (JAR, "InputUnavailableError")
        assert "'up0'" in problem.message
        assert found.recorder.recording().missing == ()
        # The next request asks again; the problem is told, but it is mended.
        assert found.get(JAR) == (200, b"jar" * 50_000)
        assert [p.mended for p in found.recorder.recording().problems] == [True]
    assert not second.asked


def test_tampered_bodies_are_never_answered(tmp_path: Path) -> None:
    up = Repository({JAR: b"tampered", f"{JAR}.sha1": hashlib.sha1(b"jar").hexdigest().encode()})  # noqa: S324 - as stated
    with bench(tmp_path, up) as found:
        assert found.get(JAR)[0] == 502
        (problem,) = found.recorder.recording().unmended
    assert problem.error == "InputDigestError"
    assert up.asked[JAR] == 2
    assert list(found.sink.path.iterdir()) == []


@pytest.mark.parametrize("text", [b"", b"<html>not found</html>", b"a" * 40 + b" " + b"b" * 40, b"0" * 5000])
def test_a_checksum_that_cannot_be_read_is_no_checksum_that_fits(tmp_path: Path, text: bytes) -> None:
    up = Repository({JAR: b"jar", f"{JAR}.sha1": text}, checksums=False)
    with bench(tmp_path, up) as found:
        assert found.get(JAR)[0] == 502
        assert found.recorder.recording().unmended[0].error == "InputDigestError"


@pytest.mark.parametrize("form", ["{}", "{}  a-1.0.jar\n", "SHA1(a-1.0.jar)= {}", "a-1.0.jar: {}\r\n"])
def test_forms_of_checksum_files(tmp_path: Path, form: str) -> None:
    digest = hashlib.sha1(b"jar").hexdigest().upper()  # noqa: S324 - what repositories state
    with bench(tmp_path, Repository({JAR: b"jar", f"{JAR}.sha1": form.format(digest).encode()})) as found:
        assert found.get(JAR) == (200, b"jar")


def test_without_any_checksum_a_file_is_marked(tmp_path: Path) -> None:
    with bench(tmp_path, Repository({JAR: b"jar"}, checksums=False)) as found:
        assert found.get(JAR) == (200, b"jar")
        assert [f.checked for f in found.recorder.recording().files] == [""]


def test_credentials_go_to_their_host_alone_and_nowhere_into_words(
    tmp_path: Path,
) -> None:
    with capture_logs() as written, serving(Repository({JAR: b"jar"})) as elsewhere:
        up = Repository({POM: b"pom"}, credentials="ann:hush")
        up.redirects = {JAR: f"{elsewhere.url}/{JAR}"}
        with serving(up):
            right = upstream_at("corp", up.url.replace("http://", "http://ann:hush@"))
            wrong = upstream_at("corp", up.url.replace("http://", "http://ann:secret@"))
            assert "hush" not in repr(right)
            for number, upstream in enumerate((right, wrong)):
                folder = tmp_path / str(number)
                folder.mkdir()
                found = Bench(folder, upstream)
                with found.recorder:
                    status, _ = found.get(POM)
                    assert status == (200, 502)[number]
                    if upstream is right:
                        assert found.get(JAR) == (200, b"jar")
                    recording = found.recorder.recording()
                    text = json.dumps(recording.model_dump()) + repr(found.recorder.__dict__)
                    assert "hush" not in text
                    assert "secret" not in text
            assert "server 'corp'" in recording.problems[0].remedy
            assert "401" in recording.problems[0].message
    assert not any("Authorization" in seen for seen in elsewhere.seen)
    assert "not answered" in [line["event"] for line in written]
    assert not any(word in str(written) for word in ("hush", "secret"))


def test_redirects_have_an_end(tmp_path: Path) -> None:
    up = Repository({JAR: b"jar"})
    up.redirects = {POM: f"/maven/{POM}", "x/y": "ftp://127.0.0.1/x", "x/z": "http://[bad"}
    with bench(tmp_path, up) as found:
        for path, words in ((POM, b"more than 5 times"), ("x/y", b"no http"), ("x/z", b"no address")):
            status, text = found.get(path)
            assert status == 502
            assert words in text


def test_a_forbidden_file_is_an_error_unless_it_is_a_buckets_way_to_say_missing(tmp_path: Path) -> None:
    up = Repository({JAR: b"jar"}, fail={JAR: [403]})
    second = Repository({JAR: b"other"})
    with bench(tmp_path, up, second) as found:
        assert found.get(JAR)[0] == 502
        assert not second.asked
        up.fail[JAR] = [403]
        up.body_of_403 = b"<?xml version='1.0'?><Error><Code>AccessDenied</Code></Error>"
        assert found.get(JAR) == (200, b"other")


def test_many_ask_for_one_file_and_it_is_fetched_once(tmp_path: Path) -> None:
    up = Repository({JAR: b"jar" * 100_000}, delay=0.2)
    with bench(tmp_path, up) as found:
        answers: list[tuple[int, bytes]] = []
        threads = [threading.Thread(target=lambda: answers.append(found.get(JAR))) for _ in range(20)]
        for thread in threads:
            thread.start()
        for thread in threads:
            thread.join()
        assert answers == [(200, b"jar" * 100_000)] * 20
    assert up.asked[JAR] == 1


def test_a_file_that_is_changed_on_disk_is_not_served_whole(tmp_path: Path) -> None:
    with bench(tmp_path, Repository({JAR: b"jar" * 1_000_000})) as found:
        assert found.get(JAR)[0] == 200
        (kept,) = (p for p in tmp_path.glob("recorder-*/*") if p.is_file())
        kept.write_bytes(b"rat" * 1_000_000)
        data = found.raw(f"GET /{JAR} HTTP/1.1\r\nHost: x\r\n\r\n".encode())
        assert len(data.partition(b"\r\n\r\n")[2]) < 3_000_000
        assert found.recorder.recording().unmended[0].error == "BlobCorruptError"
        assert found.get(JAR) == (200, b"jar" * 1_000_000)


@pytest.mark.parametrize(
    ("request_text", "method", "status"),
    [
        (b"CONNECT elsewhere.test:443 HTTP/1.1\r\n\r\n", "CONNECT", b"501"),
        (b"PUT /org/x HTTP/1.1\r\nContent-Length: 2\r\n\r\nGE", "PUT", b"501"),
        (b"POST /org/x HTTP/1.1\r\nContent-Length: 0\r\n\r\n", "POST", b"501"),
        (b"GET http://elsewhere.test/org/x HTTP/1.1\r\nHost: elsewhere.test\r\n\r\n", "GET", b"400"),
        (b"GET //elsewhere.test/org/x HTTP/1.1\r\n\r\n", "GET", b"400"),
        (b"GET /org/../../etc/passwd HTTP/1.1\r\n\r\n", "GET", b"400"),
        (b"GET /org/%2e%2e/x HTTP/1.1\r\n\r\n", "GET", b"400"),
        (b"GET /org/x?a=b HTTP/1.1\r\n\r\n", "GET", b"400"),
        (b"GET /org/x HTTP/1.1\r\nContent-Length: 3\r\n\r\nabc", "GET", b"400"),
        (b"GET /org/x HTTP/1.1\r\nTransfer-Encoding: chunked\r\n\r\n0\r\n\r\n", "GET", b"400"),
        (b"GET /" + b"a" * 70_000 + b" HTTP/1.1\r\n\r\n", "", b"414"),
        (b"GET /org/x HTTP/7.0\r\n\r\n", "", b"505"),
        (b"GET /org/x\r\n", "GET", b"400"),
        (b"\x16\x03\x01\x02\x00\x01\x00\x01\xfc\x03\x03\r\n\r\n", "", b"400"),
    ],
)
def test_whatever_is_no_download_is_refused_and_written_down(
    tmp_path: Path, request_text: bytes, method: str, status: bytes
) -> None:
    up = Repository({JAR: b"jar"})
    with bench(tmp_path, up) as found:
        answer = found.raw(request_text + b"GET /" + JAR.encode() + b" HTTP/1.1\r\n\r\n")
        assert answer.startswith((b"HTTP/1.1 " + status, b"refused"))
        assert answer.count(b"refused") == 1
        recording = found.recorder.recording()
    assert recording.refusals == 1
    assert recording.refused[0].method == method
    assert not up.asked


def test_there_is_an_end_to_paths_and_bytes(tmp_path: Path) -> None:
    up = Repository({JAR: b"jar", POM: b"pom" * 100})
    with bench(tmp_path, up, caps=Caps(paths=2), limits=TransferLimits(file_bytes=200)) as found:
        assert b"larger than 200 bytes" in found.get(POM)[1]
        assert [found.get(p)[0] for p in (JAR, "a/b", "a/c")] == [200, 404, 502]


def test_a_sink_that_fails_fails_the_recording(tmp_path: Path) -> None:
    class Broken(Folder):
        def put_file(self, path: Path) -> BlobRef:
            raise StoreUnavailableError(f"no store for {path.name}")

    up = Repository({JAR: b"jar"})
    with serving(up):
        found = Bench(tmp_path, upstream_at("up", up.url))
        found.recorder._sink = Broken(tmp_path / "broken")
        with found.recorder:
            assert found.get(JAR)[0] == 200
            with pytest.raises(StoreUnavailableError):
                found.recorder.recording()


def test_leaving_ends_connections_and_transfers(tmp_path: Path) -> None:
    up = Repository({JAR: b"jar"}, delay=0.5)
    with bench(tmp_path, up) as found:
        idle = unix_socket(found.socket)
        ends: list[bool] = []

        def ask() -> None:
            with pytest.raises((OSError, HTTPException)):
                found.get(JAR)
            ends.append(True)

        thread = threading.Thread(target=ask)
        thread.start()
        while not up.asked:
            threading.Event().wait(0.01)
    assert idle.recv(1) == b""
    idle.close()
    thread.join(5)
    assert ends == [True]
    assert not found.socket.exists()


def test_a_long_folder_and_a_path_that_is_taken(tmp_path: Path) -> None:
    folder = tmp_path / ("d" * 120)
    folder.mkdir()
    up = upstream_at("up", "http://127.0.0.1:9/x")
    with Recorder(folder / "s.sock", [up], Folder(folder / "sink"), scratch=tmp_path):
        assert (folder / "s.sock").is_socket()
        with (
            pytest.raises(ConfigError, match="cannot listen"),
            Recorder(folder / "s.sock", [up], Folder(folder / "sink2"), scratch=tmp_path),
        ):
            pass
        assert (folder / "s.sock").is_socket()


def test_farms_own_repository_cannot_be_hidden(tmp_path: Path) -> None:
    own, up = own_upstream("http://127.0.0.1:1/x", {}), upstream_at("up", "http://127.0.0.1:2/x")
    for wrong in ([], [up, own]):
        with pytest.raises(ConfigError, match="farm's own first"):
            Recorder(tmp_path / "s", wrong, Folder(tmp_path / str(len(wrong))), scratch=tmp_path)
