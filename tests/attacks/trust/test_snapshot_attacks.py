"""Attacks on the signer's interface for catalog snapshots: requests as an attacker with the socket sends them."""

from __future__ import annotations

import json
from typing import TYPE_CHECKING

import pytest

from farm.errors import VerificationError
from farm.model.base import BlobRef, sha256_bytes
from farm.model.catalog import MAX_SNAPSHOT_BYTES, following
from farm.trust.identity import catalog_identity
from farm.trust.snapshots import verify_snapshot
from tests.attacks.trust.conftest import NAME, make_target
from tests.fixtures_catalog import chain, entry_of, made_up, now

if TYPE_CHECKING:
    from pathlib import Path

    from tests.attacks.trust.conftest import Target


def ask(target: Target, document: bytes) -> tuple[int, dict[str, object]]:
    answer = target.http.request("POST", "/snapshots", content=document)
    return answer.status_code, answer.json()


def test_a_file_that_was_never_signed(target: Target) -> None:
    before = target.log_size()
    status, answer = ask(target, chain(1, [made_up()])[0].canonical())
    assert status == 422
    assert answer["unknown"] == ["a" * 64]
    assert target.log_size() == before
    assert target.http.request("GET", "/snapshots/last").status_code == 404


def test_a_file_that_was_announced_but_never_signed(target: Target) -> None:
    target.open()
    status, _ = ask(target, chain(1, [entry_of(target.job, NAME, target.blob)])[0].canonical())
    assert status == 422


def test_a_signed_file_beside_one_that_is_not(target: Target) -> None:
    assert target.post(target.open()).status_code == 200
    own = entry_of(target.job, NAME, target.blob)
    evil = own.files[0].model_copy(update={"filename": "demo_pkg-1.0-py2-none-any.whl", "sha256": "e" * 64})
    both = own.model_copy(update={"files": (evil, own.files[0])})
    status, answer = ask(target, chain(1, [both])[0].canonical())
    assert (status, answer["unknown"]) == (422, ["e" * 64])
    assert ask(target, chain(1, [own])[0].canonical())[0] == 200


def test_a_huge_document(target: Target) -> None:
    for document in (b" " * (MAX_SNAPSHOT_BYTES + 1), b"[" * 5_000_000):
        assert ask(target, document)[0] in {413, 422}
    assert target.log_size() == 0


@pytest.mark.parametrize("document", [b"", b"null", b"\xff\xfe", b'{"a":1}', b"[" * 100_000, b'{"sequence":1e999}'])
def test_anything_but_a_snapshot(target: Target, document: bytes) -> None:
    assert ask(target, document)[0] == 422
    assert target.log_size() == 0


def test_two_documents_for_one_number(target: Target) -> None:
    assert target.post(target.open()).status_code == 200
    entry = entry_of(target.job, NAME, target.blob)
    (first,), (other,) = chain(1), chain(1, [entry])
    assert ask(target, first.canonical())[0] == 200
    assert ask(target, other.canonical())[0] == 409
    # Nor can the chain be bent: what follows another first one is refused.
    assert ask(target, following(other, [], now()).canonical())[0] == 409
    assert ask(target, following(first, [entry], now()).canonical())[0] == 200
    assert ask(target, first.canonical())[0] == 409


def test_a_snapshot_signed_as_a_file_of_a_package(tmp_path: Path) -> None:
    document = chain(1, [made_up()])[0].canonical()
    wheel = tmp_path / "evil" / NAME
    wheel.parent.mkdir()
    wheel.write_bytes(document)
    evil = make_target(tmp_path / "evil-signer", wheel)
    answer = evil.post(evil.open())
    assert answer.status_code == 200
    with pytest.raises(VerificationError):
        verify_snapshot(evil.trust, document, answer.json()["signature"], catalog_identity(evil.identity))


def test_a_snapshots_signature_on_a_file(target: Target) -> None:
    from farm.trust.verify import verify_file  # noqa: PLC0415 - beside the key code

    (snapshot,) = chain(1)
    _, answer = ask(target, snapshot.canonical())
    blob = BlobRef(sha256=sha256_bytes(snapshot.canonical()), size=len(snapshot.canonical()))
    with pytest.raises(VerificationError):
        verify_file(target.trust, blob, str(answer["bundle"]), target.identity)


def test_provenance_of_another_signer_teaches_nothing(target: Target, wheel: Path, tmp_path: Path) -> None:
    other = make_target(tmp_path / "other", wheel)
    foreign = other.post(other.open()).json()["provenance"]
    for bundle in (foreign, "", "{}", json.dumps({"dsseEnvelope": {"payload": "e30="}}), "[" * 100_000):
        answer = target.http.request("POST", "/signed", content=bundle.encode())
        assert answer.status_code == 422, bundle[:50]
    assert ask(target, chain(1, [entry_of(target.job, NAME, target.blob)])[0].canonical())[0] == 422
