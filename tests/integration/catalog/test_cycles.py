"""Packages that are built with each other: the way round is told, and a seed brings them to a fixed point."""

from __future__ import annotations

from typing import TYPE_CHECKING

import pytest

from farm.errors import CycleError
from farm.evidence.facts import read_bundle

from .farms import ends, offer, states, upstreams_wheel

if TYPE_CHECKING:
    from collections.abc import Callable

    from tests.fixtures_python import IndexDouble

    from .farms import CatalogFarm

pytestmark = [pytest.mark.docker, pytest.mark.services]

RING = {"tinyback": "ring", "ring": "tinyback", "after": "tinyback ring"}
"""The backend is built with `ring`, and `ring` with the backend."""


def statement(farm: CatalogFarm, name: str) -> str:
    (file,) = farm.result(name).files
    return farm.home.runtime.vault.read(file.provenance).decode()


def test_a_cycle_is_brought_to_its_fixed_point(new_farm: Callable[..., CatalogFarm], upstream: IndexDouble) -> None:
    farm = new_farm("ring")
    offer(upstream, "tinyback", "ring")
    with farm.home.running("s3", "signer"):
        for name, needs in RING.items():
            farm.add(name, needs)
        found = ends(farm.rebuild())
        assert {name: end["state"] for name, end in found.items()} == {
            "tinyback": "failed", "ring": "failed", "after": "blocked"
        }  # fmt: skip
        for name in ("tinyback", "ring"):
            assert found[name]["exit_code"] == CycleError.exit_code
            assert "python/ring@1.0:cp311-linux-amd64 → python/tinyback@1.0:cp311-linux-amd64" in found[name]["message"]
        assert farm.outcomes() == {}

        farm.recipe("tinyback", seed={"reason": "Upstream's wheel of the backend begins it."})
        done = farm.rebuild("--inputs", "rebuilt-only").ok()
        assert states(done) == dict.fromkeys(RING, "built")
        assert set(done.data["rebuilt"].values()) == {"1/1", "2/2"}
        seed = upstreams_wheel("tinyback")[0]
        (note,) = done.data["notes"]
        assert seed in note
        for name in ("tinyback", "ring"):
            outcome = farm.result(name)
            assert outcome.stage >= 1
            assert {file.origin for file in outcome.inputs} == {"farm"}
            assert [each.partition(" ")[0] for each in outcome.seeds] == [seed]
            text = statement(farm, name)
            assert read_bundle(text).inputs == {"farm": 1}
            assert len(farm.page(name)) == 1  # of all stages, one was published
        (own,) = farm.published("tinyback").values()
        assert farm.result("ring").fields.rebuilt == {seed: own}

        runs = farm.runs()
        assert states(farm.rebuild().ok()) == dict.fromkeys(RING, "unchanged")
        assert farm.runs() == runs

        # Another code of one member, and back again: installers take what the recipes say now.
        first = farm.published("ring")
        farm.patch("ring", "Changed.", "2")
        assert states(farm.rebuild().ok())["ring"] == "built"
        assert states(farm.rebuild().ok()) == dict.fromkeys(RING, "unchanged")
        farm.unpatch("ring")
        assert states(farm.rebuild().ok())["ring"] == "built"
        assert states(farm.rebuild().ok()) == dict.fromkeys(RING, "unchanged")
        assert states(farm.rebuild().ok()) == dict.fromkeys(RING, "unchanged")
        (file,) = farm.result("ring").files
        assert file.filename == "ring-1.0-2-py3-none-any.whl"
        assert {file.content.filename: file.content.sha256} == first
