"""The repositories of all languages, found by name like the languages themselves (see `farm.languages`)."""

from __future__ import annotations

from importlib import import_module
from typing import TYPE_CHECKING, Any

from farm.languages import language_names

if TYPE_CHECKING:
    from farm.repository.layout import Layout

__all__ = ["layout_of", "layouts"]


def layout_of(ecosystem: str) -> Layout[Any]:
    """Return the repository of a language (one of `language_names`)."""
    found: Layout[Any] = import_module(f"farm.ecosystems.{ecosystem}.repository.layout").LAYOUT
    return found


def layouts() -> tuple[Layout[Any], ...]:
    """Return the repositories of all languages, in the order in which they are shown to people."""
    return tuple(layout_of(name) for name in language_names())
