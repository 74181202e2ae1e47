from __future__ import annotations

from typing import TYPE_CHECKING

import pytest

from tests.fixtures_source import BASE, GitRepo, Taker

if TYPE_CHECKING:
    from pathlib import Path


@pytest.fixture
def taker(tmp_path: Path) -> Taker:
    """Take sources; addresses below BASE are the folders below `tmp_path/repos`."""
    return Taker(tmp_path / "takes", sources={BASE: f"{tmp_path}/repos/"})


@pytest.fixture
def repo(tmp_path: Path) -> GitRepo:
    """Give an empty repository, at BASE + "demo"."""
    return GitRepo(tmp_path / "repos" / "demo")
