"""How a run tells its end: the state's message carries, for machines, one JSON line after the words for people."""

from __future__ import annotations

import json
from typing import Any

from farm.errors import FarmError, RunFailedError
from farm.model.base import Value

__all__ = ["MARK", "RunOutcome", "as_message", "in_words", "read_outcome"]

MARK = "farm-error: "
"""What the JSON line begins with."""


class RunOutcome(Value):
    """The end of a run."""

    state: str
    """Prefect's word: COMPLETED, FAILED, CRASHED, CANCELLED."""
    exit_code: int
    message: str


def in_words(error: FarmError) -> str:
    """Return `error` for people: class, exit code, what happened, what to do."""
    return f"{type(error).__name__} (exit code {error.exit_code}): {error.message}\n→ {error.remedy}"


def as_message(error: FarmError) -> str:
    """Return the state message of a run that ended with `error`: the words, then class and exit code as a JSON line."""
    line = json.dumps({"error": type(error).__name__, "exit_code": error.exit_code})
    return f"{in_words(error)}\n{MARK}{line}"


def read_outcome(state: str, message: str) -> RunOutcome:
    """Return what a final state says.

    A run that failed without a JSON line met a defect (exit code 1); one that crashed or was cancelled has no result.
    """
    if state == "COMPLETED":
        return RunOutcome(state=state, exit_code=0, message=message)
    words, _, line = message.rpartition(f"\n{MARK}")
    told = _exit_code(line) if words else None
    if told is not None:
        return RunOutcome(state=state, exit_code=told, message=words)
    code = FarmError.exit_code if state == "FAILED" else RunFailedError.exit_code
    return RunOutcome(state=state, exit_code=code, message=message or f"the run ended as {state}")


def _exit_code(line: str) -> int | None:
    try:
        value: Any = json.loads(line)
    except ValueError:
        return None
    code = value.get("exit_code") if isinstance(value, dict) else None
    return code if isinstance(code, int) and 0 < code < 256 else None  # noqa: PLR2004 - what a process can return
