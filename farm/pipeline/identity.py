"""Which run a build belongs to."""

from __future__ import annotations

from datetime import UTC, datetime

from farm.model.base import Value

__all__ = ["RunIdentity", "now"]


def now() -> str:
    """Return this moment as RFC 3339, UTC, whole seconds: the one spelling of times in evidence and records."""
    return datetime.now(UTC).strftime("%Y-%m-%dT%H:%M:%SZ")


class RunIdentity(Value):
    """Which run this is: its id, and the URI that evidence names it by (`urn:uuid:…`: no host name in evidence)."""

    id: str
    """What the signer knows it by: `<uuid>`, `<uuid>.<attempt>` when the run began anew."""
    started_on: str
    """RFC 3339, UTC. Fixed for the run: a step that is tried again tells the signer the same."""

    @classmethod
    def new(cls, run_id: str, attempt: int = 1) -> RunIdentity:
        """Return the identity of a run that starts now.

        Args:
            run_id: UUID of the run.
            attempt: 2 and more for a run that begins anew under the same UUID (Prefect's "Retry", a worker's crash):
                its job record says another start, and the signer takes only one record for an id.
        """
        return cls(
            id=run_id if attempt <= 1 else f"{run_id}.{attempt}",
            started_on=now(),
        )

    @property
    def uri(self) -> str:
        """The URI of the run."""
        return f"urn:uuid:{self.id.partition('.')[0]}"
