"""The flow `rebuild_catalog` over nights that the test chooses, by the name of what is to be rebuilt."""

from __future__ import annotations

import time
from typing import TYPE_CHECKING

from farm import log
from farm.catalog import rebuild
from farm.catalog.night import NightReport, NodeEnd, NodeRun
from farm.errors import BuildFailedError, CatalogFailedError, StoreUnavailableError
from farm.flows.rebuild import rebuild_catalog

if TYPE_CHECKING:
    from collections.abc import Callable
    from pathlib import Path

    from farm.catalog.night import Executor, NightOptions, NodeState
    from farm.pipeline.runtime import Runtime

__all__ = ["rebuild_catalog"]

_logger = log.get(__name__)
_TARGET = ":py3-any"


def _node(name: str, *needs: str) -> NodeRun:
    shown = f"python/{name}@1.0"
    return NodeRun(
        id=shown + _TARGET,
        ecosystem="python",
        package=f"python/{name}",
        needs=tuple(f"python/{need}@1.0{_TARGET}" for need in needs),
        title=shown,
    )


def _ends(node: NodeRun, state: NodeState, message: str = "") -> Callable[[], NodeEnd]:
    def work() -> NodeEnd:
        _logger.info("a node at work", of=node.shown)
        error = BuildFailedError if state == "failed" else None
        return NodeEnd(
            id=node.id,
            state=state,
            seconds=1.5,
            message=message,
            error=error.__name__ if error else "",
            exit_code=error.exit_code if error else 0,
        )

    return work


def _defect() -> NodeEnd:
    raise ZeroDivisionError("a defect of farm")


def _until(node: NodeRun, file: Path) -> Callable[[], NodeEnd]:
    def work() -> NodeEnd:
        while not file.exists():
            time.sleep(0.1)
        return NodeEnd(id=node.id, state="built")

    return work


def run_night(rt: Runtime, options: NightOptions, executor: Executor, *, run_id: str) -> NightReport:
    mode = options.only[0] if options.only else "good"
    if mode == "away":
        raise StoreUnavailableError("the store is away")
    ends: list[NodeEnd] = []

    def run(node: NodeRun, work: Callable[[], NodeEnd]) -> None:
        executor.start(node, work)
        ends.extend(executor.wait())

    base = _node("base")
    if mode.startswith("until"):
        run(base, _until(base, rt.settings.data / mode))
    else:
        run(base, _ends(base, "built"))
    if mode == "bad":
        broken, above, over, drifted, defect = (
            _node("broken", "base"),
            _node("above", "broken"),
            _node("over", "above", "base"),
            _node("drifted"),
            _node("defect"),
        )
        run(broken, _ends(broken, "failed", "the build command failed"))
        run(above, _ends(above, "blocked", "python/broken@1.0 failed"))
        run(over, _ends(over, "blocked", "python/broken@1.0 failed"))
        run(drifted, _ends(drifted, "drifted", "other bytes than published"))
        run(defect, _defect)
    counts: dict[str, int] = {}
    for end in ends:
        counts[end.state] = counts.get(end.state, 0) + 1
    path = rt.settings.data / f"report-{run_id}.md"
    path.write_text("# Night\n")
    return NightReport(
        ended_with=0 if set(counts) == {"built"} else CatalogFailedError.exit_code,
        nodes=tuple(ends),
        markdown=f"# Night\n\n{len(ends)} packages\n",
        path=str(path),
        counts=counts,
        started_on="2026-01-01T00:00:00Z",
        finished_on="2026-01-01T00:00:01Z",
    )


rebuild.run_night = run_night
