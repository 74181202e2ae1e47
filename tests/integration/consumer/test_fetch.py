from __future__ import annotations

import json
import threading
from functools import partial
from http.server import SimpleHTTPRequestHandler, ThreadingHTTPServer
from typing import TYPE_CHECKING

import pytest

from farm.consumer.fetch import fetch_sidecars
from farm.consumer.sidecars import BUNDLE, LIMIT, SUFFIXES
from farm.errors import StoreUnavailableError, VerificationError
from farm.model.base import sha256_bytes

if TYPE_CHECKING:
    from collections.abc import Iterator
    from pathlib import Path

WHEEL = "Sample_Lib-1.0-py3-none-any.whl"


class _Quiet(SimpleHTTPRequestHandler):
    def log_message(self, *_: object) -> None:
        pass


@pytest.fixture
def site(tmp_path: Path) -> Path:
    """Folder that is served: one project with one file and all its sidecars."""
    folder = tmp_path / "site"
    files = folder / "files" / "ab"
    files.mkdir(parents=True)
    for suffix in SUFFIXES:
        (files / f"{WHEEL}{suffix}").write_text(suffix)
    page(folder, {"files": [{"filename": WHEEL, "url": f"../../files/ab/{WHEEL}#sha256=00"}, {"filename": "other"}]})
    return folder


def page(site: Path, content: object) -> None:
    folder = site / "simple" / "sample-lib"
    folder.mkdir(parents=True, exist_ok=True)
    (folder / "index.html").write_text(json.dumps(content))


@pytest.fixture
def index(site: Path) -> Iterator[str]:
    server = ThreadingHTTPServer(("127.0.0.1", 0), partial(_Quiet, directory=str(site)))
    thread = threading.Thread(target=server.serve_forever)
    thread.start()
    try:
        yield f"http://127.0.0.1:{server.server_port}/simple"
    finally:
        server.shutdown()
        thread.join()
        server.server_close()


@pytest.fixture
def into(tmp_path: Path) -> Path:
    folder = tmp_path / "into"
    folder.mkdir()
    return folder


def test_everything_beside_the_file_is_fetched(index: str, into: Path) -> None:
    assert fetch_sidecars(index, into / WHEEL, into) == SUFFIXES
    assert {f.name: f.read_text() for f in into.iterdir()} == {f"{WHEEL}{suffix}": suffix for suffix in SUFFIXES}


def test_what_is_there_already_stays(index: str, into: Path) -> None:
    mine = into / f"{WHEEL}{BUNDLE}"
    mine.write_text("mine")
    assert fetch_sidecars(index, into / WHEEL, into) == tuple(s for s in SUFFIXES if s != BUNDLE)
    assert mine.read_text() == "mine"
    assert fetch_sidecars("http://127.0.0.1:1/simple", into / WHEEL, into) == ()


def test_what_the_index_does_not_have_is_left_out(index: str, site: Path, into: Path) -> None:
    (site / "files" / "ab" / f"{WHEEL}{BUNDLE}").unlink()
    assert BUNDLE not in fetch_sidecars(index, into / WHEEL, into)


@pytest.mark.parametrize(
    "content",
    [
        [],
        {},
        {"files": 3},
        {"files": []},
        {"files": [{"filename": WHEEL}]},
        {"files": [{"filename": WHEEL, "url": 5}]},
        {"files": [{"filename": WHEEL, "url": "a"}] * 2},
    ],
)
def test_a_page_that_does_not_list_the_file(index: str, site: Path, into: Path, content: object) -> None:
    page(site, content)
    with pytest.raises(VerificationError):
        fetch_sidecars(index, into / WHEEL, into)


def test_an_address_that_is_no_http_address(index: str, site: Path, into: Path, tmp_path: Path) -> None:
    (tmp_path / f"secret{BUNDLE}").write_text("secret")
    page(site, {"files": [{"filename": WHEEL, "url": (tmp_path / "secret").as_uri()}]})
    with pytest.raises(StoreUnavailableError):
        fetch_sidecars(index, into / WHEEL, into)
    assert not list(into.iterdir())


def test_a_sidecar_that_is_too_large(index: str, site: Path, into: Path) -> None:
    with (site / "files" / "ab" / f"{WHEEL}{BUNDLE}").open("wb") as stream:
        stream.truncate(LIMIT + 1)
    with pytest.raises(VerificationError, match="more than"):
        fetch_sidecars(index, into / WHEEL, into)


