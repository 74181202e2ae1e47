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
