from __future__ import annotations

from typing import TYPE_CHECKING

import pytest

from tests.fixtures_python import index
from tests.fixtures_source import GitRepo
from tests.fixtures_upstream import Home

if TYPE_CHECKING:
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
