"""A host that lacks what builds need: no engine, no builder image."""

from __future__ import annotations

import shutil
from typing import TYPE_CHECKING

import pytest

from farm.errors import DockerUnavailableError, ImageBuildError, ImageMissingError

from .homes import CHECKOUT
from .packages import add

if TYPE_CHECKING:
    from pathlib import Path

    from .homes import FarmHome

pytestmark = [pytest.mark.docker, pytest.mark.services]


def test_no_engine(home: FarmHome) -> None:
    package = add(home, "no-engine")
    env = {"DOCKER_HOST": "unix:///nonexistent/docker.sock"}
    for done in (home.build(package.reference, env=env), home.farm("images", "build", "--json", env=env)):
        error = done.failed(DockerUnavailableError, "/nonexistent/docker.sock")
        assert "Docker Engine" in error["remedy"]
    assert home.page("no-engine") is None
    home.build(package.reference).ok()


def test_an_image_whose_definition_changed(home: FarmHome, tmp_path: Path) -> None:
    package = add(home, "no-image")
    images = tmp_path / "images"
    shutil.copytree(CHECKOUT / "images", images)
    definition = images / "python311" / "image.toml"
    text = definition.read_text(encoding="utf-8")
    definition.write_text(text.replace('  "make",\n', ""), encoding="utf-8")
    assert definition.read_text(encoding="utf-8") != text
    error = home.build(package.reference, env={"FARM_IMAGES": str(images)}).failed(ImageMissingError, "python311")
    assert "farm images build python311" in error["remedy"]
    assert home.page("no-image") is None


def test_an_image_that_nobody_defined(home: FarmHome) -> None:
    package = add(home, "odd-image", lock=False, build={"image": "python2", "tags": "py3-none-any"})
    home.build(package.reference).failed(ImageBuildError, "'python2'")


def test_the_same_definition_is_the_same_image(home: FarmHome, image: str) -> None:
    (again,) = home.farm("images", "build", "python311", "--json").ok().data
    assert again.pop("made") is False
    assert again["digest"] == image
    assert "reused" in home.farm("images", "build", "python311").ok().err
    listed = home.farm("images", "list", "--json").ok().data
    assert [found for found in listed if found["name"] == "python311"] == [again]