def test_no_project_of_that_name(index: str, into: Path) -> None:
    with pytest.raises(VerificationError, match="no project"):
        fetch_sidecars(index, into / "absent-1.0-py3-none-any.whl", into)


def test_a_name_that_is_no_wheel(index: str, into: Path) -> None:
    with pytest.raises(VerificationError):
        fetch_sidecars(index, into / "../../x.whl", into)


@pytest.mark.parametrize("address", ["http://127.0.0.1:1/simple", "nowhere", "http://[/"])
def test_an_index_that_does_not_answer(address: str, into: Path) -> None:
    with pytest.raises(StoreUnavailableError):
        fetch_sidecars(address, into / WHEEL, into)


def test_what_is_there_is_neither_overwritten_nor_followed(index: str, into: Path, tmp_path: Path) -> None:
    outside = tmp_path / "outside"
    (into / f"{WHEEL}{SUFFIXES[0]}").write_text("mine")
    (into / f"{WHEEL}{SUFFIXES[1]}").symlink_to(outside)
    assert fetch_sidecars(index, into / WHEEL, into) == SUFFIXES[2:]
    assert (into / f"{WHEEL}{SUFFIXES[0]}").read_text() == "mine"
    assert not outside.exists()


def test_a_link_that_appears_in_the_meantime(
    index: str, into: Path, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    for suffix in SUFFIXES:
        (into / f"{WHEEL}{suffix}").symlink_to(tmp_path / f"outside{suffix}")
    monkeypatch.setattr("os.path.lexists", lambda _: False)
    assert fetch_sidecars(index, into / WHEEL, into) == ()
    assert not list(tmp_path.glob("outside*"))


def test_a_folder_that_is_not_there(index: str, tmp_path: Path) -> None:
    with pytest.raises(VerificationError, match="cannot be written"):
        fetch_sidecars(index, tmp_path / WHEEL, tmp_path / "absent")


class TestByDigest:
    """A jar's name does not say its group: the server is asked by digest."""

    JAR = "sample-1.0.jar"

    @pytest.fixture
    def jar(self, site: Path, into: Path) -> Path:
        files = site / "maven" / "org" / "sample" / "1.0"
        files.mkdir(parents=True)
        for suffix in SUFFIXES:
            (files / f"{self.JAR}{suffix}").write_text(suffix)
        path = into / self.JAR
        path.write_bytes(b"jar")
        self.answer(
            site,
            {"files": [{"url": "../maven/org/other/other-1.0.jar"}, {"url": f"../maven/org/sample/1.0/{self.JAR}"}]},
        )
        return path

    def answer(self, site: Path, content: object) -> None:
        (site / "sha256").mkdir(exist_ok=True)
        (site / "sha256" / sha256_bytes(b"jar")).write_text(json.dumps(content))

    @pytest.mark.parametrize("where", ["/maven/", "/simple", "/"])
    def test_everything_beside_it_is_fetched_wherever_the_address_points(
        self, index: str, jar: Path, where: str
    ) -> None:
        base = index.removesuffix("/simple")
        assert fetch_sidecars(base + where, jar, jar.parent) == SUFFIXES
        assert (jar.parent / f"{self.JAR}{BUNDLE}").read_text() == BUNDLE

    def test_other_bytes_are_not_found(self, index: str, jar: Path) -> None:
        jar.write_bytes(b"another jar")
        with pytest.raises(VerificationError, match="no file with the digest"):
            fetch_sidecars(index, jar, jar.parent)

    @pytest.mark.parametrize(
        "content", [[], {}, {"files": 1}, {"files": [1, {"url": 2}]}, {"files": [{"url": "../maven/evil.jar"}]}]
    )
    def test_an_answer_that_names_no_such_file(self, index: str, site: Path, jar: Path, content: object) -> None:
        self.answer(site, content)
        with pytest.raises(VerificationError):
            fetch_sidecars(index, jar, jar.parent)
        assert list(jar.parent.iterdir()) == [jar]

    def test_a_jar_that_is_not_there(self, index: str, into: Path) -> None:
        with pytest.raises(VerificationError, match="cannot be read"):
            fetch_sidecars(index, into / self.JAR, into)
