"""Which SLSA Build level a builder may claim, computed from what its configuration really is.

The level is never a setting: it follows from facts that the caller observed on the running system, and each fact that
keeps it low comes back as a reason. Source: SLSA v1.2, Build track, "Build platform" requirements.
"""

from __future__ import annotations

from pydantic import Field

from farm.model.base import Value

__all__ = ["BuilderFacts", "Claim", "claim"]


class BuilderFacts(Value):
    """What was observed of a builder. Every field is named so that `False` is the answer when nobody could find out."""

    provenance_signed: bool = False
    """The provenance is written and signed by the signer process, not by the worker."""
    hosted: bool = False
    """Builds run on a service of the organisation, not on a person's workstation."""
    signer_own_user: bool = False
    """The signer runs as an operating-system user of its own, whose files the worker cannot read."""
    worker_apart_from_signer: bool = False
    """No worker that can use a Docker socket runs on the signer's host: who holds the socket is root there."""
    sandbox_isolated: bool = False
    """Each build runs in a fresh sandbox without network whose isolation was probed before foreign code ran."""


class Claim(Value):
    """The level that may be claimed and why it is not higher (empty at level 3)."""

    level: int = Field(ge=0, le=3)
    reasons: tuple[str, ...]


_RULES: tuple[tuple[int, str, str], ...] = (
    (1, "provenance_signed", "it is not shown that the signer writes and signs the provenance"),
    (2, "hosted", "it is not shown that builds run on a service and not on a workstation"),
    (3, "signer_own_user", "it is not shown that the signer runs as a user of its own"),
    (3, "worker_apart_from_signer", "a worker that holds the Docker socket may run on the signer's host"),
    (3, "sandbox_isolated", "the signer has not seen for itself that builds run in fresh, probed sandboxes"),
)
"""Level, the fact that it needs, the reason when the fact is missing; a level also needs everything below it."""


def claim(facts: BuilderFacts) -> Claim:
    """Return the highest level whose requirements `facts` meet, with the reasons against every higher one."""
    missing = [(level, reason) for level, field, reason in _RULES if not getattr(facts, field)]
    level = min((needed - 1 for needed, _ in missing), default=3)
    return Claim(level=level, reasons=tuple(f"L{needed}: {reason}" for needed, reason in missing))
