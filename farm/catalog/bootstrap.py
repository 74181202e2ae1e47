"""Cycles: packages that are built with each other, brought to results that no upstream file is left in.

Stage 1 begins with upstream's locked files in the place of the declared seeds. Each later stage builds every member
again with what the stage before it gave, until two stages in a row give the same bytes: these do not depend on what the
cycle began with, and only they are published.
"""

from __future__ import annotations

from dataclasses import dataclass, field
from functools import partial
from typing import TYPE_CHECKING, Final

from farm.catalog.board import Unit
from farm.catalog.decide import Results, provider_for
from farm.catalog.night import NodeEnd
from farm.catalog.work import build_node, release_node
from farm.errors import NotSettledError
from farm.pipeline.chain import Inputs

if TYPE_CHECKING:
    from farm.catalog.engine import Engine, Job
    from farm.catalog.graph import Cycle
    from farm.catalog.work import Done
    from farm.model.outcome import Outcome, OutcomeFile

__all__ = ["Bootstrap"]

_STAGES: Final = 5
"""Bytes that are not settled by then carry something of their builder along."""


@dataclass
class Bootstrap:
    """One cycle in one run."""

    engine: Engine
    cycle: Cycle
    stage: int = 0
    outcomes: dict[int, dict[str, Outcome]] = field(default_factory=dict)
    """Stage → member → what it gave."""
    units: dict[str, str] = field(default_factory=dict)
    """Unit of the present stage → member."""
    over: bool = False
    unchanged: bool = False

    @property
    def _gate(self) -> str:
        return f"cycle of {self.cycle.members[0]}"

    @property
    def _settled(self) -> str:
        return f"settled: {self.cycle.members[0]}"

    @property
    def needs(self) -> dict[str, frozenset[str]]:
        """What the units (and the mark) of the cycle wait for."""
        members = frozenset(self.cycle.members)
        outside = frozenset(d for member in members for d in self.engine.graph.edges[member]) - members
        return {
            self._gate: outside,
            self._settled: frozenset({self._gate}),
            # The gate too: where it cannot open, nothing says that the cycle settled or did not.
            **dict.fromkeys(self.cycle.members, frozenset({self._gate, self._settled})),
        }

    def jobs(self) -> dict[str, tuple[Unit, Job]]:
        """Return what is put on the board: the gate, and each member's publication."""
        from farm.catalog.engine import Job  # noqa: PLC0415 - the engine imports this module

        needs = self.needs
        gate = Unit(self._gate, needs[self._gate], seconds=0.001, cpus=0.0)
        found: dict[str, tuple[Unit, Job]] = {self._gate: (gate, Job(self._open, self._never))}
        for member in self.cycle.members:
            begin = partial(self._release, member)
            found[member] = (self.engine.unit(member, needs[member]), Job(begin, self.engine.node_ended))
        return found

    def refuse(self) -> None:
        """Give up where a member has failed before anything was begun: it would be built with upstream's file."""
        if failed := [member for member in self.cycle.members if member in self.engine.ends]:
            self._end_with(failed)

    def _never(self, done: Done) -> None:
        raise AssertionError(done.end.id)  # a gate hands no work to anybody

    def _open(self) -> None:
        """Everything outside that the members need has ended well: look whether anything is to be done."""
        engine = self.engine
        engine.board.ended(self._gate, well=True)
        if self.over or self._held_back():
            return
        known = {name: engine.nodes[name].files for name in self.cycle.members if name in engine.nodes}
        results = {**engine.results, **known}
        keys = {name: engine.key(engine.node(name), results) for name in self.cycle.members}
        self.unchanged = not engine.options.force and all(engine.counts(name, key) for name, key in keys.items())
        if self.unchanged:
            engine.board.mark(self._settled)
        else:
            self._next_stage()

    def _next_stage(self) -> None:
        from farm.catalog.engine import Job  # noqa: PLC0415 - the engine imports this module

        self.stage += 1
        self.outcomes[self.stage] = {}
        self.units = {f"{member} (stage {self.stage})": member for member in self.cycle.order}
        names = {member: unit for unit, member in self.units.items()}
        jobs: dict[str, tuple[Unit, Job]] = {}
        for unit, member in self.units.items():
            within = self.engine.graph.edges[member].keys() & names.keys() - set(self.cycle.seeds)
            # Later stages read nothing of their own: all of it can run at once.
            waits = frozenset(names[other] for other in within) if self.stage == 1 else frozenset()
            begin = partial(self._build, unit, member)
            jobs[unit] = (self.engine.unit(member, waits, unit), Job(begin, self._ended))
        self.engine.put(jobs)

    def _build(self, unit: str, member: str) -> None:
        engine, node, inputs = self.engine, self.engine.node(member), self._inputs(member)
        if self.over or self._held_back():
            engine.board.ended(unit, well=False)
            return
        force = engine.options.force
        work = partial(build_node, engine.rt, node, unit, inputs, force=force, failure=engine.remembered(member))
        engine.hand_over(unit, node, work, engine.graph.edges[member])

    def _inputs(self, member: str) -> Inputs:
        """Return what a member is built with in this stage."""
        engine, first = self.engine, self.stage == 1
        given = self.outcomes[self.stage if first else self.stage - 1]
        files: dict[str, tuple[OutcomeFile, ...]] = {
            **engine.results,
            **{name: outcome.files for name, outcome in given.items()},
        }
        wanted = {name: files[name] for name in engine.graph.edges[member] if name in files}
        seeds = frozenset(self.cycle.seeds) if first else frozenset[str]()
        keys = {name: given[name].build_key if name in given else engine.nodes[name].build_key for name in wanted}
        provider = provider_for(engine.graph, engine.node(member), Results(wanted, seeds, keys))
        return Inputs(provider, engine.gathered.policy, self.stage, self._seeds())

    def _seeds(self) -> tuple[str, ...]:
        """Return the files of upstream's that the first stage read, as far as it is over."""
        return tuple(sorted({seed for outcome in self.outcomes[1].values() for seed in outcome.seeds}))

    def _ended(self, done: Done) -> None:
        member, outcome = self.units[done.end.id], done.outcome
        self.engine.board.ended(done.end.id, well=outcome is not None)
        end = done.end.model_copy(update={"id": member})
        if outcome is None:
            self.engine.remember_failure(member, end, done)
        if self.over:
            return
        if outcome is None:
            self._give_up({member: end})
            return
        self.outcomes[self.stage][member] = outcome
        if len(self.outcomes[self.stage]) == len(self.units):
            self._compare()

    def _compare(self) -> None:
        """The stage is over: publish, build another one, or give up."""
        before, after = self.outcomes.get(self.stage - 1, {}), self.outcomes[self.stage]
        differ = [name for name in sorted(after) if name not in before or _bytes(before[name]) != _bytes(after[name])]
        names = ", ".join(self.cycle.members)
        if not differ:
            seeds = ", ".join(seed.partition(" ")[0] for seed in self._seeds()) or "none"
            self.engine.notes.append(
                f"cycle of {names}: stages {self.stage - 1} and {self.stage} gave the same bytes; it began with {seeds}"
            )
            self.engine.board.mark(self._settled)
        elif self.stage < _STAGES:
            self._next_stage()
        else:
            error = NotSettledError(
                f"the bytes of {', '.join(differ)} differ from stage {self.stage - 1} to {self.stage}",
                details={"cycle": list(self.cycle.members)},
            )
            self._give_up(
                {
                    name: NodeEnd(
                        id=name,
                        state="failed",
                        message=error.message,
                        error=type(error).__name__,
                        exit_code=error.exit_code,
                    )
                    for name in differ
                }
            )

    def _held_back(self) -> bool:
        """End every member without starting more of it where the run stops at the first failure."""
        if self.engine.stopped:
            self.over = True
            for member in self.cycle.members:
                self.engine.held_back(member)
        return self.over

    def _give_up(self, failed: dict[str, NodeEnd]) -> None:
        for end in failed.values():
            self.engine.end(end, ran=False)
        self._end_with(sorted(failed))

    def _end_with(self, failed: list[str]) -> None:
        self.over = True
        self.engine.block(self.cycle.members, f"it is built with {', '.join(failed)}, which failed")
        self.engine.block(self.engine.board.ended(self._settled, well=False), f"it needs {self._gate}, which failed")

    def _release(self, member: str) -> None:
        engine, node = self.engine, self.engine.node(member)
        if self.unchanged:
            engine.unchanged(member)
            return
        if engine.held_back(member):
            return
        outcome = self.outcomes[self.stage][member]
        inputs = self._inputs(member)
        engine.hand_over(member, node, partial(release_node, engine.rt, node, outcome, inputs), tuple(self.units))


def _bytes(outcome: Outcome) -> list[tuple[str, str]]:
    return [(file.content.filename, file.content.sha256) for file in outcome.files]
