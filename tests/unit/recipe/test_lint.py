from __future__ import annotations

from typing import TYPE_CHECKING

import pytest

from farm.config import Settings
from farm.recipe.lint import check

if TYPE_CHECKING:
    from collections.abc import Callable
    from pathlib import Path


@pytest.fixture
def settings(tmp_path: Path, recipes: Path) -> Settings:
    (tmp_path / "images" / "python311").mkdir(parents=True)
    return Settings(recipes=recipes, images=tmp_path / "images")


def lines(path: Path, settings: Settings, severity: str) -> list[str]:
    return [p.message for p in check([path], settings) if p.severity == severity]


def test_good_recipe_with_a_lock_is_clean_but_for_its_loose_test_requirement(
    good: str, write: Callable[..., Path], settings: Settings, recipes: Path
) -> None:
    path = write(good)
    (path.parent / "locks").mkdir()
    (path.parent / "locks" / "1.4.2-cp311-linux-amd64.json").write_text("{}")
    assert check([recipes], settings) == ()
    assert check([path.parent], settings) == check([path], settings) == ()


def test_folders_are_named_after_the_recipe(good: str, write: Callable[..., Path], settings: Settings) -> None:
    found = lines(write(good, "maven/other"), settings, "error")
    assert found == [
        "the recipe lies under 'maven', its ecosystem is 'python'",
        "the folder is called 'other', the recipe 'sample-lib'",
    ]


def test_unknown_image_with_the_nearest_one(good: str, write: Callable[..., Path], settings: Settings) -> None:
    path = write(good.replace("image: python311", "image: pyhton311"))
    (problem,) = [p for p in check([path], settings) if p.severity == "error"]
    assert (problem.line, problem.suggestion) == (11, "python311")


def test_two_recipes_for_one_name(good: str, write: Callable[..., Path], settings: Settings, recipes: Path) -> None:
    write(good)
    write(good.replace("name: sample-lib", "name: Sample.Lib"), "python/Sample.Lib")
    found = lines(recipes, settings, "error")
    assert any("python/sample-lib has a recipe already" in message for message in found)


def test_warnings(good: str, write: Callable[..., Path], settings: Settings) -> None:
    text = (
        good.replace("https://git", "http://git")
        .replace("setuptools==75.1.0", "setuptools>=75")
        .replace("  tags: py3-none-any\n", "")
        .split("test:")[0]
        .replace("versions:\n", 'versions:\n  ">=3": {limits: {pids: 9}}\n')
    )
    path = write(text)
    (path.parent / "locks").mkdir()
    (path.parent / "locks" / "1.0-cp311-linux-amd64.json").write_text("{}")
    assert lines(path, settings, "error") == []
    found = "\n".join(lines(path, settings, "warning"))
    for words in (
        "not encrypted",
        "'setuptools>=75' is not pinned",
        "without build.tags",
        "nothing is tested",
        "no pinned version is in the range '>=3'",
        "no lock: run `farm lock python/sample-lib@1.4.2`",
        "locks/1.0-cp311-linux-amd64.json belongs to no version",
    ):
        assert words in found


def test_several_versions_need_several_addresses(good: str, write: Callable[..., Path], settings: Settings) -> None:
    text = good.replace("git: https://git.example.test/team/sample-lib", "archive: {url: https://h.example.test/x.zip}")
    text = text.replace('  tag: "v{version}"\n', "").split("versions:")[0] + (
        f'versions: {{"1": {{sha256: {"a" * 64}}}, "2": {{sha256: {"b" * 64}}}}}\nbuild: {{image: python311}}\n'
    )
    assert any("same address" in message for message in lines(write(text), settings, "error"))


def test_place_without_recipes_is_an_error(tmp_path: Path, settings: Settings) -> None:
    assert lines(tmp_path / "images", settings, "error") == ["there is no recipe here"]


def test_broken_recipes_do_not_hide_others(
    good: str, write: Callable[..., Path], settings: Settings, recipes: Path
) -> None:
    write("schema: [", "python/broken")
    write(good.replace("image: python311", "image: nope"))
    paths = {problem.path.rsplit("/", 2)[-2] for problem in check([recipes], settings) if problem.severity == "error"}
    assert paths == {"broken", "sample-lib"}


UNUSED = "requirements of tests, but no command that uses them"
UNTESTED = "nothing is tested: give imports, a command, or skip with a reason"


def test_versions_are_looked_at_with_every_override_applied(
    good: str, write: Callable[..., Path], settings: Settings
) -> None:
    # The command of the recipe uses what the version requires; another version changes nothing but its test.
    versions = f"""\
  "2.0":
    commit: {"b" * 40}
    build: {{tags: py3-none-any}}
    test: {{requires: [hypothesis]}}
  "3.0":
    commit: {"c" * 40}
    test: {{command: [], requires: [nose]}}
  "4.0":
    commit: {"d" * 40}
    build: {{tags: ""}}
    test: {{command: [], imports: [], requires: []}}
"""
    path = write(good.replace("build:\n  image", f"{versions}build:\n  image", 1))
    found = {
        (p.line, p.message) for p in check([path], settings) if p.severity == "warning" and "no lock" not in p.message
    }
    text = path.read_text().splitlines()
    at = {message: text[line - 1].strip() for line, message in found}
    assert at == {
        UNUSED: "test: {command: [], requires: [nose]}",
        UNTESTED: "test: {command: [], imports: [], requires: []}",
        "without build.tags nobody notices when a native package comes out pure": 'build: {tags: ""}',
    }
    assert len(found) == 3


def test_tests_that_every_version_brings_itself_are_tests(
    good: str, write: Callable[..., Path], settings: Settings
) -> None:
    text = good.split("test:\n", maxsplit=1)[0].replace(
        "build:\n  image", '  ">=0": {test: {imports: [x]}}\nbuild:\n  image', 1
    )
    assert UNTESTED not in lines(write(text), settings, "warning")
