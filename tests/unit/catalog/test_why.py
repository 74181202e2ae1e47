"""`farm why-rebuild` and `farm why-not`."""

from __future__ import annotations

from typing import TYPE_CHECKING

import pytest

from farm.catalog.nodes import NodeProblem
from farm.catalog.outlook import look_ahead
from farm.catalog.why_not import why_not
from farm.catalog.why_rebuild import why_rebuild
from farm.model.plan import Target
from tests.fixtures_looking import DAY, World, digest, ecosystem, missing_lock, node

if TYPE_CHECKING:
    from farm.catalog.why_not import WhyNot
    from farm.catalog.why_rebuild import Reasons


def chain() -> World:
    found = World.of(node("tool@1"), node("lib@1", "tool@1"), node("app@1", "lib@1", "tool@1:test"))
    found.build()
    return found


def rebuild(world: World, reference: str) -> Reasons:
    (found,) = why_rebuild(world.gathered, look_ahead(world.gathered, ecosystem), [world.id(reference)])
    return found


def refused(world: World, reference: str) -> WhyNot:
    (found,) = why_not(world.gathered, look_ahead(world.gathered, ecosystem), f"python/{reference}", ecosystem)
    return found


def test_nothing_differs() -> None:
    assert rebuild(chain(), "app@1").words == "nothing differs: it would not be rebuilt"


def test_never_built() -> None:
    assert rebuild(World.of(node("tool@1")), "tool@1").words == "it was never built"


def test_each_field_that_differs_is_named_with_both_values() -> None:
    world = chain()
    name = world.id("lib@1")
    known = world.states[name]
    assert known.fields is not None
    before = known.fields.model_copy(
        update={
            "source_tree": digest("an older tree"),
            "source_epoch": 7,
            "compressor": "zlib 0.9",
            "rules": 1,
            "rebuilt": {"tool-1-py3-none-any.whl": digest("an older tool"), "old-1-py3-none-any.whl": digest("old")},
        }
    )
    world.states[name] = known.model_copy(update={"fields": before, "build_key": before.key})
    world.images = {"python311": digest("another image")}
    world.change("lib@1", recipe=digest("another recipe"))
    world.change("lib@1", needs=(*world.nodes[name].needs, *node("x@1", "extra@2").needs), lock=digest("another lock"))
    world.nodes[world.id("extra@2")] = node("extra@2")
    world.images["python311"] = digest("another image")
    world.build("extra@2")
    found = rebuild(world, "lib@1")
    assert [each.field for each in found.differences] == [
        "recipe",
        "source_tree",
        "source_epoch",
        "image",
        "lock",
        "compressor",
        "rules",
        "rebuilt",
        "rebuilt",
        "rebuilt",
    ]
    words = [each.words for each in found.differences]
    assert f"the recipe changed: {digest('recipe of lib@1')[:12]} → {digest('another recipe')[:12]}" in words
    assert any(text.endswith("zlib 0.9 → " + world.key(name).compressor) for text in words)
    extra, old, tool = found.differences[-3:]
    assert (extra.package, extra.before, "now stands in" in extra.words) == ("python/extra@2", "", True)
    assert (old.after, "the lock names it no more" in old.words) == ("", True)
    assert (tool.package, tool.before) == ("python/tool@1", digest("an older tool"))
    assert found.words == "it would be rebuilt, because this differs from its last build:"


def test_a_result_that_nothing_stands_in_for_any_more() -> None:
    world = chain()
    del world.states[world.id("tool@1")]
    (difference,) = rebuild(world, "lib@1").differences
    assert difference.package == "python/tool@1"
    assert "nothing stands in for the locked file any more" in difference.words


def test_the_shortest_way_to_what_it_comes_from() -> None:
    world = chain()
    world.nodes[world.id("base@1")] = node("base@1")
    world.change("tool@1", needs=node("x@1", "base@1").needs)
    world.build("base@1", "tool@1", "lib@1", "app@1")
    world.change("base@1", recipe=digest("other"))
    found = rebuild(world, "app@1")
    assert not found.differences
    (cause,) = found.causes
    assert cause.way == ("python/app@1", "python/tool@1", "python/base@1")
    assert [each.field for each in cause.differences] == ["recipe"]
    assert found.words.startswith("it would be rebuilt if what it depends on")


def test_a_dependency_that_was_never_built_is_a_cause() -> None:
    world = chain()
    world.nodes[world.id("new@1")] = node("new@1")
    world.change("tool@1", needs=node("x@1", "new@1").needs)
    (cause,) = rebuild(world, "tool@1").causes
    assert (cause.way, cause.state) == (("python/tool@1", "python/new@1"), "not-built")


def test_a_cycle_names_the_member_that_changed() -> None:
    world = World.of(node("back@1", "front@1", seed="begins"), node("front@1", "back@1"))
    world.build()
    world.change("front@1", recipe=digest("other"))
    (cause,) = rebuild(world, "back@1").causes
    assert cause.way == ("python/back@1", "python/front@1")
    assert not rebuild(world, "front@1").causes


def test_what_cannot_be_rebuilt_says_so() -> None:
    world = chain()
    world.remove("tool@1")
    assert rebuild(world, "lib@1").words.startswith("it cannot be rebuilt: it is built with python/tool@1")
    assert rebuild(world, "tool@1").words == "its recipe is gone: it is not rebuilt any more"


