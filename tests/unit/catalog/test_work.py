"""What is done for one node: the patience with an infrastructure, and what is known of a failure."""

from __future__ import annotations

import errno
from pathlib import Path
from types import SimpleNamespace
from typing import TYPE_CHECKING, Any

import pytest

from farm.catalog import work
from farm.catalog.state import Failure
from farm.catalog.work import build_node, release_node, reproduce_node
from farm.errors import BuildFailedError, DiskFullError, DockerUnavailableError, StoreUnavailableError
from farm.model.evidence import JobRecord
from farm.model.lock import LinkedLock, Lock
from farm.pipeline.chain import PUBLISHED, Reproduction
from farm.pipeline.key import key_fields
from tests.fixtures_nodes import digest, file_of, node_of, outcome_of, wheel

if TYPE_CHECKING:
    from collections.abc import Callable

    from farm.model.outcome import Outcome

RECORD = JobRecord.model_validate_json(
    (Path(__file__).resolve().parents[2] / "data" / "trust" / "job.json").read_bytes()
)
LOCK = Lock(package="python/demo-pkg@1.0", target="t", image="i", basis=digest("b"), requirements={}, files=())
LINKED = LinkedLock.plain(LOCK)
FIELDS = key_fields(RECORD.plan, RECORD.snapshot, RECORD.image, LINKED)
OUTCOME = outcome_of(FIELDS, [file_of(wheel("demo-pkg"), "content")])
RT: Any = SimpleNamespace(image=lambda _: RECORD.image)
NODE = node_of("demo-pkg")


@pytest.fixture
def waited(monkeypatch: pytest.MonkeyPatch) -> list[float]:
    """Give what was waited for before a step was tried again; nothing really waits."""
    found: list[float] = []
    real = work._Steps

    def steps(rt: Any, about: str, **more: Any) -> Any:
        return real(rt, about, wait=found.append, **more)

    monkeypatch.setattr(work, "_Steps", steps)
    return found


def chain(monkeypatch: pytest.MonkeyPatch, build: Callable[[Any], Any], name: str = "build_package") -> list[Any]:
    """Let the chain be: source, inputs, build."""
    seen: list[Any] = []

    def run(*values: Any, call: Any, **more: Any) -> Any:
        seen.append((values, more))
        call("source", lambda _: RECORD.snapshot)
        call("inputs", lambda *_: "inputs", RECORD.plan, LINKED)
        return call("build", build)

    monkeypatch.setattr(work, name, run)
    return seen


def failing(*errors: Exception) -> Callable[[Any], Outcome]:
    left = list(errors)

    def build(_: Any) -> Outcome:
        if left:
            raise left.pop(0)
        return OUTCOME

    return build


def test_an_infrastructure_that_comes_back_is_waited_for(monkeypatch: pytest.MonkeyPatch, waited: list[float]) -> None:
    chain(monkeypatch, failing(StoreUnavailableError("away"), DockerUnavailableError("away")))
    done = build_node(RT, NODE, "unit", PUBLISHED)
    assert (done.end.id, done.end.state, done.end.message) == ("unit", "built", wheel("demo-pkg"))
    assert done.outcome == OUTCOME
    assert waited == [1.0, 5.0]


def test_one_that_stays_away_is_the_end_of_the_node(monkeypatch: pytest.MonkeyPatch, waited: list[float]) -> None:
    chain(monkeypatch, failing(*(StoreUnavailableError(f"away {n}") for n in range(9))))
    done = build_node(RT, NODE, "unit", PUBLISHED)
    assert (done.end.state, done.end.error, done.end.exit_code) == ("failed", "StoreUnavailableError", 80)
    assert done.end.message == "away 3"
    assert (done.outcome, waited) == (None, [1.0, 5.0, 15.0])


def test_what_trying_again_cannot_help_is_not_tried_again(monkeypatch: pytest.MonkeyPatch, waited: list[float]) -> None:
    chain(monkeypatch, failing(BuildFailedError("no compiler")))
    done = build_node(RT, NODE, "unit", PUBLISHED)
    assert (done.end.error, waited) == ("BuildFailedError", [])
    assert done.build_key == FIELDS.key  # to be remembered for it


def test_a_full_disk_is_named(monkeypatch: pytest.MonkeyPatch, waited: list[float]) -> None:
    full = [OSError(errno.ENOSPC, "No space left on device", "/somewhere/file") for _ in range(4)]
    chain(monkeypatch, failing(*full))
    done = build_node(RT, NODE, "unit", PUBLISHED)
    assert (done.end.error, done.end.exit_code) == ("DiskFullError", DiskFullError.exit_code)
    assert "/somewhere/file" in done.end.message
    assert len(waited) == 3


def test_a_defect_is_not_dressed_up(monkeypatch: pytest.MonkeyPatch, waited: list[float]) -> None:
    chain(monkeypatch, failing(OSError(errno.EACCES, "Permission denied")))
    with pytest.raises(PermissionError):
        build_node(RT, NODE, "unit", PUBLISHED)
    assert waited == []


def test_a_remembered_failure_stops_before_anything_is_fetched(
    monkeypatch: pytest.MonkeyPatch, waited: list[float]
) -> None:
    chain(monkeypatch, failing())
    failure = Failure(build_key=FIELDS.key, error="BuildFailedError", exit_code=41, message="no compiler", on="2026")
    done = build_node(RT, NODE, "unit", PUBLISHED, failure=failure)
    assert (done.end.state, done.end.error) == ("failed", "BuildFailedError")
    assert done.end.message == "failed on 2026 with the same inputs: no compiler"
    other = failure.model_copy(update={"build_key": digest("another key")})
    assert build_node(RT, NODE, "unit", PUBLISHED, failure=other).end.state == "built"
    assert waited == []


def test_a_known_result_is_unchanged(monkeypatch: pytest.MonkeyPatch) -> None:
    reused = OUTCOME.model_copy(update={"reused": True})
    seen = chain(monkeypatch, lambda _: reused)
    assert build_node(RT, NODE, "unit", PUBLISHED).end.state == "unchanged"
    ((values, more),) = seen
    assert values == ("python/demo-pkg@1.0",)
    assert (more["image"], more["force"], more["inputs"]) == (NODE.image, False, PUBLISHED)


def test_what_is_released_is_the_node_itself(monkeypatch: pytest.MonkeyPatch) -> None:
    chain(monkeypatch, failing(), "release_package")
    done = release_node(RT, NODE, OUTCOME, PUBLISHED)
    assert (done.end.id, done.end.state, done.outcome) == (NODE.id, "built", OUTCOME)


@pytest.mark.parametrize(
    ("found", "state", "message"),
    [
        (Reproduction(same=True, differences=()), "reproduced", "rebuilt from nothing: the bytes agree"),
        (Reproduction(same=False, differences=("a: 1 before, 2 now",)), "drifted", "a: 1 before, 2 now"),
    ],
)
def test_what_a_build_from_nothing_says(
    monkeypatch: pytest.MonkeyPatch, found: Reproduction, state: str, message: str
) -> None:
    chain(monkeypatch, lambda _: found, "reproduce_package")
    done = reproduce_node(RT, NODE, "unit", {}, PUBLISHED)
    assert (done.end.id, done.end.state, done.end.message, done.outcome) == ("unit", state, message, None)
