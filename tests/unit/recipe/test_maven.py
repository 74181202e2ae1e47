from __future__ import annotations

import json
from typing import TYPE_CHECKING, Any

import pytest

from farm.config import Settings
from farm.errors import RecipeError, RecipeNotFoundError
from farm.model.base import BlobRef
from farm.model.plan import ArchivePin, BuildPlan, Patch, Target
from farm.recipe.catalog import find_recipe
from farm.recipe.lint import check
from farm.recipe.load import read_text
from farm.recipe.plan import build_patches, make_plan
from farm.recipe.schema import schema_json

if TYPE_CHECKING:
    from collections.abc import Callable
    from pathlib import Path

    from farm.recipe.model import Recipe

SHA = "a" * 64
TARGET = Target(platform="linux/amd64", interpreter="jdk17")
FOLDER = "maven/org.example.sample-lib"
MAVEN = f"""\
schema: 1
ecosystem: maven
name: org.example:sample-lib
source:
  archive:
    maven: "org.example:sample-lib:{{version}}:zip:source-release"
versions:
  "3.4.2":
    sha256: {SHA}
build:
  image: jdk17
  options:
    maven: {{version: 3.9.9, sha256: {"b" * 64}}}
    goals: [clean, verify]
    profiles: ["!docs"]
"""


@pytest.fixture
def settings(tmp_path: Path, recipes: Path) -> Settings:
    (tmp_path / "images" / "jdk17").mkdir(parents=True)
    return Settings(recipes=recipes, images=tmp_path / "images")


def problems(text: str) -> list[str]:
    return [str(problem) for problem in read_text(text, "recipe.yaml").problems]


def recipe_of(text: str) -> Recipe:
    reading = read_text(text, "recipe.yaml")
    assert reading.problems == (), [str(p) for p in reading.problems]
    assert reading.recipe is not None
    return reading.recipe


def plan_of(text: str, version: str = "3.4.2", **patches: BlobRef) -> BuildPlan:
    named = {f"{name}.patch": blob for name, blob in patches.items()}
    return make_plan(recipe_of(text), version, f"{FOLDER}/recipe.yaml", TARGET, named)


def test_plan_of_a_maven_recipe() -> None:
    plan = plan_of(MAVEN)
    assert str(plan.package) == "maven/org.example:sample-lib@3.4.2"
    assert plan.source == ArchivePin(
        kind="maven", sha256=SHA, name="org.example:sample-lib", version="3.4.2", variant="zip:source-release"
    )
    assert plan.build.options == {"maven": {"version": "3.9.9", "sha256": "b" * 64}, "profiles": ["!docs"]}


def test_an_option_that_says_the_default_changes_no_digest() -> None:
    without = MAVEN.replace("    goals: [clean, verify]\n", "")
    assert plan_of(without).recipe_digest == plan_of(MAVEN).recipe_digest
    other = MAVEN.replace("[clean, verify]", "[verify]")
    assert plan_of(other).recipe_digest != plan_of(MAVEN).recipe_digest


def test_options_of_a_version_replace_those_of_the_recipe() -> None:
    text = MAVEN.replace(f"    sha256: {SHA}\n", f"    sha256: {SHA}\n    build: {{options: {{heap_mb: 512}}}}\n")
    assert plan_of(text).build.options == {"heap_mb": 512}


