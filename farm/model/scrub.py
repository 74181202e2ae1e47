"""What a scrub of the stored bytes came to."""

from __future__ import annotations

from farm.model.base import Value

__all__ = ["Healed", "Lost", "Orphans", "ScrubReport", "StoreReport"]


class Healed(Value):
    """An object that was damaged or gone and is right again."""

    key: str
    source: str
    """Where the right bytes came from, in words."""


class Lost(Value):
    """An object that is damaged or gone, and stays so."""

    key: str
    reason: str


class Orphans(Value):
    """Objects that nothing names. They stay: what names them may be written next."""

    count: int = 0
    size: int = 0
    """Bytes."""


class StoreReport(Value):
    """One store."""

    objects: int
    """Objects that were read."""
    size: int
    """Bytes that were read."""
    records: int
    healed: tuple[Healed, ...] = ()
    lost: tuple[Lost, ...] = ()
    orphans: Orphans = Orphans()


class ScrubReport(Value):
    """Both stores; None for one that was not looked at."""

    vault: StoreReport | None = None
    repository: StoreReport | None = None

    @property
    def lost(self) -> tuple[Lost, ...]:
        """Everything that could not be healed."""
        return tuple(item for part in (self.vault, self.repository) if part is not None for item in part.lost)