# --- why not ----------------------------------------------------------------------------------------------------------


def test_no_recipe_by_that_name() -> None:
    found = refused(chain(), "tol")
    assert (found.reason, found.state) == ("no-recipe", None)
    assert "did you mean 'python/tool'?" in found.words
    assert "python/tool" in found.remedy


def test_a_broken_recipe() -> None:
    world = chain()
    world.broken["python/ragged"] = NodeProblem("RecipeError", 10, "recipe.yaml:3:1: no such key")
    found = refused(world, "ragged")
    assert found.reason == "broken-recipe"
    assert "recipe.yaml:3:1: no such key" in found.words
    assert found.remedy


def test_no_lock() -> None:
    world = World.of(node("a@1", lock="", problem=missing_lock("a@1")))
    found = refused(world, "a@1")
    assert (found.reason, found.words) == ("lock", "python/a@1: there is no lock")
    assert "farm lock python/a@1" in found.remedy


def test_no_image() -> None:
    world = World.of(node("a@1"))
    world.images = {}
    found = refused(world, "a")
    assert found.reason == "image"
    assert found.remedy == "Run `farm images build python311`."


def test_a_failure_with_the_same_inputs_says_when_and_how_to_retry() -> None:
    world = World.of(node("a@1"))
    world.fail("a@1")
    found = refused(world, "a")
    assert (found.reason, found.words) == ("failed", f"failed on {DAY} with the same inputs: it does not compile")
    assert "farm catalog rebuild --only python/a@1 --retry-failed" in found.remedy


def test_blocked_names_the_way_to_what_failed() -> None:
    world = World.of(node("a@1"), node("b@1", "a@1"), node("c@1", "b@1"))
    world.fail("a@1")
    found = refused(world, "c")
    assert (found.reason, found.way) == ("blocked", ("python/c@1", "python/b@1", "python/a@1"))
    assert found.words == "it needs python/a@1, which failed"
    assert found.remedy == "See `farm why-not python/a@1`."


def test_a_cycle_without_a_seed_shows_the_way_round() -> None:
    world = World.of(node("back@1", "front@1"), node("front@1", "back@1"))
    found = refused(world, "back")
    assert found.reason == "cycle"
    assert found.words.count("python/back@1") + found.words.count("python/front@1") == 3
    assert "seed" in found.remedy


def test_a_recipe_that_vanished() -> None:
    world = chain()
    world.remove("tool@1")
    found = refused(world, "tool")
    assert (found.reason, found.built_on) == ("vanished", DAY)
    assert "farm catalog forget" in found.remedy
    assert refused(world, "lib").remedy == "See `farm why-not python/tool@1`."


def test_nothing_is_in_the_way() -> None:
    found = refused(World.of(node("a@1")), "a")
    assert (found.reason, found.words) == ("waits", "nothing is in its way, it waits for the next rebuild: never built")
    assert found.remedy == "Run `farm catalog rebuild --only python/a@1`."


OTHER = Target(platform="linux/amd64", interpreter="cp313")


@pytest.fixture
def mixed() -> World:
    """A package that is built, with inputs that are not farm's own for every possible reason."""
    needs = ("own@1", "stranger@3", "tool@2", "ragged@1", "fresh@1:test", "alien@1", "late@1")
    world = World.of(node("app@1", *needs), *(node(each) for each in ("own@1", "tool@1", "fresh@1", "late@1")))
    world.nodes["python/alien@1:cp313-linux-amd64"] = node("alien@1", target=OTHER)
    world.broken["python/ragged"] = NodeProblem("RecipeError", 10, "no such key")
    world.build("own@1", "app@1")
    world.build("late@1")
    late = world.states[world.id("late@1")]
    file = late.files[0].model_copy(update={"filename": "alien-1-cp313-cp313-any.whl"})
    alien = late.model_copy(update={"files": (file,)})
    world.states["python/alien@1:cp313-linux-amd64"] = alien
    return world


def test_the_inputs_of_a_result_that_are_not_farms_own(mixed: World) -> None:
    found = refused(mixed, "app")
    assert {each.name: each.why for each in found.foreign} == {
        "stranger": "no recipe provides it",
        "tool": "its recipe has other versions: 1",
        "ragged": "its recipe cannot be used",
        "fresh": "python/fresh@1 has a recipe and is not built yet",
        "alien": "python/alien@1 has no file that fits the target cp311-linux-amd64",
        "late": "python/late@1 has a result since: the next build takes it",
    }
    assert next(each for each in found.foreign if each.name == "fresh").roles == ("test",)


def test_what_is_built_says_so() -> None:
    found = refused(chain(), "app")
    assert (found.reason, found.foreign) == ("built", ())
    assert (found.built_on, str(found.rebuilt)) == (DAY, "2/2")


def test_with_locked_inputs_the_policy_is_the_reason() -> None:
    world = World.of(node("tool@1"), node("lib@1", "tool@1"))
    world.policy = "locked"
    world.build()
    (each,) = refused(world, "lib").foreign
    assert each.why == "python/tool@1 has a recipe, but the policy is locked"
