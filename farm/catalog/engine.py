"""A run over the catalog: what is to be built is decided as dependencies end, and handed to an executor."""

from __future__ import annotations

import time
from dataclasses import dataclass, field
from datetime import UTC, datetime, timedelta
from functools import partial
from typing import TYPE_CHECKING, Final

import networkx as nx

from farm import log
from farm.catalog.board import Board, Unit, critical_paths
from farm.catalog.bootstrap import Bootstrap
from farm.catalog.decide import Results, key_of, provider_for, upstreams
from farm.catalog.night import NodeEnd, NodeRun
from farm.catalog.state import Failure, NodeState, SourceFacts, save_state
from farm.catalog.vanished import vanished_needs
from farm.catalog.work import Done, build_node, now
from farm.errors import CycleError, FarmError, RecipeVanishedError, registry
from farm.pipeline.chain import Inputs

if TYPE_CHECKING:
    from collections.abc import Callable, Iterable, Mapping

    from farm.catalog.board import Capacity
    from farm.catalog.graph import Cycle, Graph
    from farm.catalog.night import Executor, NightOptions
    from farm.catalog.nodes import Node
    from farm.catalog.state import CatalogState
    from farm.model.key import KeyFields
    from farm.model.outcome import Outcome, OutcomeFile
    from farm.pipeline.linking import Policy
    from farm.pipeline.runtime import Runtime

__all__ = ["Engine", "Gathered", "Job"]

_SAVE_SECONDS: Final = 3.0
"""Between two saves of the state while work is going on."""
_RETRY_DAYS: Final = 7
_WELL: Final = frozenset({"built", "unchanged", "reproduced"})

_log = log.get(__name__)


@dataclass(frozen=True)
class Gathered:
    """What a run starts from."""

    graph: Graph
    state: CatalogState
    selected: frozenset[str]
    """Nodes that the run is about, with everything that they need."""
    images: Mapping[str, str]
    """Builder image → digest; those that are not on this host are missing."""
    policy: Policy
    capacity: Capacity
    warnings: tuple[str, ...] = ()
    """What was not as it should be with what it starts from."""


@dataclass(frozen=True)
class Job:
    """What a unit of the board stands for."""

    begin: Callable[[], None]
    """Called when it is its turn: ends it at once, or hands work to the executor."""
    ended: Callable[[Done], None]
    """Called with what came of that work."""


