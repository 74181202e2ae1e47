from __future__ import annotations

import base64
import gzip

import pytest

from farm.catalog.after import oldest
from farm.catalog.graph import make_graph
from farm.catalog.state import CatalogState, Failure, NodeState, SourceFacts, load_state, save_state
from farm.catalog.vanished import vanished, vanished_needs
from farm.model.catalog import RebuiltShare
from farm.model.key import KeyFields
from tests.fixtures_nodes import catalog_of, digest, file_of, need, nid, node_of, wheel
from tests.fixtures_source import MemoryVault

FIELDS = KeyFields(
    package="python/a@1.0", target="cp311-linux-amd64", recipe=digest("r"), source_tree=digest("t"), source_epoch=1,
    image=digest("i"), lock=digest("l"), rebuilt={"b.whl": digest("b")}, compressor="zlib 1", rules=3,
)  # fmt: skip
STATE = CatalogState(
    nodes={
        nid("a"): NodeState(
            fields=FIELDS, build_key=FIELDS.key, files=(file_of(wheel("a"), "a"),), share=RebuiltShare(own=1, total=2),
            needs=(nid("b"),), names=("a",), seconds=2.5, built_on="2026-01-01T00:00:00Z", verdict="reproduced",
            stage=2, seeds=("b.whl sha256:0",),
        ),
        nid("b"): NodeState(
            failure=Failure(build_key=digest("k"), error="BuildFailedError", exit_code=41, message="no", on="2026")
        ),
    },
    sources={digest("pin"): SourceFacts(tree=digest("tree"), epoch=1_700_000_000)},
)  # fmt: skip


def test_what_is_saved_is_loaded() -> None:
    vault = MemoryVault()
    assert load_state(vault) == CatalogState()
    save_state(vault, STATE)
    assert load_state(vault) == STATE
    ((_, data),) = vault.records.items()
    save_state(vault, STATE)
    assert list(vault.records.values()) == [data]  # the same state is the same record


@pytest.mark.parametrize(
    "data",
    [
        b"",
        b"\xff\xfe",
        b"not base64!",
        base64.b64encode(b"no gzip"),
        base64.b64encode(gzip.compress(b"no json")),
        base64.b64encode(gzip.compress(b'{"nodes": 1}')),
        base64.b64encode(gzip.compress(b'{"schema_version": 2}')),
        base64.b64encode(gzip.compress(STATE.canonical())[:-20]),
        base64.b64encode(gzip.compress(STATE.canonical())[:30] + b"\0" * 9),
    ],
)
def test_a_state_that_is_unreadable_is_made_anew(data: bytes) -> None:
    vault = MemoryVault()
    vault.put_record("catalog", "state", data)
    assert load_state(vault) == CatalogState()


def known(name: str, *needs: str, moment: str = "") -> NodeState:
    return NodeState(
        build_key="k", needs=tuple(map(nid, needs)), names=(name,), verified_on=moment, built_on="2026-01-01T00:00:00Z"
    )


def test_a_recipe_that_is_gone_is_missed_by_what_was_built_with_it() -> None:
    states = {nid("a"): known("a", "gone"), nid("b"): known("b"), nid("gone"): known("gone"),
              nid("failed"): NodeState()}  # fmt: skip
    graph = make_graph(catalog_of(node_of("a", "gone"), node_of("b"), node_of("new", "gone")))
    assert vanished(graph, states) == (nid("gone"),)
    assert vanished_needs(graph, states, graph.catalog.nodes) == {nid("a"): (nid("gone"),)}
    spelled = make_graph(catalog_of(node_of("a", need("Gone", "v1.0"))))
    assert vanished_needs(spelled, states, [nid("a")]) == {nid("a"): (nid("gone"),)}
    locked_anew = make_graph(catalog_of(node_of("a", need("gone", "2.0"))))
    assert vanished_needs(locked_anew, states, [nid("a")]) == {}


def test_the_oldest_come_first_and_all_within_so_many_runs() -> None:
    nodes = {nid(name): known(name, moment=f"2026-01-0{place}T00:00:00Z") for place, name in enumerate("cabed", 1)}
    assert oldest(nodes, nodes, 5) == (nid("c"),)
    assert oldest(nodes, nodes, 2) == (nid("c"), nid("a"), nid("b"))
    assert oldest(nodes, nodes, 1) == tuple(nodes)
    assert oldest(nodes, (), 3) == ()
    days, seen = 3, set[str]()
    for night in range(days):
        for name in oldest(nodes, nodes, days):
            seen.add(name)
            nodes[name] = nodes[name].model_copy(update={"verified_on": f"2026-02-0{night + 1}T00:00:00Z"})
    assert seen == nodes.keys()
