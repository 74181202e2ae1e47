"""A rebuild of the catalog from its beginning to its report."""

from __future__ import annotations

import os
import threading
from contextlib import ExitStack, contextmanager, suppress
from datetime import UTC, datetime
from typing import TYPE_CHECKING, Final

import psutil
from pydantic import ValidationError

from farm import log
from farm.catalog.after import check_published, due, reverify, still_drifted
from farm.catalog.board import Capacity
from farm.catalog.engine import Engine, Gathered
from farm.catalog.finding import find
from farm.catalog.graph import make_graph
from farm.catalog.load import load_catalog
from farm.catalog.report import make_report
from farm.catalog.room import needing_room
from farm.catalog.seen import look_upstream
from farm.catalog.state import load_state, save_state
from farm.catalog.verdicts import with_signed_verdicts
from farm.catalog.vouch import entries
from farm.catalog.work import now
from farm.errors import (
    CatalogFailedError,
    FarmError,
    ImageMissingError,
    PublisherBusyError,
    RebuildBusyError,
    RecipeNotFoundError,
    RecipePresentError,
    VerificationError,
)
from farm.pipeline.linking import forget_current
from farm.pipeline.snapshots import last_signed, publish_catalog
from farm.repository.lease import publisher_lease

if TYPE_CHECKING:
    from collections.abc import Callable, Iterable, Iterator

    from farm.catalog.graph import Graph
    from farm.catalog.night import Executor, NightOptions, NightReport
    from farm.config import Settings
    from farm.model.catalog import CatalogEntry
    from farm.pipeline.runtime import Runtime

__all__ = ["capacity", "gather", "image_digests", "run_night", "select"]

_LEASE: Final = "leases/rebuild.json"
_RENEW_SECONDS: Final = 60.0
"""Between two looks at the lease: many of them fit into its life."""
_MIB: Final = 1024 * 1024

_log = log.get(__name__)


def run_night(rt: Runtime, options: NightOptions, executor: Executor, *, run_id: str) -> NightReport:
    """Rebuild what changed, in the order of needs.

    Args:
        rt: the means of the steps.
        options: what to do.
        executor: runs the nodes.
        run_id: names this rebuild.

    Returns:
        The report; failures of single nodes are in it.

    Raises:
        RebuildBusyError: another rebuild of this catalog is at work.
        RecipeNotFoundError: `only` names what the catalog does not have.
        FarmError: nothing could be begun (the store is away), or the run had to stop; what was finished is kept.
    """
    started = now()
    with needing_room(), _rebuild_lease(rt) as alive:
        engine = Engine(rt, gather(rt, options), options, executor, alive)
        engine.run()
        if not engine.stopped:
            check_published(engine)
        if options.reverify and not engine.stopped:
            reverify(engine, due(engine, rt.settings.catalog.reverify_days, datetime.now(UTC).date()))
        still_drifted(engine)
        if options.watch:
            engine.notes.extend(look_upstream(rt, engine))
        return make_report(rt, engine, options, started=started, run_id=run_id, snapshot=_vouch(rt, engine, options))


def _vouch(rt: Runtime, engine: Engine, options: NightOptions) -> str:
    """Publish the signed snapshot after a run over the whole catalog; return its number and digest."""
    if options.only:
        return ""
    try:
        provenances = {file.blob.sha256: file.provenance for known in engine.nodes.values() for file in known.files}
        snapshot = publish_catalog(rt, _entries(engine), provenances)
    except FarmError as error:
        # What was built is published and verifies one by one; that nobody vouches for the whole is told, loudly.
        _log.error("no snapshot", error=type(error).__name__, reason=error.message)
        engine.warnings.append(f"no signed snapshot of the catalog: {error.message}")
        return ""
    return f"{snapshot.sequence}, sha256 {snapshot.fingerprint()}"


def _entries(engine: Engine) -> tuple[CatalogEntry, ...]:
    """Return what the snapshot is to say.

    Raises:
        VerificationError: the record of the catalog's state says what no rebuild writes.
    """
    try:
        return tuple(entries(engine.graph.catalog, engine.nodes))
    except ValidationError as error:
        first = error.errors(include_url=False, include_input=False)[0]
        where = ".".join(map(str, first["loc"]))
        raise VerificationError(
            f"the state of the catalog in the vault is not what a rebuild writes: {where}: {first['msg']}",
            remedy="Somebody may have written to the vault's bucket: find out who. Without the record"
            " `catalog/state` the next rebuild finds the results again.",
        ) from error


