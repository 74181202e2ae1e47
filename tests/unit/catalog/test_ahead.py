"""Sources that are fetched while their nodes still wait."""

from __future__ import annotations

import threading
from typing import TYPE_CHECKING

from farm.catalog.ahead import Ahead
from farm.errors import SourceUnavailableError
from tests.fixtures_nodes import FakeExecutor, nid, node_of, states

if TYPE_CHECKING:
    from farm.catalog.nodes import Node
    from tests.fixtures_nodes import World

FIRST, SECOND, THIRD = (node_of(name) for name in ("first", "second", "third"))


class Fetching:
    """Notes what it fetches; each fetch can be held up."""

    def __init__(self) -> None:
        self.begun: list[str] = []
        self.over: list[str] = []
        self.started = threading.Event()
        self.go_on = threading.Event()

    def __call__(self, node: Node) -> None:
        self.begun.append(node.package.name)
        self.started.set()
        assert self.go_on.wait(10)
        self.over.append(node.package.name)


def test_a_source_whose_node_is_due_is_waited_for_where_it_was_begun_and_left_where_it_was_not() -> None:
    fetching = Fetching()
    with Ahead(fetching) as ahead:
        ahead.begin([FIRST, SECOND, THIRD])
        assert fetching.started.wait(10)
        ahead.leave(SECOND)  # nobody waits for it: it was not begun
        waiting = threading.Thread(target=ahead.leave, args=[FIRST])
        waiting.start()
        assert not fetching.over
        fetching.go_on.set()
        waiting.join(10)
        assert fetching.over[:1] == ["first"]
        ahead.leave(THIRD)
    assert "second" not in fetching.begun


def test_what_was_not_begun_is_not_begun_at_the_end() -> None:
    fetching = Fetching()
    with Ahead(fetching) as ahead:
        ahead.begin([FIRST, SECOND])
        assert fetching.started.wait(10)
        threading.Timer(0.05, fetching.go_on.set).start()
    assert fetching.over == ["first"]


def test_a_source_that_two_targets_have_is_fetched_once() -> None:
    fetching = Fetching()
    fetching.go_on.set()
    with Ahead(fetching) as ahead:
        ahead.begin([FIRST, FIRST])
        assert fetching.started.wait(10)
        ahead.leave(FIRST)
    assert fetching.begun == ["first"]


def test_a_fetch_that_fails_is_left_to_the_node() -> None:
    def fail(node: Node) -> None:
        msg = f"no answer about {node.id}"
        raise SourceUnavailableError(msg)

    with Ahead(fail) as ahead:
        ahead.begin([FIRST])
        ahead.leave(FIRST)


def test_a_night_fetches_ahead_only_what_it_does_not_know(line: World) -> None:
    line.night()
    assert set(line.fetched) <= set(map(nid, line.packages))
    line.packages["base"].code = "2"
    executor = FakeExecutor()
    assert states(line.night(executor))["base"] == "built"
    assert line.fetched == []
