"""The order of work: what is ready, by critical path, as far as the host has room. Pure.

Prefect (or a thread pool) runs the work; here it is only decided what may start. There are no layers: a unit is ready
the moment that the last thing it needs has ended.
"""

from __future__ import annotations

import heapq
from dataclasses import dataclass, field
from typing import TYPE_CHECKING

if TYPE_CHECKING:
    from collections.abc import Iterable, Mapping

__all__ = ["Board", "Capacity", "Unit", "critical_paths"]

_USUAL_SECONDS = 10.0
"""What a unit is taken to last that was never run."""


@dataclass(frozen=True)
class Unit:
    """A piece of work."""

    id: str
    needs: frozenset[str]
    """Ids of units, or of marks (`Board.mark`), that must have ended well before."""
    seconds: float = 0.0
    """How long it took last time; 0 = never run."""
    cpus: float = 1.0
    memory_mb: int = 0


@dataclass(frozen=True)
class Capacity:
    """What the host has for units that run at the same time."""

    cpus: float
    memory_mb: int


@dataclass
class Board:
    """All units of a run: what waits, what runs, what ended. One that is larger than the host runs alone."""

    capacity: Capacity
    _units: dict[str, Unit] = field(default_factory=dict)
    _waits: dict[str, set[str]] = field(default_factory=dict)
    _dependants: dict[str, set[str]] = field(default_factory=dict)
    _rest: dict[str, float] = field(default_factory=dict)
    _ready: list[tuple[float, str]] = field(default_factory=list)
    _running: set[str] = field(default_factory=set)
    _well: set[str] = field(default_factory=set)
    _over: set[str] = field(default_factory=set)

    def add(self, units: Iterable[Unit], paths: Mapping[str, float] | None = None) -> None:
        """Put units on the board; their ids are new.

        Args:
            units: in any order.
            paths: unit → seconds from its start to the end of everything that waits for it, where that is known
                (`critical_paths`); else its own.
        """
        added = list(units)
        for unit in added:
            self._units[unit.id] = unit
            self._rest[unit.id] = (paths or {}).get(unit.id, unit.seconds or _USUAL_SECONDS)
            for need in unit.needs:
                self._dependants.setdefault(need, set()).add(unit.id)
        for unit in added:
            self._waits[unit.id] = {need for need in unit.needs if need not in self._well}
            if not self._waits[unit.id]:
                self._push(unit.id)

    def _push(self, name: str) -> None:
        heapq.heappush(self._ready, (-self._rest[name], name))

    def take(self) -> Unit | None:
        """Return the next unit to start, the one with the longest way behind it first; None when none may start now.

        It counts as running from here on.
        """
        if self._running and self._free_cpus() <= 0:
            return None
        passed: list[tuple[float, str]] = []
        found: Unit | None = None
        while self._ready:
            entry = heapq.heappop(self._ready)
            unit = self._units[entry[1]]
            if unit.id in self._over:
                continue
            if self._fits(unit):
                found = unit
                break
            # A smaller one behind it may fit.
            passed.append(entry)
        for entry in passed:
            heapq.heappush(self._ready, entry)
        if found is not None:
            self._running.add(found.id)
        return found

    def _free_cpus(self) -> float:
        return self.capacity.cpus - sum(self._units[name].cpus for name in self._running)

    def _fits(self, unit: Unit) -> bool:
        if not self._running:
            return True
        running = [self._units[name] for name in self._running]
        memory = sum(other.memory_mb for other in running) + unit.memory_mb
        return unit.cpus <= self._free_cpus() and memory <= self.capacity.memory_mb

    def mark(self, name: str) -> None:
        """Say that something other than a unit, which units need, has come to a good end."""
        self._settle(name)

    def ended(self, name: str, *, well: bool) -> tuple[str, ...]:
        """Say that a unit (or a mark) ended.

        Returns:
            Where it did not end well: every unit that can never start now, sorted; they are over too.
        """
        self._running.discard(name)
        if well:
            self._settle(name)
            return ()
        self._over.add(name)
        return self._block(name)

    def _settle(self, name: str) -> None:
        if name in self._well:
            return
        self._well.add(name)
        self._over.add(name)
        for dependant in self._dependants.get(name, ()):
            waits = self._waits[dependant]
            waits.discard(name)
            if not waits and dependant not in self._over:
                self._push(dependant)

    def _block(self, name: str) -> tuple[str, ...]:
        blocked: set[str] = set()
        waiting = [name]
        while waiting:
            for dependant in self._dependants.get(waiting.pop(), ()):
                if dependant not in self._over:
                    self._over.add(dependant)
                    blocked.add(dependant)
                    waiting.append(dependant)
        return tuple(sorted(blocked))

    @property
    def running(self) -> frozenset[str]:
        """Units that were taken and have not ended."""
        return frozenset(self._running)

    @property
    def open(self) -> tuple[str, ...]:
        """Units that have neither ended nor been blocked, sorted."""
        return tuple(sorted(self._units.keys() - self._over))


def critical_paths(units: Mapping[str, Unit], order: Iterable[str]) -> dict[str, float]:
    """Return for each unit the seconds from its start to the end of the last thing that waits for it.

    Args:
        units: by id.
        order: every id, each after all that it needs.
    """
    rest: dict[str, float] = {}
    behind: dict[str, float] = {}
    for name in reversed(list(order)):
        unit = units[name]
        rest[name] = (unit.seconds or _USUAL_SECONDS) + behind.get(name, 0.0)
        for need in unit.needs:
            behind[need] = max(behind.get(need, 0.0), rest[name])
    return rest