def gather(rt: Runtime, options: NightOptions) -> Gathered:
    """Read everything that a run starts from: recipes, locks, images, and the state in one request.

    Raises:
        StoreUnavailableError, DockerUnavailableError, RecipeNotFoundError.
    """
    warnings: list[str] = []
    state = load_state(rt.vault, warnings.append)
    snapshot = None
    try:
        snapshot = last_signed(rt)
    except FarmError as error:
        warnings.append(f"what earlier nights verified is not known: {error.message}")
    if snapshot is not None and snapshot.entries and not state.nodes and not warnings:
        warnings.append("the record of the catalog's state is gone, and is made anew")
    state = state.model_copy(update={"nodes": with_signed_verdicts(state.nodes, snapshot)})
    graph = make_graph(load_catalog(rt.settings))
    return Gathered(
        graph=graph,
        state=state,
        selected=frozenset(select(graph, options.only)),
        images=image_digests(rt, {node.image for node in graph.catalog.nodes.values()}),
        policy=options.inputs or rt.settings.policy.inputs,
        capacity=capacity(rt.settings),
        warnings=tuple(warnings),
    )


def select(graph: Graph, only: Iterable[str]) -> set[str]:
    """Return the nodes that references mean, with everything that they need; all nodes for no reference.

    Raises:
        RecipeNotFoundError: one means nothing.
    """
    wanted = tuple(only)
    if not wanted:
        return set(graph.catalog.nodes)
    starts: set[str] = set()
    for reference in wanted:
        found = graph.catalog.find(reference)
        broken = graph.catalog.broken.get(reference)
        if broken is not None:
            raise RecipeNotFoundError(f"the recipe {reference} cannot be read: {broken.message}")
        if not found:
            raise RecipeNotFoundError(f"the catalog has no {reference}")
        starts.update(node.id for node in found)
    return graph.needed(starts)


def image_digests(rt: Runtime, names: Iterable[str]) -> dict[str, str]:
    """Return the digests of builder images, by name; those that are not on this host are left out."""
    found: dict[str, str] = {}
    for name in sorted(names):
        try:
            found[name] = rt.image(name).digest
        except ImageMissingError:
            _log.warning("a builder image is missing on this host", image=name)
    return found


def capacity(settings: Settings) -> Capacity:
    """Return what this host has for builds: as it is set, else its processors and three quarters of its memory."""
    cpus = settings.catalog.cpus or float(len(os.sched_getaffinity(0)))
    memory = settings.catalog.memory_mb or int(psutil.virtual_memory().total * 0.75) // _MIB
    return Capacity(cpus, memory)


@contextmanager
def _rebuild_lease(rt: Runtime) -> Iterator[Callable[[], None]]:
    """Be the one rebuild at work; give what makes sure that it still is.

    The lease is renewed beside the work: a single build can take longer than it lasts.
    """
    with ExitStack() as stack:
        held = publisher_lease(rt.repository, _LEASE, rt.settings.run_dir, wait=0.0, lock_name="rebuild")
        try:
            lease = stack.enter_context(held)
        except PublisherBusyError as error:
            raise RebuildBusyError("another rebuild of this catalog is at work") from error

        def check() -> None:
            try:
                lease.check()
            except PublisherBusyError as error:
                msg = "this rebuild stops: another one took its place; what was finished is kept"
                raise CatalogFailedError(msg) from error

        over = threading.Event()

        def renew() -> None:
            while not over.wait(_RENEW_SECONDS):
                # Whether it is lost, or the store away for longer than it lasts, the next `check` says.
                with suppress(FarmError):
                    lease.check()

        renewing = threading.Thread(target=renew, name="rebuild-lease", daemon=True)
        renewing.start()
        stack.callback(renewing.join)  # before the lease is given back, or it would be written once more after that
        stack.callback(over.set)
        yield check


def forget(rt: Runtime, reference: str) -> tuple[str, ...]:
    """Forget the results of a package whose recipe is gone on purpose: nothing is built with them any more.

    What is published stays published.

    Returns:
        The nodes that were forgotten.

    Raises:
        RecipeNotFoundError: nothing is known by that name.
        RecipePresentError: its recipe is there.
        RebuildBusyError: a rebuild is at work, which would write the results down again.
    """
    with _rebuild_lease(rt):
        state = load_state(rt.vault)
        graph = make_graph(load_catalog(rt.settings))
        meant = find(graph, state.nodes, (reference,))
        if there := sorted(meant.nodes & graph.catalog.nodes.keys()) or sorted(meant.broken):
            raise RecipePresentError(f"{there[0]} has a recipe")
        left = {name: found for name, found in state.nodes.items() if name not in meant.nodes}
        for name in sorted(meant.nodes):
            place, _, target = name.rpartition(":")
            package, _, version = place.rpartition("@")
            ecosystem, _, own = package.partition("/")
            forget_current(rt.vault, ecosystem, {own, *state.nodes[name].names}, version, target)
        save_state(rt.vault, state.model_copy(update={"nodes": left}))
    return tuple(sorted(meant.nodes))