@pytest.mark.parametrize(
    ("old", "new", "expected"),
    [
        ("profiles:", "profile:", "15:5: unknown key 'profile'; did you mean 'profiles'?"),
        ("version: 3.9.9", "versoin: 3.9.9", "13:13: unknown key 'versoin'; did you mean 'version'?"),
        ("    goals: [clean, verify]", "    nothing_like_it: 1", "14:5: unknown key 'nothing_like_it' (known here:"),
        ("[clean, verify]", "verify", "14:12: build.options.goals: expected a list, found text"),
        ("[clean, verify]", '[clean, "-Dx=y"]', "14:20: '-Dx=y' is no phase or goal"),
        ("[clean, verify]", "[]", "14:12: build.options.goals:"),
        (f', sha256: {"b" * 64}', "", "13:5: 'sha256' is missing"),
        ('profiles: ["!docs"]', "disable: [no-such-plugin]", "15:15: farm knows no property"),
        ('profiles: ["!docs"]', "properties: {skipTests: 'true'}", "15:17: the property skipTests is farm's own"),
        ('profiles: ["!docs"]', "properties: 3", "15:17: build.options.properties: expected a mapping"),
        ("org.example:sample-lib\n", "sample-lib\n", "3:7: 'sample-lib' is no Maven name"),
        ('    maven: "org', '    pypi-sdist: "org', "6:5: pypi-sdist belongs to another language"),
        (":zip:source-release", "", "6:12: 'org.example:sample-lib:{version}' names no Maven artifact"),
        ('"3.4.2"', '"3.4.2-SNAPSHOT"', "8:3: '3.4.2-SNAPSHOT' is no release"),
        ('"3.4.2"', '"LATEST"', "8:3: 'LATEST' is no release"),
        ("  image: jdk17\n", "  image: jdk17\n  tags: any\n", "12:3: build.tags: what Maven puts out has no tags"),
        ("  image: jdk17\n", "  image: jdk17\n  requires: [x]\n", "12:3: build.requires: what a Maven build needs"),
        ("  image: jdk17\n", "  image: jdk17\n  config_settings: {a: b}\n", "12:3: build.config_settings: Maven has"),
        ("  image: jdk17\n", "  image: jdk17\n  env: {MAVEN_OPTS: -Xmx1g}\n", "MAVEN_OPTS belongs to the fixed"),
        ("schema: 1\n", "schema: 1\ntest: {imports: [x]}\n", "2:8: test.imports: Maven runs the tests in the build"),
        ("schema: 1\n", "schema: 1\ntest: {command: [x]}\n", "2:8: test.command: Maven runs the tests in the build"),
        ("  image: jdk17\n", "  image: jdk17\n  patches: [../x.patch]\n", "12:13: '../x.patch' is no name of a patch"),
        ("  image: jdk17\n", "  image: jdk17\n  patches: [a.patch, a.patch]\n", "a patch is applied once"),
    ],
)  # fmt: skip
def test_each_problem_has_its_place_and_the_nearest_word(old: str, new: str, expected: str) -> None:
    assert old in MAVEN
    found = problems(MAVEN.replace(old, new, 1))
    assert any(expected in line for line in found), found


def test_a_problem_in_the_options_of_a_version_is_at_that_version() -> None:
    text = MAVEN.replace(f"    sha256: {SHA}\n", f"    sha256: {SHA}\n    build: {{options: {{heapmb: 512}}}}\n")
    assert problems(text) == ["recipe.yaml:10:23: unknown key 'heapmb'; did you mean 'heap_mb'?"]


def test_options_are_those_of_the_language(good: str) -> None:
    text = good.replace("  tags:", "  options: {goals: [x]}\n  tags:")
    assert problems(text) == ["recipe.yaml:13:13: unknown key 'goals' (known here: cargo)"]


def test_skipped_tests_have_a_reason() -> None:
    assert plan_of(MAVEN + "test: {skip: {reason: needs a display}}\n").test.skip_reason == "needs a display"


def test_several_versions_need_several_archives() -> None:
    two = MAVEN.replace("versions:\n", f'versions:\n  "3.3.4": {{sha256: {"c" * 64}}}\n')
    assert problems(two) == []
    assert any("same archive: use {version}" in p for p in problems(two.replace("{version}", "3.4.2")))


@pytest.mark.parametrize(
    "reference",
    [
        "maven/org.example:sample-lib",
        "maven/org.example.sample-lib",
        "maven/org.example:sample-lib@3.4.2",
        "recipe maven/org.example.sample-lib@3.4.2",
    ],
)
def test_a_recipe_is_found_by_name_and_by_folder(reference: str, write: Callable[..., Path], recipes: Path) -> None:
    path = write(MAVEN, FOLDER)
    assert find_recipe(recipes, reference).path == path


