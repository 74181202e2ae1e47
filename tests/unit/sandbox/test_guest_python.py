"""What runs inside a builder image has to be understood by the oldest interpreter that there is an image for."""

from __future__ import annotations

import ast
from pathlib import Path

import pytest

ROOT = Path(__file__).parents[3]
GUESTS = sorted([*ROOT.glob("farm/**/guest/*.py"), ROOT / "farm" / "image" / "customise.py"])


def test_the_guests_are_found() -> None:
    assert {path.parent.parent.name for path in GUESTS} >= {"sandbox", "python", "maven"}


@pytest.mark.parametrize("path", GUESTS, ids=lambda path: f"{path.parent.parent.name}/{path.name}")
def test_a_guest_is_python_3_9(path: Path) -> None:
    tree = ast.parse(path.read_text(encoding="utf-8"), feature_version=(3, 9))
    # What annotations say of later versions is never looked at.
    assert any(isinstance(node, ast.ImportFrom) and node.module == "__future__" for node in tree.body) or (
        path.name == "__init__.py"
    )
