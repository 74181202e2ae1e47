"""What is done for one node: the steps of a build, with the patience that a night needs, and how it ended."""

from __future__ import annotations

import time
import uuid
from dataclasses import dataclass
from typing import TYPE_CHECKING, Any, Final, TypeVar

from farm import log
from farm.catalog.night import NodeEnd
from farm.catalog.room import needing_room
from farm.catalog.state import SourceFacts
from farm.errors import BuildFailedError, FarmError, registry
from farm.model.source import SourceSnapshot
from farm.pipeline.chain import Inputs, build_package, release_package, reproduce_package
from farm.pipeline.identity import RunIdentity, now
from farm.pipeline.key import key_fields
from farm.pipeline.telling import describe

if TYPE_CHECKING:
    from collections.abc import Callable, Mapping

    from farm.catalog.nodes import Node
    from farm.catalog.state import Failure
    from farm.model.outcome import Outcome
    from farm.pipeline.runtime import Runtime

__all__ = ["Done", "build_node", "now", "release_node", "reproduce_node"]

T = TypeVar("T")

_RETRY_SECONDS: Final = (1.0, 5.0, 15.0)
"""Before each further try of a step whose infrastructure failed."""

_log = log.get(__name__)


@dataclass
class Done:
    """What came of the work for one node."""

    end: NodeEnd
    outcome: Outcome | None = None
    build_key: str = ""
    """Known from the moment that the job is open; a failure after that belongs to it."""
    source: SourceFacts | None = None
    """What the pin gave, where it came so far."""


@dataclass
class _Steps:
    """Runs the steps of one chain (`farm.pipeline.chain.Call`): tries again what can pass, and says what came out."""

    rt: Runtime
    about: str
    wait: Callable[[float], None] = time.sleep
    failure: Failure | None = None
    build_key: str = ""
    _proven: SourceSnapshot | None = None

    def __call__(self, name: str, step: Callable[..., T], /, *values: Any) -> T:
        self._settle_key(name, values)
        for seconds in (*_RETRY_SECONDS, None):
            try:
                with log.about(self.about, step=name), needing_room():
                    result = step(self.rt, *values)
                    _log.info(describe(name, result) or "done")
            except FarmError as error:
                if not error.infrastructure or seconds is None:
                    raise
                _log.warning("trying again", step=name, seconds=seconds, reason=error.message)
                self.wait(seconds)
                continue
            if isinstance(result, SourceSnapshot):
                self._proven = result
            return result
        raise AssertionError(name)  # pragma: no cover - the last try returns or raises

    def _settle_key(self, name: str, values: tuple[Any, ...]) -> None:
        """Work out the key before anything is fetched or run for it; stop where it is known to fail."""
        if name != "inputs" or self._proven is None:
            return
        plan, linked = values
        self.build_key = key_fields(plan, self._proven, self.rt.image(plan.build.image), linked).key
        if self.failure is not None and self.failure.build_key == self.build_key:
            raise registry().get(self.failure.exit_code, BuildFailedError)(self.failure.again)

    @property
    def source(self) -> SourceFacts | None:
        """What the pin gave; None while it is not fetched."""
        proven = self._proven
        return SourceFacts(tree=proven.tree_digest, epoch=proven.epoch) if proven is not None else None


def build_node(
    rt: Runtime, node: Node, name: str, inputs: Inputs, *, force: bool = False, failure: Failure | None = None
) -> Done:
    """Build (or find) the result of a node.

    Args:
        rt: the means.
        node: the node.
        name: what the end is to be called.
        inputs: results that stand in for what is locked.
        force: build although the key is known.
        failure: is not repeated for its key.
    """

    def work(call: _Steps) -> tuple[NodeEnd, Outcome]:
        outcome = build_package(node.reference, run=_run(), call=call, force=force, image=node.image, inputs=inputs)
        state = "unchanged" if outcome.reused else "built"
        return NodeEnd(id=name, state=state, message=_files(outcome)), outcome

    return _done(rt, node, name, work, failure)


def release_node(rt: Runtime, node: Node, outcome: Outcome, inputs: Inputs) -> Done:
    """Publish the last result of a cycle's bootstrap."""

    def work(call: _Steps) -> tuple[NodeEnd, Outcome]:
        found = release_package(node.reference, outcome, run=_run(), call=call, image=node.image, inputs=inputs)
        state = "unchanged" if found.reused else "built"
        return NodeEnd(id=node.id, state=state, message=_files(found)), found

    return _done(rt, node, node.id, work)


def reproduce_node(rt: Runtime, node: Node, name: str, published: Mapping[str, str], inputs: Inputs) -> Done:
    """Build a node from nothing and compare with what is published (file name → SHA-256)."""

    def work(call: _Steps) -> tuple[NodeEnd, None]:
        found = reproduce_package(node.reference, published, run=_run(), call=call, image=node.image, inputs=inputs)
        message = "; ".join(found.differences) or "rebuilt from nothing: the bytes agree"
        return NodeEnd(id=name, state="reproduced" if found.same else "drifted", message=message), None

    return _done(rt, node, name, work)


def _run() -> RunIdentity:
    return RunIdentity.new(str(uuid.uuid4()))


def _done(
    rt: Runtime,
    node: Node,
    name: str,
    work: Callable[[_Steps], tuple[NodeEnd, Outcome | None]],
    failure: Failure | None = None,
) -> Done:
    call, began = _Steps(rt, node.reference, failure=failure), time.monotonic()
    with log.about(node.reference):
        try:
            end, outcome = work(call)
        except FarmError as error:
            end = NodeEnd(
                id=name, state="failed", message=error.message, error=type(error).__name__, exit_code=error.exit_code
            )
            _log.error(error.message, error=end.error, remedy=error.remedy)
            outcome = None
    end = end.model_copy(update={"seconds": round(time.monotonic() - began, 3)})
    return Done(end, outcome, call.build_key, call.source)


def _files(outcome: Outcome) -> str:
    return ", ".join(file.filename for file in outcome.files)
