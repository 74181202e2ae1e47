"""Text from elsewhere, made fit for a terminal: what foreign code writes must not command the reader's screen."""

from __future__ import annotations

import re

__all__ = ["without_controls"]

_RETURNS = re.compile(r"\r\n?")
_CONTROLS = re.compile(r"(?:\x1b\[|\x9b)[0-?]*[ -/]*[@-~]|[\x00-\x08\x0b-\x1f\x7f-\x9f]")
"""Whole control sequences (ECMA-48, 5.4), since their ends alone are litter; then any C0, C1 or DEL that is left."""


def without_controls(text: str) -> str:
    """Return `text` without control characters other than newline and tab; a carriage return ends a line too."""
    return _CONTROLS.sub("", _RETURNS.sub("\n", text))
