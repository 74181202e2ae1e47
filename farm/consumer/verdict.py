"""The outcome of a verification, ready for JSON and for people."""

from __future__ import annotations

from farm.evidence.facts import ProvenanceFacts
from farm.model.base import Value

__all__ = ["Check", "FileVerdict", "LogEntry"]


class Check(Value):
    """One named check."""

    name: str
    ok: bool
    detail: str
    """What was found, or what is wrong."""


class LogEntry(Value):
    """Where the transparency log has the provenance, as far as its bundle says."""

    index: int
    integrated: str
    """RFC 3339, UTC; empty where the log gives no time of its own (the timestamp authority's counts then)."""


class FileVerdict(Value):
    """What came of one file. It is verified only when every check was made and passed."""

    file: str
    verified: bool
    sha256: str
    """Empty when the file could not be read."""
    size: int
    checks: tuple[Check, ...]
    facts: ProvenanceFacts | None
    """From the statement, once its signature verified; None before that."""
    log: LogEntry | None

    @property
    def failures(self) -> tuple[Check, ...]:
        """The checks that did not pass."""
        return tuple(check for check in self.checks if not check.ok)
