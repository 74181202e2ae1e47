"""Several builder images for one recipe: one target each."""

from __future__ import annotations

from typing import TYPE_CHECKING

import pytest

from farm.config import Settings
from farm.errors import RecipeError
from farm.model.plan import BuildPlan, Target
from farm.pipeline import steps
from farm.pipeline.locking import lock_images
from farm.pipeline.runtime import Runtime
from farm.recipe.lint import check
from farm.recipe.load import read_text
from farm.recipe.plan import build_images, make_plan

if TYPE_CHECKING:
    from collections.abc import Callable
    from pathlib import Path

    from farm.recipe.model import Recipe

OLD, NEW = Target(platform="linux/amd64", interpreter="cp39"), Target(platform="linux/amd64", interpreter="cp313")
NATIVE = "{interpreter}-{interpreter}-linux"
IMAGE = """\
schema = 1
suite = "trixie"
platform = "linux/amd64"
interpreter = "cp{0}"
version = "3.{1}"
requirements = "requirements.txt"
"""


@pytest.fixture
def native(good: str) -> str:
    """Give a recipe with two images."""
    return good.replace("image: python311", "image: [python313, python39]").replace("py3-none-any", f'"{NATIVE}"')


@pytest.fixture
def settings(tmp_path: Path, recipes: Path) -> Settings:
    for name, version in (("python313", 13), ("python39", 9), ("python313-rust", 13)):
        folder = tmp_path / "images" / name
        folder.mkdir(parents=True)
        (folder / "image.toml").write_text(IMAGE.format(f"3{version}", version))
    return Settings(recipes=recipes, images=tmp_path / "images", data=tmp_path / "data")


def recipe_of(text: str) -> Recipe:
    reading = read_text(text, "recipe.yaml")
    assert reading.problems == (), [str(p) for p in reading.problems]
    assert reading.recipe is not None
    return reading.recipe


def plan_of(text: str, target: Target, image: str = "") -> BuildPlan:
    return make_plan(recipe_of(text), "1.4.2", "python/sample-lib/recipe.yaml", target, image=image)


def test_each_image_has_a_plan_of_its_own(native: str) -> None:
    assert build_images(recipe_of(native), "1.4.2") == ("python313", "python39")
    first, other = plan_of(native, NEW), plan_of(native, OLD, "python39")
    assert (first.build.image, first.build.tags) == ("python313", "cp313-cp313-linux")
    assert (other.build.image, other.build.tags) == ("python39", "cp39-cp39-linux")
    assert first.recipe_digest != other.recipe_digest


def test_further_images_change_nothing_for_the_first(native: str) -> None:
    alone = native.replace("[python313, python39]", "python313")
    assert plan_of(alone, NEW) == plan_of(native, NEW)
    assert plan_of(alone.replace(NATIVE, "cp313-cp313-linux"), NEW) == plan_of(native, NEW)


def test_the_images_of_a_version_replace_the_list(native: str) -> None:
    text = native.replace("versions:\n", 'versions:\n  "<2": {build: {image: python39}}\n')
    assert build_images(recipe_of(text), "1.4.2") == ("python39",)
    with pytest.raises(RecipeError, match="not built in the image 'python313': its recipe names python39"):
        plan_of(text, NEW, "python313")


@pytest.mark.parametrize(
    ("image", "expected"),
    [
        ("[]", "no image is named"),
        ("[python39, python39]", "an image is named once"),
        ("[python39, 3]", "build.image.1: expected text, found a number (3)"),
        ("{a: b}", "build.image: expected text, found a mapping"),
        ("[../x]", "'../x' is no name of an image"),
        ("", "build.image: expected text, found nothing"),
    ],
)
def test_what_is_no_list_of_images(native: str, image: str, expected: str) -> None:
    reading = read_text(native.replace("[python313, python39]", image), "recipe.yaml")
    assert any(expected in str(problem) for problem in reading.problems), [str(p) for p in reading.problems]


@pytest.mark.parametrize(
    ("tags", "why"),
    [
        ("py3-none-any", "a pure wheel (py3-none-any) is the same for every interpreter"),
        ("py2.py3-none-any", "a pure wheel"),
        ("cp313-cp313-linux", "the tags cp313-cp313-linux are of one of them"),
        ("", "without tags nobody notices when it comes out pure"),
    ],
)
def test_one_file_is_built_in_one_image(
    native: str, tags: str, why: str, write: Callable[..., Path], settings: Settings
) -> None:
    text = native.replace(NATIVE, tags)
    found = [p for p in check([write(text)], settings) if p.severity == "error"]
    assert [(p.line, p.column) for p in found] == [(11, 10)]
    assert found[0].message.startswith("version 1.4.2 has 2 images: ")
    assert why in found[0].message
    with pytest.raises(RecipeError, match=r"build\.image names 2 images"):
        plan_of(text, NEW)


def test_a_version_can_be_pure_alone(native: str, write: Callable[..., Path], settings: Settings) -> None:
    pure = 'versions:\n  "<2": {build: {image: python39, tags: py3-none-any}}\n'
    path = write(native.replace("versions:\n", pure))
    assert [p for p in check([path], settings) if p.severity == "error"] == []


def test_the_linter_knows_every_image_and_asks_for_every_lock(
    native: str, write: Callable[..., Path], settings: Settings
) -> None:
    path = write(native.replace("[python313, python39]", "[python313, pyhton39]"))
    (problem,) = [p for p in check([path], settings) if p.severity == "error"]
    assert (problem.line, problem.column, problem.suggestion) == (11, 22, "python39")
    path.write_text(native)
    (path.parent / "locks").mkdir()
    (path.parent / "locks" / "1.4.2-cp313-linux-amd64.json").write_text("{}")
    (problem,) = check([path], settings)
    assert "not every image has a lock (python313, python39): run `farm lock python/sample-lib@1.4.2`" in str(problem)
    (path.parent / "locks" / "1.4.2-cp39-linux-amd64.json").write_text("{}")
    assert check([path], settings) == ()


def test_place_holders_have_one_name(native: str) -> None:
    text = native.replace(NATIVE, "{python}-{interpreter}-linux")
    assert "are no tags" in str(read_text(text, "recipe.yaml").problems[0])


def test_the_plan_step_takes_the_first_image_or_the_one_that_is_asked_for(
    native: str, write: Callable[..., Path], settings: Settings
) -> None:
    write(native)
    rt = Runtime(settings)
    assert steps.plan(rt, "python/sample-lib").target == NEW
    assert steps.plan(rt, "python/sample-lib", "python39").target == OLD
    with pytest.raises(RecipeError, match=r"not built in the image 'python311': its recipe names python313, python39"):
        steps.plan(rt, "python/sample-lib", "python311")
    assert lock_images(rt, "python/sample-lib") == ("python313", "python39")
    assert lock_images(rt, "python/sample-lib", "python39") == ("python39",)


def test_two_images_for_one_target_are_refused(native: str, write: Callable[..., Path], settings: Settings) -> None:
    write(native.replace("python39", "python313-rust"))
    with pytest.raises(RecipeError, match="python313 and python313-rust are both for cp313-linux-amd64"):
        steps.plan(Runtime(settings), "python/sample-lib")
