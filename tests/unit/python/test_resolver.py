"""Which versions the resolver takes when several would do."""

from __future__ import annotations

from typing import TYPE_CHECKING

import pytest

from farm.ecosystems.python.resolver import Indexes, resolve
from farm.model.plan import Target
from tests.fixtures_python import IndexDouble, serving, wheel_files, write_wheel

if TYPE_CHECKING:
    from collections.abc import Callable, Iterator, Mapping, Sequence
    from pathlib import Path

    Chosen = Callable[[Sequence[str], Mapping[str, Sequence[str]]], list[str]]

TARGET = Target(platform="linux/amd64", interpreter="cp311")


def wheel(folder: Path, name: str, version: str, requires: str = "") -> bytes:
    needs = f"Requires-Dist: {requires}\n" if requires else ""
    files = wheel_files(name, version, metadata=f"Metadata-Version: 2.1\nName: {name}\nVersion: {version}\n{needs}")
    return write_wheel(folder, files, f"{name}-{version}-py3-none-any.whl").read_bytes()


@pytest.fixture
def index(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Iterator[IndexDouble]:
    monkeypatch.setenv("UV_CACHE_DIR", str(tmp_path / "uv-cache"))
    with serving() as double:
        for version in ("1.0", "2.0", "3.0", "4.0"):
            name = f"tool-{version}-py3-none-any.whl"
            double.projects.setdefault("tool", {})[name] = wheel(tmp_path, "tool", version)
        double.projects["sample"] = {"sample-1.0-py3-none-any.whl": wheel(tmp_path, "sample", "1.0", "tool>=2")}
        yield double


@pytest.fixture
def chosen(index: IndexDouble, tmp_path: Path) -> Chosen:
    def do(requirements: Sequence[str], preferred: Mapping[str, Sequence[str]]) -> list[str]:
        places = Indexes(index.url)
        pins = resolve(requirements, target=TARGET, indexes=places, work=tmp_path, preferred=preferred)
        return [f"{pin.name} {pin.version}" for pin in pins]

    return do


def test_preferred_versions_are_taken_for_what_is_asked_and_for_what_that_needs(chosen: Chosen) -> None:
    assert chosen(["tool"], {}) == ["tool 4.0"]
    assert chosen(["tool"], {"tool": ["3.0"]}) == ["tool 3.0"]
    assert chosen(["sample"], {"tool": ["3.0"], "absent": ["1.0"]}) == ["sample 1.0", "tool 3.0"]


@pytest.mark.parametrize("preferred", [["3.0", "1.0"], ["1.0", "3.0"]])
def test_of_several_preferred_versions_the_newest_that_is_allowed(chosen: Chosen, preferred: list[str]) -> None:
    assert chosen(["tool"], {"tool": preferred}) == ["tool 3.0"]
    assert chosen(["tool<3"], {"tool": preferred}) == ["tool 1.0"]


def test_a_preference_that_cannot_be_met_changes_nothing(chosen: Chosen) -> None:
    assert chosen(["tool>=4"], {"tool": ["3.0"]}) == ["tool 4.0"]
    assert chosen(["sample"], {"tool": ["1.0"]}) == ["sample 1.0", "tool 4.0"]
    assert chosen(["tool"], {"tool": ["2.5"]}) == ["tool 4.0"]  # no such file on the index


def test_what_an_earlier_resolution_chose_is_forgotten(chosen: Chosen) -> None:
    assert chosen(["tool<4"], {}) == ["tool 3.0"]
    assert chosen(["tool"], {}) == ["tool 4.0"]
