"""Somebody writes to the repository's bucket: what a lock would call rebuilt has to verify first."""

from __future__ import annotations

import json
import shutil
import threading
from contextlib import contextmanager
from functools import partial
from http.server import SimpleHTTPRequestHandler, ThreadingHTTPServer
from pathlib import Path
from typing import TYPE_CHECKING

import pytest

from farm.config import Settings, TrustSettings
from farm.consumer.sidecars import BUNDLE, SUFFIXES
from farm.ecosystems.own import verify_own
from farm.errors import InputDigestError

if TYPE_CHECKING:
    from collections.abc import Iterator

    from .conftest import Shelf


class Quiet(SimpleHTTPRequestHandler):
    def log_message(self, format: str, *args: object) -> None:  # noqa: A002 - the name in the standard library
        del format, args


@contextmanager
def index(root: Path, shelf: Shelf, package: str) -> Iterator[str]:
    """Serve the sidecars of a package's wheel as farm's own index does."""
    project = root / "simple" / package
    project.mkdir(parents=True)
    name = shelf.file(package).name
    (project / "index.html").write_text(json.dumps({"files": [{"filename": name, "url": f"../../files/{name}"}]}))
    (root / "files").mkdir()
    for suffix in SUFFIXES:
        if shelf.beside(suffix, package).exists():
            shutil.copy(shelf.beside(suffix, package), root / "files")
    server = ThreadingHTTPServer(("127.0.0.1", 0), partial(Quiet, directory=str(root)))
    thread = threading.Thread(target=server.serve_forever, daemon=True)
    thread.start()
    try:
        yield f"http://127.0.0.1:{server.server_port}/simple/"
    finally:
        server.shutdown()
        server.server_close()
        thread.join()


@pytest.fixture
def settings(shelf: Shelf, tmp_path: Path) -> Settings:
    return Settings(
        data=tmp_path / "data",
        trust=TrustSettings(
            namespace="https://farm.example", builder="workstation", trust_config=Path(shelf.farm.trust.source)
        ),
    )


def check(settings: Settings, shelf: Shelf, tmp_path: Path, name: str = "alpha", version: str = "1.0") -> None:
    fetched = tmp_path / "fetched"
    fetched.mkdir()
    file = fetched / shelf.file().name
    shutil.copy(shelf.file(), file)
    with index(tmp_path / "www", shelf, "alpha") as url:
        verify_own(settings, url, file, "python", name, version)


def test_what_farm_built_passes(settings: Settings, shelf: Shelf, tmp_path: Path) -> None:
    check(settings, shelf, tmp_path)


def test_a_planted_file_does_not(settings: Settings, shelf: Shelf, tmp_path: Path) -> None:
    shelf.file().write_bytes(shelf.file().read_bytes() + b"x")
    with pytest.raises(InputDigestError, match="does not verify"):
        check(settings, shelf, tmp_path)


def test_nor_one_without_its_bundle(settings: Settings, shelf: Shelf, tmp_path: Path) -> None:
    shelf.beside(BUNDLE).unlink()
    with pytest.raises(InputDigestError, match="does not verify"):
        check(settings, shelf, tmp_path)


@pytest.mark.parametrize(("name", "version"), [("beta", "1.0"), ("alpha", "1.1")])
def test_nor_one_that_was_built_as_something_else(
    settings: Settings, shelf: Shelf, tmp_path: Path, name: str, version: str
) -> None:
    with pytest.raises(InputDigestError, match=r"was built as python/alpha@1\.0"):
        check(settings, shelf, tmp_path, name, version)
