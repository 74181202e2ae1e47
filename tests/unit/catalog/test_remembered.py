"""What a run keeps of a failure is enough to tell, before the next run, that it would fail the same way."""

from __future__ import annotations

from typing import Any

from farm.catalog.engine import Engine
from farm.catalog.night import NightOptions, NodeEnd
from farm.catalog.outlook import look_ahead
from farm.catalog.state import SourceFacts
from farm.catalog.work import Done
from tests.fixtures_looking import World, digest, ecosystem, node


def test_a_package_that_never_built_shows_as_failed_with_the_same_inputs() -> None:
    world = World.of(node("a@1"), node("b@1", "a@1"))
    nothing: Any = None
    engine = Engine(nothing, world.gathered, NightOptions(), nothing, lambda: None)
    facts = SourceFacts(tree=digest("tree"), epoch=3)
    probe = World.of(*world.nodes.values())
    probe.sources[world.nodes[world.id("a@1")].source] = facts
    key = probe.key(world.id("a@1")).key
    end = NodeEnd(id=world.id("a@1"), state="failed", message="no", error="BuildFailedError", exit_code=41)
    engine.node_ended(Done(end, build_key=key, source=facts))
    world.states, world.sources = engine.nodes, engine.sources
    found = look_ahead(world.gathered, ecosystem)
    assert found[world.id("a@1")].state == "failed"
    assert "with the same inputs: no" in found[world.id("a@1")].why
    assert found[world.id("b@1")].state == "blocked"
