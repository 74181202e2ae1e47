"""A name that farm rebuilt is uploaded upstream with a higher version: the resolver must not even look there."""

from __future__ import annotations

import shutil
from typing import TYPE_CHECKING

import pytest

from farm.ecosystems.python.fetcher import Fetcher
from farm.ecosystems.python.resolver import Indexes, resolve
from farm.errors import InputMissingError, InputUnavailableError, ResolutionError
from farm.model.base import BlobRef, sha256_file
from farm.model.plan import Target
from tests.fixtures_python import IndexDouble, serving, wheel_files, write_wheel

if TYPE_CHECKING:
    from collections.abc import Iterator
    from pathlib import Path

TARGET = Target(platform="linux/amd64", interpreter="cp311")


class Shelf:
    """What the fetcher needs of a vault."""

    def __init__(self, folder: Path) -> None:
        self.folder = folder

    def put_file(self, path: Path) -> BlobRef:
        ref = sha256_file(path)
        shutil.copyfile(path, self.folder / ref.sha256)
        return ref

    def put_bytes(self, data: bytes) -> BlobRef:
        raise NotImplementedError

    def has(self, ref: BlobRef) -> bool:
        return (self.folder / ref.sha256).exists()

    def fetch(self, ref: BlobRef, target: Path) -> None:
        raise NotImplementedError

    def read(self, ref: BlobRef) -> bytes:
        raise NotImplementedError

    def put_record(self, kind: str, key: str, data: bytes) -> None:
        raise NotImplementedError

    def get_record(self, kind: str, key: str) -> bytes | None:
        raise NotImplementedError


@pytest.fixture
def indexes(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Iterator[tuple[IndexDouble, IndexDouble]]:
    monkeypatch.setenv("UV_CACHE_DIR", str(tmp_path / "uv-cache"))
    monkeypatch.setenv("UV_INDEX_STRATEGY", "unsafe-best-match")
    monkeypatch.setenv("UV_EXTRA_INDEX_URL", "http://127.0.0.1:9/evil/")
    with serving() as own, serving() as upstream:
        own.projects["sample"] = {"sample-1.0-py3-none-any.whl": wheel(tmp_path, "sample", "1.0", "helper>=1")}
        upstream.projects["sample"] = {"sample-99.0-py3-none-any.whl": wheel(tmp_path, "sample", "99.0")}
        upstream.projects["helper"] = {"helper-1.5-py3-none-any.whl": wheel(tmp_path, "helper", "1.5")}
        yield own, upstream


def wheel(folder: Path, name: str, version: str, requires: str = "") -> bytes:
    needs = f"Requires-Dist: {requires}\n" if requires else ""
    files = wheel_files(name, version, metadata=f"Metadata-Version: 2.1\nName: {name}\nVersion: {version}\n{needs}")
    path = write_wheel(folder, files, f"{name}-{version}-py3-none-any.whl")
    return path.read_bytes()


def test_farms_own_index_decides(indexes: tuple[IndexDouble, IndexDouble], tmp_path: Path) -> None:
    own, upstream = indexes
    places = Indexes(upstream.url, own.url)
    pins = resolve(["sample"], target=TARGET, indexes=places, work=tmp_path)
    assert [(pin.name, pin.version) for pin in pins] == [("helper", "1.5"), ("sample", "1.0")]
    with Fetcher(Shelf(tmp_path), tmp_path / "fetched", places, check_own=lambda *_: None) as fetcher:
        files = fetcher.files(pins)
    assert [(file.name, file.origin) for file in files] == [("helper", "index"), ("sample", "farm")]
    assert not any("sample" in path for path, _ in upstream.requests)


def test_a_version_that_only_upstream_has_is_no_way_round(
    indexes: tuple[IndexDouble, IndexDouble], tmp_path: Path
) -> None:
    own, upstream = indexes
    with pytest.raises(ResolutionError, match="no solution in wheels for sample>=2"):
        resolve(["sample>=2"], target=TARGET, indexes=Indexes(upstream.url, own.url), work=tmp_path)


def test_credentials_are_in_no_error(indexes: tuple[IndexDouble, IndexDouble], tmp_path: Path) -> None:
    _, upstream = indexes
    upstream.credentials = "user:hunter2"
    with pytest.raises(ResolutionError) as caught:
        resolve(["absent"], target=TARGET, indexes=Indexes(upstream.url), work=tmp_path)
    assert "hunter2" not in str(caught.value.as_json())


def test_excluded_projects_leave_the_closure(indexes: tuple[IndexDouble, IndexDouble], tmp_path: Path) -> None:
    own, upstream = indexes
    places = Indexes(upstream.url, own.url)
    assert resolve(["sample"], target=TARGET, indexes=places, work=tmp_path, exclude=["sample"]) == ()


def test_an_index_that_swaps_a_file_between_resolving_and_fetching(
    indexes: tuple[IndexDouble, IndexDouble], tmp_path: Path
) -> None:
    _, upstream = indexes
    places = Indexes(upstream.url)
    pins = resolve(["helper"], target=TARGET, indexes=places, work=tmp_path)
    upstream.projects["helper"]["helper-1.5-py3-none-any.whl"] += b"evil"
    with (
        Fetcher(Shelf(tmp_path), tmp_path / "fetched", places, check_own=lambda *_: None) as fetcher,
        pytest.raises(InputMissingError, match="with the digest that was resolved"),
    ):
        fetcher.files(pins)


def test_an_index_that_is_down_is_an_infrastructure_error(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv("UV_CACHE_DIR", str(tmp_path / "uv-cache"))
    with pytest.raises(InputUnavailableError) as caught:
        resolve(["sample"], target=TARGET, indexes=Indexes("http://127.0.0.1:9/simple/"), work=tmp_path)
    assert caught.value.infrastructure
