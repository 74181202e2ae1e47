"""What a rebuild would do with each node, as people are told."""

from __future__ import annotations

from farm.catalog.nodes import NodeProblem
from farm.catalog.outlook import look_ahead
from tests.fixtures_looking import IMAGE, World, by_title, digest, ecosystem, missing_lock, node


def states(world: World) -> dict[str, str]:
    return {name: outlook.state for name, outlook in by_title(look_ahead(world.gathered, ecosystem)).items()}


def whys(world: World) -> dict[str, str]:
    return {name: outlook.why for name, outlook in by_title(look_ahead(world.gathered, ecosystem)).items()}


def chain() -> World:
    """App needs lib needs tool."""
    return World.of(node("tool@1"), node("lib@1", "tool@1"), node("app@1", "lib@1", "tool@1:test"))


def test_nothing_is_built() -> None:
    assert states(chain()) == dict.fromkeys(("app@1", "lib@1", "tool@1"), "not-built")
    assert whys(chain())["tool@1"] == "never built"
    assert whys(chain())["lib@1"] == "depends on python/tool@1, which is not built"


def test_everything_is_built() -> None:
    world = chain()
    world.build()
    assert set(states(world).values()) == {"current"}
    assert set(whys(world).values()) == {""}


def test_a_change_makes_everything_behind_it_wait() -> None:
    world = chain()
    world.build()
    world.change("tool@1", recipe=digest("other"))
    assert states(world) == dict.fromkeys(("app@1", "lib@1", "tool@1"), "changed")
    assert whys(world) == {
        "tool@1": "the recipe changed",
        "lib@1": "depends on python/tool@1, which changed",
        "app@1": "depends on python/lib@1 and 1 more, which changed",
    }


def test_a_dependency_that_came_out_with_other_bytes() -> None:
    world = chain()
    world.build()
    world.build("tool@1", content="other")
    found = look_ahead(world.gathered, ecosystem)
    assert by_title(found)["tool@1"].state == "current"
    lib = found[world.id("lib@1")]
    assert (lib.state, lib.why) == ("changed", "other results of python/tool@1")
    (difference,) = lib.differences
    assert difference.field == "rebuilt"
    assert difference.package == "python/tool@1"
    assert (difference.before, difference.after) == (digest("tool 1 "), digest("tool 1 other"))


def test_with_locked_inputs_nothing_waits_for_a_dependency() -> None:
    world = chain()
    world.policy = "locked"
    world.build()
    world.change("tool@1", recipe=digest("other"))
    assert states(world) == {"tool@1": "changed", "lib@1": "current", "app@1": "current"}


def test_a_failure_with_the_same_inputs_blocks_what_is_behind_it() -> None:
    world = chain()
    world.build("tool@1")
    world.fail("lib@1")
    assert states(world) == {"tool@1": "current", "lib@1": "failed", "app@1": "blocked"}
    assert "with the same inputs: it does not compile" in whys(world)["lib@1"]
    found = look_ahead(world.gathered, ecosystem)[world.id("app@1")]
    assert found.blocked_by == (world.id("app@1"), world.id("lib@1"))
    assert found.why == "it needs python/lib@1, which failed"


def test_a_failure_with_other_inputs_does_not_count() -> None:
    world = chain()
    world.build("tool@1")
    world.fail("lib@1", key="0" * 64)
    assert states(world)["lib@1"] == "not-built"
    assert "with other inputs" in whys(world)["lib@1"]


def test_what_failed_before_the_pin_was_changed_is_tried_again() -> None:
    world = chain()
    world.fail("tool@1")
    world.change("tool@1", source=digest("other pin"))
    assert states(world)["tool@1"] == "not-built"


def test_a_missing_lock_and_the_way_to_it() -> None:
    world = World.of(node("a@1", lock="", problem=missing_lock("a@1")), node("b@1", "a@1"), node("c@1", "b@1"))
    assert states(world) == {"a@1": "invalid", "b@1": "blocked", "c@1": "blocked"}
    found = look_ahead(world.gathered, ecosystem)[world.id("c@1")]
    assert found.blocked_by == tuple(map(world.id, ("c@1", "b@1", "a@1")))


def test_a_missing_image() -> None:
    world = chain()
    world.build("tool@1")
    world.images = {}
    assert states(world) == {"tool@1": "current", "lib@1": "not-built", "app@1": "not-built"}
    assert "not on this host" in whys(world)["tool@1"]
    assert "builder image python311 is not on this host" in whys(world)["lib@1"]


def test_another_image() -> None:
    world = chain()
    world.build()
    world.images = {"python311": digest("other")}
    assert set(states(world).values()) == {"changed"}
    (difference,) = look_ahead(world.gathered, ecosystem)[world.id("tool@1")].differences
    assert (difference.field, difference.before) == ("image", IMAGE)


def test_another_pin() -> None:
    world = chain()
    world.build()
    world.change("tool@1", source=digest("other"), recipe=digest("other"))
    assert states(world)["tool@1"] == "changed"
    assert whys(world)["tool@1"].startswith("the source is pinned to something else")


def test_a_recipe_that_vanished_while_it_is_needed() -> None:
    world = chain()
    world.build()
    world.remove("tool@1")
    assert states(world) == {"tool@1": "vanished", "lib@1": "blocked", "app@1": "blocked"}
    assert whys(world)["lib@1"] == "it is built with python/tool@1, whose recipe is gone"


def test_a_recipe_that_cannot_be_read_any_more_is_not_gone() -> None:
    world = chain()
    world.build()
    world.remove("tool@1")
    world.broken["python/tool"] = NodeProblem("RecipeError", 10, "no such key")
    assert states(world) == {"tool@1": "invalid", "lib@1": "blocked", "app@1": "blocked"}
    assert whys(world)["tool@1"] == "its recipe cannot be used: no such key"
    assert whys(world)["lib@1"] == "it is built with python/tool@1, whose recipe cannot be used"


def cycle(seed: str = "it builds itself") -> World:
    """Back needs front and front needs back; user needs front; both need base."""
    return World.of(
        node("base@1"),
        node("back@1", "front@1", "base@1", seed=seed),
        node("front@1", "back@1"),
        node("user@1", "front@1"),
    )


def test_a_cycle_is_built_as_a_whole() -> None:
    world = cycle()
    world.build()
    assert set(states(world).values()) == {"current"}
    world.change("front@1", recipe=digest("other"))
    assert states(world) == {"base@1": "current", "back@1": "changed", "front@1": "changed", "user@1": "changed"}
    assert whys(world)["back@1"] == "it is built in a cycle with python/front@1, which changed"


def test_a_cycle_without_a_seed() -> None:
    world = cycle(seed="")
    assert states(world) == {"base@1": "not-built", "back@1": "invalid", "front@1": "invalid", "user@1": "blocked"}
    assert whys(world)["back@1"].startswith("a cycle without a seed: ")


def test_what_one_member_of_a_cycle_is_stuck_at_blocks_the_others() -> None:
    world = cycle()
    world.change("base@1", lock="", problem=missing_lock("base@1"))
    assert states(world)["front@1"] == "blocked"
    found = look_ahead(world.gathered, ecosystem)[world.id("user@1")]
    assert found.blocked_by == tuple(map(world.id, ("user@1", "front@1", "back@1", "base@1")))


def test_rebuilt_only_and_something_has_no_recipe() -> None:
    world = World.of(node("app@1", "stranger@3"))
    world.policy = "rebuilt-only"
    assert states(world) == {"app@1": "blocked"}
    assert whys(world)["app@1"] == "the policy is rebuilt-only, and no recipe provides stranger 3"
