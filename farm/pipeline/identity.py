"""Which run a build belongs to."""

from __future__ import annotations

from datetime import UTC, datetime

from farm.model.base import Value

__all__ = ["RunIdentity"]


class RunIdentity(Value):
    """Which run this is: its id, and the URI that evidence names it by (`urn:uuid:…`: no host name in evidence)."""

    id: str
    started_on: str
    """RFC 3339, UTC. Fixed for the run: a step that is tried again tells the signer the same."""

    @classmethod
    def new(cls, run_id: str) -> RunIdentity:
        """Return the identity of a run that starts now."""
        return cls(id=run_id, started_on=datetime.now(UTC).strftime("%Y-%m-%dT%H:%M:%SZ"))

    @property
    def uri(self) -> str:
        """The URI of the run."""
        return f"urn:uuid:{self.id}"
