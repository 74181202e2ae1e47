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


@pytest.fixture
def home(tmp_path: Path, index: IndexDouble) -> Home:
    sources = {"https://git.example.test/": f"{tmp_path}/repos/"}
    return Home(tmp_path / "home", python_index=index.url, sources=sources)


@pytest.fixture
def repo(tmp_path: Path) -> GitRepo:
    return GitRepo(tmp_path / "repos" / "demo")
