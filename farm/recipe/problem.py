"""A problem of a recipe: where it is, what is wrong, and the nearest known word."""

from __future__ import annotations

import difflib
from typing import TYPE_CHECKING, Literal

from farm.model.base import Value

if TYPE_CHECKING:
    from collections.abc import Iterable

__all__ = ["Place", "Problem", "Severity", "nearest"]

Severity = Literal["error", "warning"]

Place = tuple[str | int, ...]
"""Where a value stands inside the recipe: keys and list positions from the top."""


class Problem(Value):
    """One thing that is wrong with a recipe. Line and column count from 1."""

    path: str
    line: int
    column: int
    severity: Severity = "error"
    message: str
    suggestion: str = ""
    """The nearest known word, empty when nothing is near."""
    pin: bool = False
    """Whether it is about what pins the source (commit, digest)."""

    def __str__(self) -> str:
        mark = "" if self.severity == "error" else "warning: "
        hint = f"; did you mean {self.suggestion!r}?" if self.suggestion else ""
        return f"{self.path}:{self.line}:{self.column}: {mark}{self.message}{hint}"


def nearest(word: str, known: Iterable[str]) -> str:
    """Return the word of `known` that is most like `word`, or an empty string."""
    found = difflib.get_close_matches(word.lower(), sorted(known), n=1, cutoff=0.6)
    return found[0] if found else ""
