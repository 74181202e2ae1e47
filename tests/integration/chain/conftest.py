"""The farms of these tests: each has its own vault, signer and repository; all use the host's builder image."""

from __future__ import annotations

from typing import TYPE_CHECKING

import pytest

from tests.fixtures_python import IndexDouble, serving

from .homes import CHECKOUT, SOURCES, FarmHome, own_sources

if TYPE_CHECKING:
    from collections.abc import Iterator

SERVICES = ("s3", "signer", "index")


@pytest.fixture(scope="session")
def image(tmp_path_factory: pytest.TempPathFactory) -> str:
    """The builder image, made if this host does not have it; returns its digest."""
    home = FarmHome(tmp_path_factory.mktemp("image"), CHECKOUT / "recipes")
    (made,) = home.farm("images", "build", "python311", "--json").ok().data
    digest: str = made["digest"]
    return digest


@pytest.fixture(scope="session")
def jdk17(tmp_path_factory: pytest.TempPathFactory) -> str:
    """The Java builder image, made if this host does not have it; returns its digest."""
    home = FarmHome(tmp_path_factory.mktemp("jdk17"), CHECKOUT / "recipes")
    (made,) = home.farm("images", "build", "jdk17", "--json").ok().data
    digest: str = made["digest"]
    return digest


@pytest.fixture(scope="session")
def home_a(tmp_path_factory: pytest.TempPathFactory, image: str) -> Iterator[FarmHome]:
    """A farm with the recipes that ship."""
    del image
    home = FarmHome(tmp_path_factory.mktemp("a"), CHECKOUT / "recipes", own_sources())
    with home.running(*SERVICES):
        yield home


@pytest.fixture(scope="session")
def home_b(tmp_path_factory: pytest.TempPathFactory, image: str) -> Iterator[FarmHome]:
    """Another farm with the same recipes, on a host with another time zone, language and home."""
    del image
    folder = tmp_path_factory.mktemp("b")
    env = {"TZ": "Pacific/Kiritimati", "LANG": "C", "LC_ALL": "C", "TMPDIR": str(tmp_path_factory.mktemp("t"))}
    home = FarmHome(folder, CHECKOUT / "recipes", own_sources(), env=env)
    with home.running(*SERVICES):
        yield home


@pytest.fixture(scope="session")
def upstream() -> Iterator[IndexDouble]:
    """The upstream Python index of `home`."""
    with serving() as double:
        yield double


@pytest.fixture(scope="session")
def home(tmp_path_factory: pytest.TempPathFactory, image: str, upstream: IndexDouble) -> Iterator[FarmHome]:
    """A farm with recipes, repositories and an upstream index that the tests make."""
    del image
    folder = tmp_path_factory.mktemp("h")
    home = FarmHome(folder, folder / "recipes", {SOURCES: "repos"}, {"python_index": upstream.url})
    with home.running(*SERVICES):
        yield home
