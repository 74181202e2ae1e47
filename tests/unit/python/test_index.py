from __future__ import annotations

import hashlib
from typing import TYPE_CHECKING

import certifi
import pytest

from farm.config import Settings
from farm.ecosystems.python.index import IndexClient, authorisation, plain_url, upstream_config
from farm.ecosystems.python.locate import fetch_locked, locate_sdist
from farm.ecosystems.python.resolver import Indexes, resolve
from farm.errors import (
    ConfigError,
    InputDigestError,
    InputMissingError,
    InputUnavailableError,
    SourceMissingError,
    SourcePinError,
    SourceUnavailableError,
)
from farm.model.lock import LockedFile
from farm.model.plan import ArchivePin, Target
from tests.fixtures_python import wheel_files, write_wheel

if TYPE_CHECKING:
    from pathlib import Path
    from typing import Literal

    from tests.fixtures_python import IndexDouble

WHEEL = "sample-1.0-py3-none-any.whl"


def locked(content: bytes, origin: Literal["farm", "index"] = "index") -> LockedFile:
    return LockedFile(
        filename=WHEEL,
        name="sample",
        version="1.0",
        sha256=hashlib.sha256(content).hexdigest(),
        size=len(content),
        origin=origin,
        roles=("build",),
        purl="pkg:pypi/sample@1.0",
    )


@pytest.mark.parametrize("html", [False, True])
def test_lists_and_downloads_in_both_forms(index: IndexDouble, tmp_path: Path, html: bool) -> None:  # noqa: FBT001 - pytest passes it by name
    index.html = html
    index.projects["sample"] = {WHEEL: b"wheel", "sample-1.0.tar.gz": b"sdist"}
    digest = hashlib.sha256(b"wheel").hexdigest()
    with IndexClient(index.url) as client:
        files = client.files("Sample")
        assert [(f.filename, f.kind, f.version) for f in files] == [
            (WHEEL, "wheel", "1.0"),
            ("sample-1.0.tar.gz", "sdist", "1.0"),
        ]
        assert client.download(files[0], tmp_path / "x", sha256=digest).size == 5
        assert client.files("absent") == ()


def test_wrong_bytes_leave_nothing_behind(index: IndexDouble, tmp_path: Path) -> None:
    index.projects["sample"] = {WHEEL: b"wheel"}
    with IndexClient(index.url) as client:
        (file,) = client.files("sample")
        with pytest.raises(InputDigestError):
            client.download(file, tmp_path / "x", sha256="0" * 64)
        with pytest.raises(InputDigestError, match="larger"):
            client.download(file, tmp_path / "x", sha256="0" * 64, max_size=3)
    assert list(tmp_path.iterdir()) == []


def test_credentials_reach_the_index_and_nobody_else(index: IndexDouble) -> None:
    index.credentials = "user:p@ss"
    index.projects["sample"] = {WHEEL: b"wheel"}
    url = f"http://user:p%40ss@127.0.0.1:{index.port}/simple/"
    with IndexClient(url) as client:
        assert len(client.files("sample")) == 1
    assert authorisation("http://files.example/x", url) == {}
    assert authorisation(f"http://127.0.0.1:{index.port + 1}/x", url) == {}
    assert plain_url(url) == f"http://127.0.0.1:{index.port}/simple/"


def test_fetch_locked(index: IndexDouble, tmp_path: Path) -> None:
    settings = Settings(python_index=index.url)
    index.projects["sample"] = {WHEEL: b"wheel"}
    fetch_locked(locked(b"wheel"), tmp_path / "x", settings, "")
    assert (tmp_path / "x").read_bytes() == b"wheel"
    with pytest.raises(InputDigestError, match="the lock has"):
        fetch_locked(locked(b"other"), tmp_path / "y", settings, "")
    with pytest.raises(InputUnavailableError, match="not being served"):
        fetch_locked(locked(b"wheel", "farm"), tmp_path / "y", settings, "")
    index.projects.clear()
    with pytest.raises(InputMissingError, match="no longer lists") as caught:
        fetch_locked(locked(b"wheel"), tmp_path / "y", settings, "")
    assert not caught.value.infrastructure
    assert [path.name for path in tmp_path.iterdir()] == ["x"]


def test_an_index_that_lies_about_its_files(index: IndexDouble, tmp_path: Path) -> None:
    good = locked(b"good")
    index.projects["sample"] = {WHEEL: b"evil"}
    index.stated[WHEEL] = good.sha256
    with pytest.raises(InputDigestError, match="expected"):
        fetch_locked(good, tmp_path / "x", Settings(python_index=index.url), "")


