from __future__ import annotations

from typing import TYPE_CHECKING

import pytest

from tests.fixtures_nodes import Package, World
from tests.fixtures_python import index
from tests.fixtures_source import GitRepo
from tests.fixtures_upstream import Home

if TYPE_CHECKING:
    from collections.abc import Callable
    from pathlib import Path

    from tests.fixtures_python import IndexDouble

__all__ = ["index"]


@pytest.fixture(autouse=True)
def _in_haste(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr("farm.ecosystems.maven.transfer._LONGEST_PAUSE", 0.01)


@pytest.fixture
def home(tmp_path: Path, index: IndexDouble) -> Home:
    """Give a home that asks the index double; addresses below https://git.example.test/ are folders of the test."""
    return Home(tmp_path / "home", python_index=index.url, sources={"https://git.example.test/": f"{tmp_path}/repos/"})


@pytest.fixture
def repo(tmp_path: Path) -> GitRepo:
    """Give an empty repository, at https://git.example.test/demo."""
    return GitRepo(tmp_path / "repos" / "demo")


@pytest.fixture
def make(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Callable[..., World]:
    """Give a made-up farm: name → names of what it needs."""

    def make(**needs: str) -> World:
        packages = {name: Package(name, tuple(found.split())) for name, found in needs.items()}
        return World(packages, tmp_path).put_in(monkeypatch)

    return make


@pytest.fixture
def line(make: Callable[..., World]) -> World:
    """Four packages in a line, one beside it."""
    return make(base="", middle="base", top="middle", end="top", beside="")


@pytest.fixture
def ring(make: Callable[..., World]) -> World:
    """Three packages in a ring, something before it and something after it."""
    world = make(base="", one="three base", two="one", three="two", after="two")
    world.packages["three"].seed = "upstream's wheel begins it"
    return world
