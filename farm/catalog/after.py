"""What is done when everything is built or known to be: reading what is published, building a share from nothing."""

from __future__ import annotations

import math
from concurrent.futures import ThreadPoolExecutor
from functools import partial
from typing import TYPE_CHECKING, Final

from farm import log
from farm.catalog.engine import Job
from farm.catalog.threads import ended_by
from farm.catalog.work import Done, build_node, now, reproduce_node
from farm.errors import VerificationError
from farm.model.base import sha256_bytes
from farm.pipeline.standing import fallen

if TYPE_CHECKING:
    from collections.abc import Iterable, Mapping
    from datetime import date

    from farm.catalog.board import Unit
    from farm.catalog.engine import Engine
    from farm.catalog.state import NodeState

__all__ = ["check_published", "due", "oldest", "reverify", "still_drifted"]

_READS: Final = 8
"""Published results that are read at the same time."""

_log = log.get(__name__)


def check_published(engine: Engine) -> None:
    """Read what is published of every unchanged node; what is not as it was is built, and published, again."""
    names = [name for name, end in engine.ends.items() if end.state == "unchanged" and name in engine.nodes]

    def check(name: str) -> str | VerificationError:
        try:
            return fallen(engine.rt, engine.node(name).package, engine.nodes[name].files)
        except VerificationError as error:
            return error

    with ThreadPoolExecutor(_READS) as pool:
        found = dict(zip(names, pool.map(check, names), strict=True))
    jobs: dict[str, tuple[Unit, Job]] = {}
    for name, what in found.items():
        if not what:
            continue
        if isinstance(what, VerificationError):
            # Nobody can publish beside a record that cannot be read, but that is this package's misfortune alone.
            engine.ends[name] = ended_by(what, name, 0.0)
            continue
        _log.warning("a known result does not count; building again", node=name, reason=what)
        engine.notes.append(f"{name}: {what}; built again")
        node, unit = engine.node(name), f"{name} (again)"
        work = partial(build_node, engine.rt, node, unit, engine.inputs(node, engine.results), force=True)
        begin = partial(engine.hand_over, unit, node, work, engine.graph.edges[name])
        jobs[unit] = (engine.unit(name, (), unit), Job(begin, partial(_mended, engine, name)))
    engine.put(jobs)
    engine.work_off()


def _mended(engine: Engine, name: str, done: Done) -> None:
    engine.board.ended(done.end.id, well=True)
    end, before = done.end.model_copy(update={"id": name}), engine.results.get(name, ())
    engine.ends[name] = engine.took(end, done.outcome) if done.outcome is not None else end
    if [file.blob for file in before] != [file.blob for file in engine.results.get(name, ())]:
        engine.notes.append(f"{name} came out with other bytes: what needs it is built in the next run")


def still_drifted(engine: Engine) -> None:
    """Call drifted what an earlier night found to give other bytes, and what nobody built anew since."""
    for name, end in list(engine.ends.items()):
        if end.state == "unchanged" and name in engine.nodes and engine.nodes[name].verdict == "drifted":
            message = "it gave other bytes when it was last built from nothing, and nothing changed since"
            engine.ends[name] = end.model_copy(update={"state": "drifted", "message": message})


def due(engine: Engine, days: int, today: date) -> tuple[str, ...]:
    """Return the nodes that are to be rebuilt from nothing in this night.

    Those whose turn it is, so that all come round within `days` nights whatever is remembered of them; those that were
    not verified for the longest time; and those that drifted.
    """
    among = [name for name, end in engine.ends.items() if end.state == "unchanged" and name in engine.nodes]
    turn = [name for name in among if int(sha256_bytes(name.encode())[:8], 16) % days == today.toordinal() % days]
    drifted = [name for name in among if engine.nodes[name].verdict == "drifted"]
    return tuple(sorted({*turn, *drifted, *oldest(engine.nodes, among, days)}))


def oldest(nodes: Mapping[str, NodeState], among: Iterable[str], days: int) -> tuple[str, ...]:
    """Return the share of `among` that is due to be rebuilt from nothing: all of them come round within `days` runs.

    Those come first that were not verified, or tried in vain, for the longest time.
    """
    due = sorted(among, key=lambda name: (max(nodes[name].verified_on, nodes[name].tried_on), name))
    return tuple(due[: math.ceil(len(due) / max(1, days))])


def reverify(engine: Engine, names: Iterable[str]) -> None:
    """Build nodes from nothing and compare with what is published of them. Nothing is published."""
    jobs: dict[str, tuple[Unit, Job]] = {}
    for name in names:
        node, unit = engine.node(name), f"{name} (from nothing)"
        published = {file.filename: file.blob.sha256 for file in engine.nodes[name].files}
        work = partial(reproduce_node, engine.rt, node, unit, published, engine.inputs(node, engine.results))
        begin = partial(engine.hand_over, unit, node, work, (name,))
        jobs[unit] = (engine.unit(name, (), unit), Job(begin, partial(_compared, engine, name)))
    engine.put(jobs)
    engine.work_off()


def _compared(engine: Engine, name: str, done: Done) -> None:
    engine.board.ended(done.end.id, well=True)
    end = done.end.model_copy(update={"id": name})
    if end.state in {"reproduced", "drifted"}:
        engine.changed(name, verified_on=now(), verdict=end.state)
    else:
        engine.changed(name, tried_on=now())
    engine.ends[name] = end