def test_farms_own_index_is_asked_for_what_came_from_it(index: IndexDouble, tmp_path: Path) -> None:
    index.projects["sample"] = {WHEEL: b"wheel"}
    nowhere = Settings(python_index="http://127.0.0.1:9/simple/")
    fetch_locked(locked(b"wheel", "farm"), tmp_path / "x", nowhere, index.url)
    assert (tmp_path / "x").exists()


def test_no_answer_is_an_infrastructure_error() -> None:
    with pytest.raises(InputUnavailableError, match="does not answer"), IndexClient("http://127.0.0.1:9/") as client:
        client.files("sample")


def test_locate(index: IndexDouble) -> None:
    settings = Settings(python_index=index.url)
    index.projects["sample"] = {WHEEL: b"w", "sample-1.0.tar.gz": b"one", "sample-1.0.zip": b"two"}
    digest = hashlib.sha256(b"two").hexdigest()
    pin = ArchivePin(kind="pypi-sdist", sha256=digest, name="sample", version="1.0.0")
    assert locate_sdist(pin, settings).filename == "sample-1.0.zip"
    with pytest.raises(SourceMissingError, match=r"no sdist of sample 2\.0") as caught:
        locate_sdist(pin.model_copy(update={"version": "2.0"}), settings)
    assert not caught.value.infrastructure
    with pytest.raises(SourcePinError):
        locate_sdist(pin.model_copy(update={"name": ""}), settings)
    with pytest.raises(SourceUnavailableError, match="does not answer"):
        locate_sdist(pin, Settings(python_index="http://127.0.0.1:9/"))


def test_an_index_that_is_no_web_address() -> None:
    with pytest.raises(ConfigError, match="not an http"):
        upstream_config(Settings(python_index="file:///tmp/index"))


def test_an_index_on_this_host_is_reached_past_the_proxy(
    index: IndexDouble, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    for name in ("no_proxy", "NO_PROXY"):
        monkeypatch.delenv(name, raising=False)
    for name in ("http_proxy", "HTTP_PROXY", "ALL_PROXY"):
        monkeypatch.setenv(name, "http://127.0.0.1:9")
    monkeypatch.setenv("UV_CACHE_DIR", str(tmp_path / "uv-cache"))
    index.projects["sample"] = {WHEEL: write_wheel(tmp_path, wheel_files()).read_bytes()}
    with IndexClient(index.url) as client:
        assert len(client.files("sample")) == 1
    # A remote upstream keeps the proxy: it is not asked for what farm's own index has.
    target = Target(platform="linux/amd64", interpreter="cp311")
    places = Indexes("http://index.example.test/simple/", index.url)
    assert [pin.name for pin in resolve(["sample"], target=target, indexes=places, work=tmp_path)] == ["sample"]


@pytest.mark.parametrize("status", [404, 410])
def test_a_listed_file_that_is_gone_is_not_asked_for_again(
    index: IndexDouble, tmp_path: Path, monkeypatch: pytest.MonkeyPatch, status: int
) -> None:
    index.projects["sample"] = {WHEEL: b"wheel"}
    with IndexClient(index.url) as client:
        (file,) = client.files("sample")
        monkeypatch.setattr(index, "answer", lambda *_: (status, "text/plain", b""))
        with pytest.raises(InputMissingError, match=str(status)) as caught:
            client.download(file, tmp_path / "x", sha256=file.sha256)
        assert client.files("sample") == ()
    assert not caught.value.infrastructure


def test_the_archive_is_fetched_with_the_bundle_of_the_index(
    index: IndexDouble, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    for name in ("PIP_CERT", "REQUESTS_CA_BUNDLE", "SSL_CERT_FILE", "CURL_CA_BUNDLE"):
        monkeypatch.delenv(name, raising=False)
    configuration = tmp_path / "pip.conf"
    configuration.write_text(f"[global]\ncert = {certifi.where()}\n")
    monkeypatch.setenv("PIP_CONFIG_FILE", str(configuration))
    index.projects["sample"] = {"sample-1.0.tar.gz": b"one"}
    pin = ArchivePin(kind="pypi-sdist", sha256="0" * 64, name="sample", version="1.0")
    assert locate_sdist(pin, Settings(python_index=index.url)).ca_bundle == certifi.where()
