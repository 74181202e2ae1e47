from __future__ import annotations

import threading

import pytest
import structlog

from farm.catalog.night import NodeEnd, NodeRun
from farm.catalog.threads import ThreadExecutor
from farm.errors import LockStaleError


def _node(name: str, *needs: str) -> NodeRun:
    return NodeRun(id=f"python/{name}@1:t", ecosystem="python", package=f"python/{name}", needs=needs)


def _built(node: NodeRun) -> NodeEnd:
    return NodeEnd(id=node.id, state="built", seconds=1.0)


def test_nodes_run_side_by_side_and_come_back_as_they_end() -> None:
    first, second = _node("a"), _node("b")
    both = threading.Barrier(2, timeout=10)

    def meet(node: NodeRun) -> NodeEnd:
        both.wait()
        return _built(node)

    with ThreadExecutor(2) as threads:
        threads.start(first, lambda: meet(first))
        threads.start(second, lambda: meet(second))
        ends = threads.wait()
        if len(ends) < 2:
            ends += threads.wait()
        with pytest.raises(RuntimeError, match="none is running"):
            threads.wait()
    assert {end.id for end in ends} == {first.id, second.id}


def test_an_error_that_leaves_the_work_is_the_failure_of_its_node_alone() -> None:
    stale, defect = _node("stale"), _node("defect")

    def refuse() -> NodeEnd:
        raise LockStaleError("the lock is stale\nand more")

    def break_() -> NodeEnd:
        raise ZeroDivisionError("oh")

    with ThreadExecutor(1) as threads, structlog.testing.capture_logs() as lines:
        threads.start(stale, refuse)
        (end,) = threads.wait()
        assert (end.state, end.error, end.exit_code, end.message) == (
            "failed",
            "LockStaleError",
            31,
            "the lock is stale",
        )
        threads.start(defect, break_)
        (end,) = threads.wait()
    assert (end.state, end.error, end.exit_code, end.message) == (
        "failed",
        "ZeroDivisionError",
        1,
        "ZeroDivisionError: oh",
    )
    assert [line["package"] for line in lines if line["log_level"] == "error"] == [defect.shown]


def test_lines_logged_by_a_node_carry_its_name() -> None:
    node = _node("a")
    seen: list[dict[str, object]] = []

    def work() -> NodeEnd:
        seen.append(structlog.contextvars.get_contextvars())
        return _built(node)

    with ThreadExecutor(1) as threads:
        threads.start(node, work)
        threads.wait()
    assert seen == [{"package": node.id}]


def test_what_has_not_begun_does_not_begin_after_the_end() -> None:
    begun: list[str] = []
    go = threading.Event()

    def slow() -> NodeEnd:
        go.wait(10)
        return _built(_node("slow"))

    def never() -> NodeEnd:
        begun.append("never")
        return _built(_node("never"))

    def interrupted() -> None:
        with ThreadExecutor(1) as threads:
            threads.start(_node("slow"), slow)
            threads.start(_node("never"), never)
            threading.Timer(0.1, go.set).start()
            raise KeyboardInterrupt

    with pytest.raises(KeyboardInterrupt):
        interrupted()
    assert begun == []
