from __future__ import annotations

from farm.catalog.night import NightReport, NodeEnd, NodeState
from farm.flows import tables
from farm.flows.nodes import as_state


def _end(name: str, state: NodeState, message: str = "", error: str = "", code: int = 0) -> NodeEnd:
    return NodeEnd(id=f"python/{name}@1:t", state=state, seconds=1.25, message=message, error=error, exit_code=code)


def _report(*ends: NodeEnd) -> NightReport:
    return NightReport(ended_with=0, nodes=ends, markdown="", path="", counts={}, started_on="", finished_on="")


def test_what_needs_attention_comes_first() -> None:
    report = _report(
        _end("a", "unchanged"), _end("b", "built"), _end("c", "failed", "\x1b[2Jwhy"), _end("d", "blocked")
    )
    rows = tables.nodes(report)
    assert [row["state"] for row in rows] == ["failed", "blocked", "built", "unchanged"]
    assert rows[0] == {"package": "python/c@1:t", "state": "failed", "seconds": 1.2, "message": "why"}


def test_the_unchanged_of_a_large_catalog_are_left_out() -> None:
    ends = [_end(str(number), "unchanged") for number in range(2000)]
    assert [row["state"] for row in tables.nodes(_report(_end("a", "failed"), *ends))] == ["failed"]


def test_failures_are_grouped_by_cause_the_most_frequent_first() -> None:
    report = _report(
        _end("a", "failed", "no network", "StoreUnavailableError", 80),
        _end("b", "failed", "error 1", "BuildFailedError", 41),
        _end("c", "blocked", "b failed"),
        _end("d", "failed", "error 2", "BuildFailedError", 41),
        _end("e", "drifted", "other bytes"),
    )
    rows = tables.failures(report)
    assert [(row["cause"], row["packages"]) for row in rows] == [
        ("BuildFailedError", 2),
        ("StoreUnavailableError", 1),
        ("drifted", 1),
    ]
    assert rows[0]["which"] == "python/b@1:t, python/d@1:t"
    assert rows[0]["first message"] == "error 1"


def test_a_cause_names_some_packages_of_many() -> None:
    (row,) = tables.failures(_report(*(_end(str(n), "failed", "x", "BuildFailedError", 41) for n in range(100))))
    assert row["packages"] == 100
    assert str(row["which"]).endswith(", …")
    assert len(str(row["which"])) < 600


def test_states_of_tasks_are_named_as_nodes_end() -> None:
    ends: tuple[NodeState, ...] = ("built", "unchanged", "reproduced", "blocked", "drifted")
    states = [as_state(_end("a", state, "why")) for state in ends]
    assert [state.name for state in states] == ["Built", "Unchanged", "Reproduced", "Blocked", "Drifted"]
    assert [state.is_completed() for state in states] == [True, True, True, False, False]
    assert all(state.is_final() for state in states)


def test_a_failed_node_says_class_code_and_remedy() -> None:
    state = as_state(_end("a", "failed", "the lock is stale", "LockStaleError", 31))
    assert state.is_failed()
    assert str(state.message).startswith("LockStaleError (exit code 31): the lock is stale\n→ Run `farm lock`")


def test_a_class_that_does_not_fit_its_code_is_not_believed() -> None:
    assert as_state(_end("a", "failed", "oh", "ZeroDivisionError", 1)).message == "oh"
    assert as_state(_end("a", "failed", "", "ZeroDivisionError", 1)).message == "ZeroDivisionError"
