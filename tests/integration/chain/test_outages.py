"""Services that go away: the error says which, nothing half-published is seen, and the same command then succeeds."""

from __future__ import annotations

import os
import signal
import time
from typing import TYPE_CHECKING

import pytest

from farm.errors import ServiceError, SignerUnavailableError, StoreUnavailableError

from .conftest import SERVICES
from .packages import add

if TYPE_CHECKING:
    from collections.abc import Iterator
    from pathlib import Path

    from .homes import FarmHome

pytestmark = [pytest.mark.docker, pytest.mark.services]

SLOW = "def build(folder, wheel):\n    import time\n    time.sleep(2)\n    return wheel(folder)\n"


@pytest.fixture
def farm(home: FarmHome) -> Iterator[FarmHome]:
    """The farm, whole again afterwards."""
    yield home
    home.up(*SERVICES)


def published_whole(farm: FarmHome, name: str, folder: Path) -> None:
    """The package is on the index once, and what is there verifies."""
    wheel = farm.download(name, folder)
    farm.farm("verify", wheel, "--index", farm.simple).ok()
    farm.nothing_is_left()


def test_the_object_store_is_down(farm: FarmHome) -> None:
    package = add(farm, "store-down")
    farm.down("s3")
    error = farm.build(package.reference).failed(StoreUnavailableError)
    assert "farm up" in error["remedy"]
    status = farm.farm("status", "--json")
    assert status.code == ServiceError.exit_code
    states = {service["name"]: service["condition"] for service in status.data}
    assert (states["s3"], states["signer"]) == ("stopped", "healthy")
    farm.up("s3")
    assert farm.page("store-down") is None
    farm.build(package.reference).ok()


def test_the_object_store_dies_in_the_middle_of_a_publish(farm: FarmHome, tmp_path: Path) -> None:
    package = add(farm, "store-dies")
    pid = farm.pid("s3")
    files = farm.data / "s3" / "farm-repository" / "files"
    before = set(files.glob("*/*")) if files.exists() else set()
    with farm.building(package.reference) as building:
        building.after("test")
        # The first file of the publication is there: the documents, the record and the pages are not yet.
        while building.process.poll() is None and set(files.glob("*/*")) == before:
            time.sleep(0.001)
        os.kill(pid, signal.SIGKILL)
        code, said = building.end()
    assert code == StoreUnavailableError.exit_code, said
    assert "StoreUnavailableError" in said
    assert "Traceback" not in said

    farm.up("s3")
    assert farm.page("store-dies") is None
    root = farm.data / "s3" / "farm-repository"
    assert not list((root / "records").rglob("store_dies-*"))
    outcome = farm.build(package.reference).ok().data
    assert outcome["reused"] is False
    published_whole(farm, "store-dies", tmp_path)
    assert farm.build(package.reference).ok().data["reused"] is True


def test_the_signer_is_down(farm: FarmHome) -> None:
    package = add(farm, "signer-down")
    farm.down("signer")
    error = farm.build(package.reference).failed(SignerUnavailableError)
    assert "farm up" in error["remedy"]
    assert farm.page("signer-down") is None
    farm.up("signer")
    farm.build(package.reference).ok()


def test_the_signer_dies_during_a_build(farm: FarmHome, tmp_path: Path) -> None:
    package = add(farm, "signer-dies", behave=SLOW)
    pid = farm.pid("signer")
    trust = farm.trust_config.read_bytes()
    with farm.building(package.reference) as building:
        building.after("job")
        os.kill(pid, signal.SIGKILL)
        code, said = building.end()
    assert code == SignerUnavailableError.exit_code, said
    assert "SignerUnavailableError" in said
    assert farm.page("signer-dies") is None
    farm.up("signer")
    # The keys outlive the process: what was signed before still verifies, and so does what is signed now.
    assert farm.trust_config.read_bytes() == trust
    farm.build(package.reference).ok()
    published_whole(farm, "signer-dies", tmp_path)


def test_a_build_that_is_killed_leaves_nothing_published(farm: FarmHome) -> None:
    package = add(farm, "killed", behave=SLOW)
    with farm.building(package.reference) as building:
        building.after("job")
        building.process.kill()
        building.end()
    assert farm.page("killed") is None
    farm.build(package.reference).ok()
    assert farm.page("killed") is not None
