"""The colours that drawings share. Pure."""

from __future__ import annotations

from typing import TYPE_CHECKING, Final

if TYPE_CHECKING:
    from collections.abc import Mapping

    from farm.catalog.outlook import State

__all__ = ["BAD", "DASHES", "FILLS", "FRAME", "STROKES", "TERMINAL"]

FILLS: Final[Mapping[State, str]] = {
    "current": "#d8f0d8",
    "changed": "#fff2c2",
    "not-built": "#ececec",
    "failed": "#f8c4bf",
    "blocked": "#fbdcc0",
    "invalid": "#f0c4e4",
    "vanished": "#d4d4ec",
}
"""Of boxes."""
STROKES: Final = {"build": "#333333", "backend": "#1f5fa8", "runtime": "#2d7d46", "test": "#888888"}
"""Of lines, by the first of their roles."""
DASHES: Final = {"build": "solid", "backend": "solid", "runtime": "dashed", "test": "dotted"}
"""The same, for those who do not tell colours apart."""
FRAME: Final = "#6a6a9a"
"""Of a cycle."""
BAD: Final = "#c00000"
"""Of a cycle without a seed."""
TERMINAL: Final[Mapping[State, str]] = {
    "current": "green",
    "changed": "yellow",
    "not-built": "dim",
    "failed": "bold red",
    "blocked": "red",
    "invalid": "bold red",
    "vanished": "magenta",
}
"""Styles of the words."""
