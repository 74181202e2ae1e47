"""A rebuild that is disturbed, and what comes after its builds."""

from __future__ import annotations

import json
import time
from contextlib import suppress
from datetime import date, timedelta
from types import SimpleNamespace
from typing import TYPE_CHECKING, Any

import pytest
from hypothesis import HealthCheck, given, settings
from hypothesis import strategies as st

from farm.catalog.after import due
from farm.catalog.night import NodeEnd
from farm.catalog.nodes import Catalog, NodeProblem
from farm.catalog.state import NodeState, load_state, save_state
from farm.catalog.vouch import entries
from farm.errors import (
    BuildFailedError,
    CatalogFailedError,
    PublisherBusyError,
    RebuildBusyError,
    RecipeError,
    StoreUnavailableError,
    VerificationError,
)
from farm.repository.lease import publisher_lease
from tests.fixtures_nodes import FakeExecutor, Interrupted, Package, World, ends, nid, states
from tests.fixtures_repository import down

if TYPE_CHECKING:
    from pathlib import Path


@pytest.mark.parametrize("after", range(1, 12))
def test_an_interrupted_run_is_carried_on(ring: World, after: int) -> None:
    try:
        ring.night(FakeExecutor(interrupt_after=after))
    except Interrupted:
        known = load_state(ring.vault).nodes
        assert set(known) <= {nid(name) for name in ring.packages}
    assert ring.night().ended_with == 0
    assert ring.ids
    assert set(ring.ids.values()) == {1}  # nothing that was finished is built twice
    assert ring.night().counts["unchanged"] == 5


def test_a_run_that_lost_its_lease_stops_and_keeps_what_is_done(line: World) -> None:
    class Thief(FakeExecutor):
        def wait(self) -> Any:
            found = super().wait()
            if len(line.built) == 2:
                line.repository.objects["leases/rebuild.json"] = b'{"owner": "somebody else"}'
            return found

    with pytest.raises(CatalogFailedError, match="another one took its place"):
        line.night(Thief())
    assert len(load_state(line.vault).nodes) < 2  # whoever took over writes it now; what was done is found by its key
    line.repository.objects.pop("leases/rebuild.json", None)
    assert line.night().ended_with == 0
    assert set(line.ids.values()) == {1}


