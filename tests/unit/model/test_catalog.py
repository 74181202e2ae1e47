from __future__ import annotations

import json
from typing import Any

import pytest

from farm.model.base import canonical_json
from farm.model.catalog import MAX_SNAPSHOT_BYTES, CatalogSnapshot, SnapshotPointer, following, parse_snapshot
from tests.fixtures_catalog import chain, made_up, now


def test_what_is_written_is_read_back_and_has_one_digest() -> None:
    (snapshot,) = chain(1, [made_up("b"), made_up("a", "2"), made_up("a", "1")])
    assert parse_snapshot(snapshot.canonical()) == snapshot
    assert [(e.name, e.version) for e in snapshot.entries] == [("a", "1"), ("a", "2"), ("b", "1.0")]


def test_each_follows_the_one_before() -> None:
    first, second, third = chain(3)
    assert [first.sequence, second.sequence, third.sequence] == [1, 2, 3]
    assert first.previous == ""
    assert second.previous == first.fingerprint()
    assert third.previous == second.fingerprint()


def test_an_entry_cannot_be_there_twice() -> None:
    with pytest.raises(ValueError, match="twice"):
        following(None, [made_up(), made_up()], now())
    assert len(following(None, [made_up(), made_up(target="cp313-linux-amd64")], now()).entries) == 2


def changed(path: tuple[str | int, ...], value: object) -> bytes:
    document = json.loads(chain(1, [made_up("a"), made_up("b")])[0].canonical())
    place: Any = document
    for step in path[:-1]:
        place = place[step]
    place[path[-1]] = value
    return canonical_json(document)


@pytest.mark.parametrize(
    ("path", "value"),
    [
        (("sequence",), 2),
        (("sequence",), 0),
        (("previous",), "c" * 64),
        (("created",), "2026-02-30T00:00:00Z"),
        (("created",), "2026-02-03"),
        (("entries", 0, "name"), "z"),
        (("entries", 1, "name"), "a"),
        (("entries", 0, "name"), "../a"),
        (("entries", 0, "verified_on"), "2026-13-01"),
        (("entries", 0, "verdict"), "reproduced"),
        (("entries", 0, "verdict"), "fine"),
        (("entries", 0, "rebuilt"), {"own": 2, "total": 1}),
        (("entries", 0, "files"), []),
        (("entries", 0, "files", 0, "path"), "org/example/other.jar"),
        (("entries", 0, "files", 0, "path"), "/etc/a-1.0-py3-none-any.whl"),
        (("entries", 0, "files", 0, "filename"), "../a.whl"),
        (("entries", 0, "files", 0, "sha256"), "A" * 64),
        (("entries", 0, "files", 0, "size"), -1),
        (("entries", 0, "files", 0, "size"), "1"),
        (("more",), 1),
    ],
)
def test_anything_else_is_no_snapshot(path: tuple[str | int, ...], value: object) -> None:
    with pytest.raises(ValueError, match=r"."):
        parse_snapshot(changed(path, value))


def test_only_the_canonical_form_counts() -> None:
    document = chain(1)[0].canonical()
    twice = document.replace(b'"sequence":1', b'"sequence":2,"sequence":1')
    for other in (document + b"\n", json.dumps(json.loads(document), indent=1).encode(), twice, b" " + document):
        with pytest.raises(ValueError, match="canonical"):
            parse_snapshot(other)
    with pytest.raises(ValueError, match="at most"):
        parse_snapshot(b" " * (MAX_SNAPSHOT_BYTES + 1))
    for nothing in (b"", b"[" * 100_000, b"\xff", b"{}"):
        with pytest.raises(ValueError, match=r"."):
            parse_snapshot(nothing)


def test_a_file_is_found_by_bytes_and_name() -> None:
    snapshot = CatalogSnapshot.model_validate_json(chain(1, [made_up()])[0].canonical())
    assert [str(e) for e in snapshot.holders("a" * 64, "sample_lib-1.0-py3-none-any.whl")] == [
        "python/sample-lib@1.0:cp311-linux-amd64"
    ]
    assert snapshot.holders("a" * 64, "other.whl") == ()
    assert snapshot.holders("c" * 64, "sample_lib-1.0-py3-none-any.whl") == ()


def test_the_pointer_names_the_place() -> None:
    assert SnapshotPointer(sequence=7, sha256="a" * 64).path == f"snapshots/7-{'a' * 64}.json"