@dataclass
class Engine:
    """One run. `run` does all of it; the ends of the nodes are in `ends` then."""

    rt: Runtime
    gathered: Gathered
    options: NightOptions
    executor: Executor
    alive: Callable[[], None]
    """Called now and then; raises when the run has to stop."""
    ends: dict[str, NodeEnd] = field(default_factory=dict)
    notes: list[str] = field(default_factory=list)
    warnings: list[str] = field(default_factory=list)
    alarms: list[str] = field(default_factory=list)
    """What has to be looked at though nothing failed: a tag that moved upstream."""
    results: dict[str, tuple[OutcomeFile, ...]] = field(default_factory=dict)
    """Node → the files that others are built with in this run."""
    _jobs: dict[str, Job] = field(default_factory=dict)
    _done: dict[str, Done] = field(default_factory=dict)
    _shown: set[str] = field(default_factory=set)
    """Handed to the executor to be shown, and not back yet."""
    stopped: bool = False
    """Whether nothing new is to be started."""
    _saved: float = 0.0
    _dirty: bool = False

    def __post_init__(self) -> None:
        self.board = Board(self.gathered.capacity)
        self.graph = self.gathered.graph
        self.warnings.extend(self.gathered.warnings)
        self.nodes: dict[str, NodeState] = dict(self.gathered.state.nodes)
        self.sources: dict[str, SourceFacts] = dict(self.gathered.state.sources)

    # --- the run --------------------------------------------------------------------------------------------------

    def run(self) -> None:
        """Bring every selected node to an end.

        Raises:
            Whatever `alive` raises. What was finished by then is kept.
        """
        self._plan()
        self.work_off()

    def work_off(self) -> None:
        """Do everything that is on the board; the state is kept, whatever happens."""
        try:
            while True:
                while (unit := self.board.take()) is not None:
                    self._jobs[unit.id].begin()
                if not self.board.running and not self._shown:
                    return
                for end in self.executor.wait():
                    if end.id in self._shown:
                        self._shown.discard(end.id)
                        self._done.pop(end.id, None)
                        continue
                    done = self._done.pop(end.id) if end.id in self._done else Done(end)
                    self._jobs[end.id].ended(done)
                self._still_ours()
                if time.monotonic() - self._saved > _SAVE_SECONDS:
                    self.save()
        finally:
            self.save()

    def _still_ours(self) -> None:
        try:
            self.alive()
        except FarmError:
            self._dirty = False  # whoever took over writes the state now
            raise

    def save(self) -> None:
        """Keep what is known by now: a later run goes on from it."""
        if self._dirty:
            save_state(self.rt.vault, self.state)
        self._saved, self._dirty = time.monotonic(), False

    @property
    def state(self) -> CatalogState:
        """What is known of the catalog by now."""
        return self.gathered.state.model_copy(update={"nodes": self.nodes, "sources": self.sources})

    def put(self, units: Mapping[str, tuple[Unit, Job]], rest: Mapping[str, float] | None = None) -> None:
        """Put jobs on the board."""
        self._jobs.update((name, job) for name, (_, job) in units.items())
        self.board.add((unit for unit, _ in units.values()), rest)

    def hand_over(self, unit: str, node: Node, work: Callable[[], Done], needs: Iterable[str]) -> None:
        """Let the executor run `work`; the job's `ended` is called with what came of it."""
        package = f"{node.package.ecosystem}/{node.package.name}"
        alone = len(self.graph.catalog.providers(node.package.ecosystem, node.package.name, node.package.version)) == 1
        title = unit.replace(node.id, node.reference) if alone else unit
        run = NodeRun(id=unit, ecosystem=node.package.ecosystem, package=package, needs=tuple(needs), title=title)

        def body() -> NodeEnd:
            done = work()
            self._done[unit] = done
            return done.end

        self.executor.start(run, body)

    # --- planning -------------------------------------------------------------------------------------------------

    def _plan(self) -> None:
        """Put every selected node on the board, and end what is known not to be buildable."""
        cycles = {id(c): c for name in self.gathered.selected if (c := self.graph.cycle_of.get(name))}
        jobs: dict[str, tuple[Unit, Job]] = {}
        needs: dict[str, frozenset[str]] = {}
        for name in sorted(self.gathered.selected - self.graph.cycle_of.keys()):
            needs[name] = frozenset(self.graph.edges[name])
            begin = partial(self._turn, name)
            jobs[name] = (self.unit(name, needs[name]), Job(begin, self.node_ended))
        bootstraps = [Bootstrap(self, cycle) for cycle in cycles.values()]
        for bootstrap in bootstraps:
            jobs.update(bootstrap.jobs())
            needs.update(bootstrap.needs)
        units = {name: unit for name, (unit, _) in jobs.items()}
        units |= {name: Unit(name, needs[name], seconds=0.001) for name in needs if name not in units}
        whole: nx.DiGraph[str] = nx.DiGraph()
        whole.add_nodes_from(sorted(units))
        whole.add_edges_from((need, name) for name, all_of in needs.items() for need in sorted(all_of))
        self.put(jobs, critical_paths(units, nx.topological_sort(whole)))
        self._refuse(cycles.values())
        for bootstrap in bootstraps:
            bootstrap.refuse()

    def unit(self, name: str, needs: Iterable[str], shown: str = "") -> Unit:
        """Return the unit of work for a node, under the name `shown` where it is not the node itself."""
        node, known = self.node(name), self.nodes.get(name)
        return Unit(shown or name, frozenset(needs), known.seconds if known else 0.0, node.cpus, node.memory_mb)

    def _refuse(self, cycles: Iterable[Cycle]) -> None:
        for cycle in cycles:
            if cycle.unseeded:
                way = " → ".join(cycle.unseeded)
                error = CycleError(f"these are built with each other, and none of them is a seed: {way}")
                for member in cycle.members:
                    self.fail(member, error)
        for name, gone in vanished_needs(self.graph, self.nodes, self.gathered.selected).items():
            missed = ", ".join(gone)
            self.fail(name, RecipeVanishedError(f"{name} is built with {missed}, whose recipe is gone or unreadable"))
        for name in sorted(self.gathered.selected - self.ends.keys()):
            problem = self.node(name).problem
            if problem is not None:
                self._failed(name, problem.error, problem.exit_code, problem.message)

    # --- one node -------------------------------------------------------------------------------------------------

    def _turn(self, name: str) -> None:
        """Decide what becomes of a node, now that everything that it needs has ended well."""
        if self.held_back(name):
            return
        node, known = self.node(name), self.nodes.get(name)
        fields = self.key(node, self.results)
        if fields is not None and known is not None and not self.options.force:
            if self.counts(name, fields):
                self.unchanged(name)
                return
            failure = self.remembered(name)
            if failure is not None and failure.build_key == fields.key:
                self._failed(name, failure.error, failure.exit_code, failure.again)
                return
        inputs, force = self.inputs(node, self.results), self.options.force
        work = partial(build_node, self.rt, node, name, inputs, force=force, failure=self.remembered(name))
        self.hand_over(name, node, work, self.graph.edges[name])

    def counts(self, name: str, fields: KeyFields | None) -> bool:
        """Return whether the known result of a node is what a build with these fields of the key gives, and may be.

        What read upstream's files may not be where the policy is that nothing does: the build says which these are.
        """
        known = self.nodes.get(name)
        if known is None or fields is None or known.build_key != fields.key or not known.files:
            return False  # a result without files is none: upstream's would take their place, unseen
        return self.gathered.policy != "rebuilt-only" or not upstreams(self.node(name), fields)

    def remembered(self, name: str) -> Failure | None:
        """Return the failure that is not to be repeated for its key."""
        known = self.nodes.get(name)
        failure = known.failure if known is not None else None
        if failure is None or self.options.retry_failed or self.options.force:
            return None
        # Even what follows from the inputs can be luck (a test under load, say): now and then it is tried again.
        return failure if failure.on > _days_ago(_RETRY_DAYS) else None

    def held_back(self, name: str) -> bool:
        """End a node without starting it where the run stops at the first failure; return whether it was."""
        if self.stopped:
            self.end(NodeEnd(id=name, state="blocked", message="not started: the run stops at the first failure"))
        return self.stopped

    def unchanged(self, name: str) -> None:
        """End a node whose result is known."""
        files = self.nodes[name].files
        self.results[name] = files
        self.end(NodeEnd(id=name, state="unchanged", message=", ".join(file.filename for file in files)))

    def node_ended(self, done: Done) -> None:
        """Take in what came of the work for a node."""
        end = done.end
        if done.outcome is not None:
            end = self.took(end, done.outcome)
        elif end.state == "failed":
            self.remember_failure(end.id, end, done)
        self.end(end)

    def key(self, node: Node, results: Mapping[str, tuple[OutcomeFile, ...]]) -> KeyFields | None:
        """Return the fields of a node's build key with these results; None where not all of it is known yet."""
        image, source = self.gathered.images.get(node.image), self.sources.get(node.source)
        if image is None or source is None:
            return None
        ecosystem = self.rt.ecosystem(node.package.ecosystem)
        return key_of(node, self.graph, Results(results), source, image, ecosystem, self.gathered.policy)

    def inputs(self, node: Node, files: Mapping[str, tuple[OutcomeFile, ...]]) -> Inputs:
        """Return what a build of `node` reads, as it is known at this moment."""
        # Copied: a thread must not see what comes later.
        results = {name: files[name] for name in self.graph.edges[node.id] if name in files}
        keys = {name: self.nodes[name].build_key for name in results}
        return Inputs(provider_for(self.graph, node, Results(results, keys=keys)), self.gathered.policy)

    def took(self, end: NodeEnd, outcome: Outcome) -> NodeEnd:
        """Make an outcome the one that counts for the node of `end`; return the end with what is to be said of it."""
        name = end.id
        node, before, moment = self.node(name), self.nodes.get(name), now()
        same = before is not None and _bytes(before.files) == _bytes(outcome.files)
        kept = before if before is not None and same and outcome.reused else None
        self.nodes[name] = NodeState(
            fields=outcome.fields,
            build_key=outcome.build_key,
            files=outcome.files,
            share=outcome.share,
            needs=tuple(self.graph.edges[name]),
            names=node.names,
            seconds=outcome.seconds,
            # Of a result that was only found again nobody knows here when it was made: it is the first to be verified.
            built_on=kept.built_on if kept else "" if outcome.reused else moment,
            verified_on=kept.verified_on if kept else "" if outcome.reused else moment,
            # Built again to the same bytes: that is what a drift said it does not do.
            verdict=("reproduced" if not outcome.reused and before.verdict else before.verdict)
            if before is not None and same
            else "",
            stage=outcome.stage,
            seeds=outcome.seeds,
        )
        self.sources[node.source] = SourceFacts(tree=outcome.fields.source_tree, epoch=outcome.fields.source_epoch)
        self.results[name] = outcome.files
        self._dirty = True
        if same and not outcome.reused:
            return end.model_copy(update={"message": f"{end.message}: the bytes that it had; nothing follows from it"})
        return end

    def changed(self, name: str, **update: object) -> None:
        """Note something else about a node."""
        self.nodes[name] = (self.nodes.get(name) or NodeState()).model_copy(update=update)
        self._dirty = True

    def remember_failure(self, name: str, end: NodeEnd, done: Done) -> None:
        """Note a failure that trying again does not change, so that it is not tried again for the same key."""
        known, kind, build_key = self.nodes.get(name), registry().get(end.exit_code), done.build_key
        if done.source is not None:
            # Without it, nobody could tell beforehand that the key is still the one that failed.
            self.sources[self.node(name).source], self._dirty = done.source, True
        if known is not None and known.failure is not None and known.failure.build_key == build_key:
            return
        if build_key and kind is not None and kind.follows_from_key and end.error == kind.__name__:
            failure = Failure(
                build_key=build_key, error=end.error, exit_code=end.exit_code, message=end.message, on=now()
            )
            self.changed(name, failure=failure)

    def fail(self, name: str, error: FarmError) -> None:
        """End a node that cannot be built."""
        if name not in self.ends:
            self._failed(name, type(error).__name__, error.exit_code, error.message)

    def _failed(self, name: str, error: str, exit_code: int, message: str) -> None:
        self.end(NodeEnd(id=name, state="failed", message=message, error=error, exit_code=exit_code), ran=False)

    def end(self, end: NodeEnd, *, ran: bool = True) -> None:
        """Note the end of a node, and of everything that cannot be built for it."""
        well = end.state in _WELL
        self.ends[end.id] = end
        if end.state == "blocked" or not ran:
            self._show(end)
        if not well and not self.options.keep_going:
            self.stopped = True
        self.block(self.board.ended(end.id, well=well), f"it needs {end.id}, which {_WORDS.get(end.state, 'failed')}")

    def block(self, names: Iterable[str], why: str) -> None:
        """End the nodes among `names`, which can never start."""
        for name in names:
            # What has a problem of its own is told of that, in `_refuse`.
            if name in self.gathered.selected and name not in self.ends and self.node(name).problem is None:
                self.ends[name] = NodeEnd(id=name, state="blocked", message=why)
                self._show(self.ends[name])

    def _show(self, end: NodeEnd) -> None:
        """Let the executor show an end that takes no work."""
        self._shown.add(end.id)
        self.hand_over(end.id, self.node(end.id), lambda: Done(end), self.graph.edges[end.id])

    def node(self, name: str) -> Node:
        """Return a node."""
        return self.graph.catalog.nodes[name]


def _days_ago(days: int) -> str:
    return (datetime.now(UTC) - timedelta(days=days)).strftime("%Y-%m-%dT%H:%M:%SZ")


_WORDS: Final = {"blocked": "is blocked", "drifted": "drifted"}


def _bytes(files: Iterable[OutcomeFile]) -> list[tuple[str, str]]:
    return [(file.filename, file.blob.sha256) for file in files]