def test_the_lease_is_renewed_while_a_build_takes_long(line: World, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr("farm.catalog.rebuild._RENEW_SECONDS", 0.01)
    renewed: list[bool] = []

    class Slow(FakeExecutor):
        def wait(self) -> Any:
            if not renewed:
                monkeypatch.setattr("farm.repository.lease.TTL", 100_000.0)  # more than half of it is over, then
                end = time.monotonic() + 30
                while not renewed and time.monotonic() < end:
                    lease = json.loads(line.repository.objects["leases/rebuild.json"])
                    renewed.extend([True] if lease["expires"] > time.time() + 50_000 else [])
                    time.sleep(0.01)
            return super().wait()

    assert line.night(Slow()).ended_with == 0
    assert renewed
    assert line.repository.objects == {}  # it was given back, and not written again after that


def test_a_second_rebuild_is_refused(line: World) -> None:
    with (
        publisher_lease(line.repository, "leases/rebuild.json", line.folder / "elsewhere", lock_name="rebuild"),
        pytest.raises(RebuildBusyError),
    ):
        line.night()
    assert line.built == []


def test_a_rebuild_does_not_wait_for_a_publisher(line: World) -> None:
    with publisher_lease(line.repository, "leases/publisher.json", line.folder / "elsewhere"):
        assert line.night().ended_with == 0


def test_a_publisher_that_is_busy_is_no_other_rebuild(line: World) -> None:
    """Whoever waits for the publisher's lease learns what is really the matter."""

    class Busy(FakeExecutor):
        def wait(self) -> Any:
            raise PublisherBusyError("made up")

    with pytest.raises(PublisherBusyError):
        line.night(Busy())


def test_a_store_that_is_away_at_the_start_leaves_nothing(line: World) -> None:
    line.repository.before = down
    with pytest.raises(StoreUnavailableError):
        line.night()
    assert not (line.folder / "data" / "reports").exists()
    assert line.built == []


def test_a_vault_that_is_away_at_the_start_leaves_no_lease(line: World, monkeypatch: pytest.MonkeyPatch) -> None:
    def away(*_: Any) -> bytes:
        raise StoreUnavailableError("away")

    with monkeypatch.context() as patch:
        patch.setattr(line.vault, "get_record", away)
        with pytest.raises(StoreUnavailableError):
            line.night()
    assert line.repository.objects == {}
    assert not (line.folder / "data" / "reports").exists()
    assert line.night().ended_with == 0


def test_what_is_not_published_as_it_was_is_built_again(line: World) -> None:
    line.night()
    line.damaged[nid("middle")] = "middle-1.0-py3-none-any.whl is not published as it was"
    report = line.night()
    assert line.built == [f"{nid('middle')} (again)"]
    assert states(report)["middle"] == "built"
    assert any("not published as it was" in note for note in report.notes)
    assert line.night().counts["unchanged"] == 5


def test_a_repository_that_cannot_be_read_at_one_place_fails_one_node(
    line: World, monkeypatch: pytest.MonkeyPatch
) -> None:
    line.night()

    def fallen(_rt: Any, package: Any, _files: Any) -> str:
        if package.name == "middle":
            raise VerificationError("the record is unreadable")
        return ""

    monkeypatch.setattr("farm.catalog.after.fallen", fallen)
    report = line.night(reverify=True)
    assert states(report)["middle"] == "failed"
    assert ends(report)["middle"].exit_code == VerificationError.exit_code
    assert report.path


def test_within_so_many_nights_everything_is_rebuilt_from_nothing(line: World) -> None:
    line.settings["reverify_days"] = 3
    line.night()
    seen: list[str] = []
    for _ in range(3):
        # A third of five, rounded up, and those whose turn it is.
        assert line.night(reverify=True).counts["reproduced"] >= 2
        seen += line.reproduced
    assert set(seen) == {nid(name) for name in line.packages}
    assert {known.verdict for known in load_state(line.vault).nodes.values()} == {"reproduced"}
    assert line.night().counts["unchanged"] == 5


def test_drift_is_seen_and_told(line: World) -> None:
    line.settings["reverify_days"] = 1
    line.night()
    original = line._make

    def drifting(node: Any, unit: str, inputs: Any, fields: Any) -> Any:
        line.packages["middle"].code = "drifted" if "nothing" in unit else "1"
        try:
            return original(node, unit, inputs, fields)
        finally:
            line.packages["middle"].code = "1"

    line._make = drifting  # type: ignore[method-assign]
    report = line.night(reverify=True)
    assert states(report)["middle"] == "drifted"
    assert report.ended_with == CatalogFailedError.exit_code
    state = load_state(line.vault)
    assert state.nodes[nid("middle")].verdict == "drifted"
    vouched = {entry.name: (entry.verdict, entry.verified_on) for entry in entries(line.catalog, state.nodes)}
    assert vouched["middle"] == ("drifted", "")
    assert vouched["base"] == ("reproduced", "2026-01-01")
    # It stays red until it is built anew, whatever is asked for and whoever writes into the vault.
    forged = {
        n: known.model_copy(update={"verdict": "reproduced", "tried_on": "9999"}) for n, known in state.nodes.items()
    }
    save_state(line.vault, state.model_copy(update={"nodes": forged}))
    again = line.night()
    assert states(again)["middle"] == "drifted"
    assert again.ended_with == CatalogFailedError.exit_code
    assert line.signed is not None
    assert {entry.name: entry.verdict for entry in line.signed.entries}["middle"] == "drifted"
    assert line.night(force=True).ended_with == 0
    assert states(line.night())["middle"] == "unchanged"


def test_a_state_that_is_gone_is_said(line: World) -> None:
    line.night()
    line.vault.records.clear()
    report = line.night()
    assert "state is gone" in "".join(report.warnings)
    assert report.ended_with == CatalogFailedError.exit_code
    assert line.night().ended_with == 0


def test_every_node_has_its_turn_whatever_is_remembered(line: World) -> None:
    line.settings["reverify_days"] = 3
    line.night()
    engine: Any = SimpleNamespace(
        ends={name: NodeEnd(id=name, state="unchanged") for name in line.catalog.nodes},
        nodes={name: NodeState(verified_on="9999-12-31", tried_on="9999-12-31") for name in line.catalog.nodes},
    )
    first = date(2026, 3, 1)
    seen = {name for day in range(3) for name in due(engine, 3, first + timedelta(days=day))}
    assert seen == set(line.catalog.nodes)


def test_a_recipe_that_cannot_be_used_takes_nothing_out_of_the_snapshot(line: World) -> None:
    """What it gave stays published: consumers who ask the snapshot must not be turned away by a typing error."""
    line.night()
    nodes = load_state(line.vault).nodes
    before = {entry.name for entry in entries(line.catalog, nodes)}
    left = {name: node for name, node in line.catalog.nodes.items() if name != nid("beside")}
    problem = NodeProblem("RecipeError", RecipeError.exit_code, "line 3")
    assert {entry.name for entry in entries(Catalog(left, {"python/beside": problem}), nodes)} == before
    assert {entry.name for entry in entries(Catalog(left), nodes)} == before - {"beside"}


def test_a_state_that_no_rebuild_wrote_costs_the_snapshot_and_not_the_report(line: World) -> None:
    line.night()
    state = load_state(line.vault)
    known = state.nodes[nid("beside")]
    odd = known.model_copy(update={"files": (known.files[0].model_copy(update={"filename": "be side.whl"}),)})
    save_state(line.vault, state.model_copy(update={"nodes": {**state.nodes, nid("beside"): odd}}))
    report = line.night()
    assert report.counts["unchanged"] == 5
    assert report.snapshot == ""
    assert "not what a rebuild writes" in "".join(report.warnings)
    assert report.ended_with == CatalogFailedError.exit_code


def test_what_cannot_be_rebuilt_from_nothing_does_not_keep_others_from_it(line: World) -> None:
    line.settings["reverify_days"] = 5
    line.night()
    line.packages["base"].fails = BuildFailedError("its input is gone")
    seen: set[str] = set()
    for _ in range(5):
        line.night(reverify=True)
        seen |= set(line.reproduced)
    assert seen == {nid(name) for name in line.packages}


NAMES = st.sampled_from("abcdefg")


@settings(max_examples=60, deadline=None, suppress_health_check=[HealthCheck.function_scoped_fixture])
@given(
    needs=st.dictionaries(NAMES, st.sets(NAMES, max_size=3), min_size=1),
    seeds=st.sets(NAMES),
    carries=st.sets(NAMES, max_size=2),
    fails=st.sets(NAMES, max_size=2),
    order=st.integers(0, 1000),
    interrupt=st.none() | st.integers(1, 20),
)
def test_every_node_ends_whatever_the_catalog(
    tmp_path: Path,
    needs: dict[str, set[str]],
    seeds: set[str],
    carries: set[str],
    fails: set[str],
    order: int,
    interrupt: int | None,
) -> None:
    with pytest.MonkeyPatch.context() as patch:
        packages = {
            name: Package(
                name,
                tuple(sorted(found)),
                seed="r" if name in seeds else "",
                carries=name in carries,
                fails=BuildFailedError("made up") if name in fails else None,
            )
            for name, found in needs.items()
        }
        world = World(packages, tmp_path).put_in(patch)
        if interrupt is not None:
            with suppress(Interrupted):
                world.night(FakeExecutor(order, interrupt_after=interrupt))
        report = world.night(FakeExecutor(order))
        assert sorted(states(report)) == sorted(packages)
        assert all(count == 1 for count in world.ids.values())
        again = FakeExecutor(order + 1)
        second = world.night(again)
        good = {name for name, state in states(report).items() if state in {"built", "unchanged"}}
        assert {name for name, state in states(second).items() if state == "unchanged"} == good
        # Beside a member that is known to fail another one may be begun, which in the first night was not.
        assert all(count == 1 for count in world.ids.values())
