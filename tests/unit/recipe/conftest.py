from __future__ import annotations

from typing import TYPE_CHECKING

import pytest

if TYPE_CHECKING:
    from collections.abc import Callable
    from pathlib import Path

COMMIT = "3f0c2a9d5b7e4c1f8a6d9e2b0c4f7a1d3e5b8c60"
GOOD = f"""\
schema: 1
ecosystem: python
name: sample-lib
source:
  git: https://git.example.test/team/sample-lib
  tag: "v{{version}}"
versions:
  "1.4.2":
    commit: {COMMIT}
build:
  image: python311
  requires: ["setuptools==75.1.0"]
  tags: py3-none-any
test:
  imports: [sample_lib]
  command: [python, -m, pytest, -q, tests]
  requires: [pytest]
"""


@pytest.fixture
def good() -> str:
    """Give a recipe without problems."""
    return GOOD


@pytest.fixture
def recipes(tmp_path: Path) -> Path:
    """Give an empty recipes folder."""
    folder = tmp_path / "recipes"
    folder.mkdir()
    return folder


@pytest.fixture
def write(recipes: Path) -> Callable[..., Path]:
    """Write a recipe; returns its path."""

    def do(text: str, folder: str = "python/sample-lib") -> Path:
        path = recipes / folder / "recipe.yaml"
        path.parent.mkdir(parents=True)
        path.write_text(text, encoding="utf-8")
        return path

    return do
