"""Farms with small catalogs; all use the host's builder image, and an upstream index that the tests make."""

from __future__ import annotations

from typing import TYPE_CHECKING

import pytest

from tests.fixtures_python import IndexDouble, serving
from tests.integration.chain.homes import CHECKOUT, SOURCES, FarmHome

from .farms import LINE, CatalogFarm

if TYPE_CHECKING:
    from collections.abc import Callable, Iterator


@pytest.fixture(scope="session")
def image(tmp_path_factory: pytest.TempPathFactory) -> str:
    """The builder image, made if this host does not have it; returns its digest."""
    home = FarmHome(tmp_path_factory.mktemp("image"), CHECKOUT / "recipes")
    (made,) = home.farm("images", "build", "python311", "--json").ok().data
    digest: str = made["digest"]
    return digest


@pytest.fixture(scope="session")
def upstream() -> Iterator[IndexDouble]:
    """The upstream Python index."""
    with serving() as double:
        yield double


@pytest.fixture(scope="session")
def new_farm(tmp_path_factory: pytest.TempPathFactory, image: str, upstream: IndexDouble) -> Callable[..., CatalogFarm]:
    """Give a farm without recipes and services."""
    del image

    def make(name: str) -> CatalogFarm:
        folder = tmp_path_factory.mktemp(name)
        return CatalogFarm(FarmHome(folder, folder / "recipes", {SOURCES: "repos"}, {"python_index": upstream.url}))

    return make


@pytest.fixture(scope="session")
def line(new_farm: Callable[..., CatalogFarm]) -> Iterator[CatalogFarm]:
    """A farm with the catalog `LINE`, nothing of it built at first; the tests of a module go on from each other."""
    farm = new_farm("line")
    with farm.home.running("s3", "signer"):
        for name, needs in LINE.items():
            farm.add(name, needs)
        yield farm