def test_a_name_that_shares_the_folder_is_another_package(write: Callable[..., Path], recipes: Path) -> None:
    write(MAVEN, FOLDER)
    with pytest.raises(RecipeNotFoundError, match=r"did you mean 'maven/org\.example:sample-lib'"):
        find_recipe(recipes, "maven/org:example.sample-lib")
    with pytest.raises(RecipeNotFoundError, match="is no Maven name"):
        find_recipe(recipes, "maven/..")


def test_a_good_recipe_is_clean(write: Callable[..., Path], settings: Settings) -> None:
    path = write(MAVEN, FOLDER)
    (path.parent / "locks").mkdir()
    (path.parent / "locks" / "3.4.2-jdk17-linux-amd64.json").write_text("{}")
    assert check([path], settings) == (), "no words about tags and tests, which Maven has otherwise"


def test_a_version_with_hyphens_has_its_lock(write: Callable[..., Path], settings: Settings) -> None:
    path = write(MAVEN.replace('"3.4.2"', '"33.0.0-jre"'), FOLDER)
    (path.parent / "locks").mkdir()
    (path.parent / "locks" / "33.0.0-jre-jdk17-linux-amd64.json").write_text("{}")
    assert check([path], settings) == ()


def test_the_folder_is_the_names_own(write: Callable[..., Path], settings: Settings) -> None:
    path = write(MAVEN, "maven/sample-lib")
    found = [p.message for p in check([path], settings) if p.severity == "error"]
    assert len(found) == 1
    assert found[0].endswith("the recipe 'org.example:sample-lib', which belongs in 'org.example.sample-lib'")


def test_the_checkouts_own_script_is_warned_of(write: Callable[..., Path], settings: Settings) -> None:
    path = write(MAVEN + "    wrapper_script: {reason: it says so}\n", FOLDER)
    found = [(p.line, p.message) for p in check([path], settings) if "no lock" not in p.message]
    assert found == [(16, "the checkout's own script runs: it can do more than start Maven")]


PATCHED = MAVEN.replace("  image: jdk17\n", "  image: jdk17\n  patches: [second.patch, first.patch]\n")


def test_patches_enter_the_plan_in_order_with_their_digests() -> None:
    first, second = BlobRef(sha256="1" * 64, size=1), BlobRef(sha256="2" * 64, size=2)
    assert build_patches(recipe_of(PATCHED), "3.4.2") == ("second.patch", "first.patch")
    plan = plan_of(PATCHED, first=first, second=second)
    assert plan.build.patches == (Patch(name="second.patch", blob=second), Patch(name="first.patch", blob=first))
    assert plan.recipe_digest != plan_of(PATCHED, first=first, second=first).recipe_digest
    with pytest.raises(RecipeError, match=r"no patch 'first\.patch'"):
        plan_of(PATCHED, second=second)


def test_patches_are_files_of_the_recipe(write: Callable[..., Path], settings: Settings, tmp_path: Path) -> None:
    path = write(PATCHED, FOLDER)
    folder = path.parent / "patches"
    folder.mkdir()
    (folder / "second.patch").symlink_to(tmp_path)
    (folder / "frist.patch").write_text("x")
    found = {(p.severity, p.message, p.suggestion) for p in check([path], settings) if "no lock" not in p.message}
    assert found == {
        ("error", "patches/second.patch is no regular file", ""),
        ("error", "there is no file patches/first.patch beside the recipe", "frist.patch"),
        ("warning", "patches/frist.patch is used by no version", ""),
    }


def test_the_schema_picks_the_options_by_the_ecosystem() -> None:
    from ruamel.yaml import YAML  # noqa: PLC0415 - for this test alone

    validator = pytest.importorskip("jsonschema").Draft202012Validator(json.loads(schema_json()))

    def errors(text: str) -> list[str]:
        found: Any = YAML(typ="safe", pure=True).load(text)
        return [error.message for error in validator.iter_errors(found)]

    assert errors(MAVEN) == []
    assert errors(MAVEN.replace("profiles:", "profile:"))
    assert errors(MAVEN.replace("ecosystem: maven", "ecosystem: python"))
    assert errors(MAVEN.replace("ecosystem: maven", "ecosystem: cobol"))
    assert errors(MAVEN.replace(f"    sha256: {SHA}\n", f"    sha256: {SHA}\n    build: {{options: {{x: 1}}}}\n"))
