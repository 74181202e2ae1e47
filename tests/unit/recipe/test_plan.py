from __future__ import annotations

from typing import TYPE_CHECKING

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from farm.errors import RecipeNotFoundError
from farm.model.plan import ArchivePin, BuildPlan, GitPin, Target
from farm.recipe.load import read_text
from farm.recipe.plan import build_images, make_plan

if TYPE_CHECKING:
    from farm.recipe.model import Recipe

TARGET = Target(platform="linux/amd64", interpreter="cp311")


def recipe_of(text: str) -> Recipe:
    reading = read_text(text, "recipe.yaml")
    assert reading.problems == (), [str(p) for p in reading.problems]
    assert reading.recipe is not None
    return reading.recipe


def plan_of(text: str, version: str = "1.4.2") -> BuildPlan:
    return make_plan(recipe_of(text), version, "python/sample-lib/recipe.yaml", TARGET)


def with_versions(good: str, lines: str) -> str:
    return good.replace("versions:\n", f"versions:\n{lines}", 1)


def test_plan_of_a_git_source(good: str) -> None:
    plan = plan_of(good)
    assert str(plan.package) == "python/sample-lib@1.4.2"
    assert plan.source == GitPin(
        url="https://git.example.test/team/sample-lib",
        commit="3f0c2a9d5b7e4c1f8a6d9e2b0c4f7a1d3e5b8c60",
        tag="v1.4.2",
    )
    assert plan.build.requires == ("setuptools==75.1.0",)
    assert plan.test.command[0] == "python"
    assert plan.limits.pids == 512
    assert plan.target == TARGET


def test_plan_of_archives(good: str) -> None:
    digest = "a" * 64
    text = good.replace("git: https://git.example.test/team/sample-lib", "archive: {pypi-sdist: Sample_Lib}")
    text = text.replace('  tag: "v{version}"\n', "").replace(
        "commit: 3f0c2a9d5b7e4c1f8a6d9e2b0c4f7a1d3e5b8c60", f"sha256: {digest}"
    )
    assert plan_of(text).source == ArchivePin(kind="pypi-sdist", sha256=digest, name="sample-lib", version="1.4.2")
    text = text.replace("{pypi-sdist: Sample_Lib}", '{url: "https://h.example.test/x-{version}.tar.gz"}')
    assert plan_of(text).source == ArchivePin(kind="url", sha256=digest, url="https://h.example.test/x-1.4.2.tar.gz")


def test_later_entries_win(good: str) -> None:
    text = with_versions(
        good,
        '  ">=1": {build: {image: a, env: {A: "1"}}, limits: {pids: 20, memory_mb: 100}}\n'
        '  ">=1.4": {build: {image: b}, limits: {pids: 30}}\n'
        '  "<1": {build: {image: c}}\n',
    )
    plan = plan_of(text)
    assert (plan.build.image, plan.build.env) == ("b", {"A": "1"})
    assert (plan.limits.pids, plan.limits.memory_mb) == (30, 100)
    assert plan.build.requires == ("setuptools==75.1.0",)
    assert build_images(recipe_of(text), "1.4.2") == ("b",)
    after = text.replace("build:\n  image", '  "==1.4.*": {build: {image: d, requires: []}}\nbuild:\n  image', 1)
    assert (plan_of(after).build.image, plan_of(after).build.requires) == ("d", ())


def test_a_version_can_have_a_tag_of_its_own_or_none(good: str) -> None:
    text = with_versions(good, '  "<2": {tag: "release_{version}"}\n')
    source = plan_of(text).source
    assert isinstance(source, GitPin)
    assert source.tag == "release_1.4.2"
    source = plan_of(good.replace("    commit:", '    tag: ""\n    commit:')).source
    assert isinstance(source, GitPin)
    assert source.tag is None


def test_tags_keep_the_recipes_spelling_of_a_version(good: str) -> None:
    plan = plan_of(good.replace('"1.4.2"', '"2026.04.22"'), "2026.4.22")
    assert plan.package.version == "2026.4.22"
    assert isinstance(plan.source, GitPin)
    assert plan.source.tag == "v2026.04.22"


def test_skip_can_be_lifted_and_set_for_a_version(good: str) -> None:
    skipped = with_versions(good, '  "<2": {test: {skip: {reason: needs a display}}}\n')
    plan = plan_of(skipped)
    assert (plan.test.skip_reason, plan.test.command, plan.test.imports) == ("needs a display", (), ())
    lifted = with_versions(skipped, "").replace("build:\n  im", '  "==1.4.2": {test: {imports: [a]}}\nbuild:\n  im', 1)
    assert (plan_of(lifted).test.skip_reason, plan_of(lifted).test.imports) == ("", ("a",))


def test_unknown_version(good: str) -> None:
    with pytest.raises(RecipeNotFoundError, match=r"9\.9"):
        plan_of(good, "9.9")


def test_digest_is_over_what_is_meant_not_how_it_is_written(good: str) -> None:
    digest = plan_of(good).recipe_digest
    same = [
        "# a comment\n" + good,
        good.replace('requires: ["setuptools==75.1.0"]', "requires:\n    - setuptools==75.1.0"),
        good.replace("versions:\n", f'versions:\n  "2.0": {{commit: {"b" * 40}}}\n  ">=2": {{limits: {{pids: 9}}}}\n'),
        good + "limits: {pids: 512}\n",
        good.replace("  tags: py3-none-any\n", "") + "",
    ]
    assert [plan_of(text).recipe_digest == digest for text in same] == [True, True, True, True, False]
    assert plan_of(good.replace("3f0c", "4f0c")).recipe_digest != digest


@settings(deadline=None)
@given(st.permutations(["schema: 1", "ecosystem: python", "name: s", "build: {image: i}", "limits: {pids: 9}"]))
def test_digest_does_not_depend_on_the_order_of_keys(lines: list[str]) -> None:
    rest = [f'versions: {{"1": {{commit: {"a" * 40}}}}}', "source: {git: 'https://h.example.test/x'}"]
    text = "\n".join([*lines, *rest])
    assert plan_of(text, "1").recipe_digest == plan_of("\n".join(sorted([*lines, *rest])), "1").recipe_digest
