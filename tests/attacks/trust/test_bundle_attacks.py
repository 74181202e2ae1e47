"""Somebody between the repository and the consumer changes files and bundles."""

from __future__ import annotations

import base64
import json
from typing import TYPE_CHECKING, Any

import pytest

from farm.errors import VerificationError
from farm.trust.verify import verify_file, verify_provenance

if TYPE_CHECKING:
    from collections.abc import Callable

    from farm.trust.identity import ExpectedIdentity
    from tests.attacks.trust.conftest import Target

NAME = "demo_pkg-1.0-py3-none-any.whl"
Bundle = dict[str, Any]


@pytest.fixture
def signed(target: Target) -> dict[str, Any]:
    answer = target.post(target.open())
    assert answer.status_code == 200, answer.text
    return dict(answer.json())


def check_both(target: Target, signed: dict[str, Any], identity: ExpectedIdentity | None = None) -> None:
    verify_file(target.trust, target.wheel, signed["signature"], identity or target.identity)
    verify_provenance(target.trust, target.wheel, signed["provenance"], NAME, identity or target.identity)


def test_unchanged_it_verifies(target: Target, signed: dict[str, Any]) -> None:
    check_both(target, signed)


def test_a_flipped_byte_in_the_file(target: Target, signed: dict[str, Any]) -> None:
    data = bytearray(target.wheel.read_bytes())
    for position in (0, len(data) // 2, len(data) - 1):
        changed = bytearray(data)
        changed[position] ^= 1
        target.wheel.write_bytes(changed)
        with pytest.raises(VerificationError):
            verify_file(target.trust, target.wheel, signed["signature"], target.identity)
        with pytest.raises(VerificationError):
            verify_provenance(target.trust, target.wheel, signed["provenance"], NAME, target.identity)


@pytest.mark.parametrize(
    "changes",
    [
        {"builder": "https://farm.example/builders/workstation/v1"},
        {"builder": "https://farm.example/builders/test"},
        {"issuer": "https://elsewhere.example/oidc"},
        {"source_digest": "b" * 40},
        {"source_uri": "https://git.example.org/team/look-alike"},
    ],
)
def test_a_signature_by_somebody_else(target: Target, signed: dict[str, Any], changes: dict[str, str]) -> None:
    identity = target.identity.model_copy(update=changes)
    with pytest.raises(VerificationError):
        verify_file(target.trust, target.wheel, signed["signature"], identity)
    with pytest.raises(VerificationError):
        verify_provenance(target.trust, target.wheel, signed["provenance"], NAME, identity)


def test_the_provenance_of_another_file_of_the_same_builder(target: Target, signed: dict[str, Any]) -> None:
    target.wheel.write_bytes(b"the next build")
    other = target.post(target.open(run_id="run-2"), run="run-2").json()
    with pytest.raises(VerificationError, match="other bytes"):
        verify_provenance(target.trust, target.wheel, signed["provenance"], NAME, target.identity)
    with pytest.raises(VerificationError):
        verify_file(target.trust, target.wheel, signed["signature"], target.identity)
    check_both(target, other)


def test_a_file_under_another_name(target: Target, signed: dict[str, Any]) -> None:
    with pytest.raises(VerificationError, match="is about"):
        verify_provenance(
            target.trust,
            target.wheel,
            signed["provenance"],
            "demo_pkg-1.0-cp311-cp311-linux_x86_64.whl",
            target.identity,
        )


def test_one_bundle_in_place_of_the_other(target: Target, signed: dict[str, Any]) -> None:
    with pytest.raises(VerificationError):
        verify_file(target.trust, target.wheel, signed["provenance"], target.identity)
    with pytest.raises(VerificationError):
        verify_provenance(target.trust, target.wheel, signed["signature"], NAME, target.identity)


def entry(bundle: Bundle) -> Bundle:
    (found,) = bundle["verificationMaterial"]["tlogEntries"]
    assert isinstance(found, dict)
    return found


def swap_statement(bundle: Bundle) -> None:
    statement = json.loads(base64.b64decode(bundle["dsseEnvelope"]["payload"]))
    statement["predicate"]["buildDefinition"]["resolvedDependencies"][0]["digest"]["gitCommit"] = "b" * 40
    bundle["dsseEnvelope"]["payload"] = base64.b64encode(json.dumps(statement).encode()).decode()


def remove_stamp(bundle: Bundle) -> None:
    bundle["verificationMaterial"]["timestampVerificationData"] = {"rfc3161Timestamps": []}


def remove_stamp_data(bundle: Bundle) -> None:
    del bundle["verificationMaterial"]["timestampVerificationData"]


def remove_entry(bundle: Bundle) -> None:
    bundle["verificationMaterial"]["tlogEntries"] = []


def remove_proof(bundle: Bundle) -> None:
    del entry(bundle)["inclusionProof"]


def remove_checkpoint(bundle: Bundle) -> None:
    del entry(bundle)["inclusionProof"]["checkpoint"]


def move_index(bundle: Bundle) -> None:
    entry(bundle)["inclusionProof"]["logIndex"] = "0" if entry(bundle)["inclusionProof"]["logIndex"] != "0" else "1"


def grow_tree(bundle: Bundle) -> None:
    entry(bundle)["inclusionProof"]["treeSize"] = "4096"


def edit_checkpoint(bundle: Bundle) -> None:
    checkpoint = entry(bundle)["inclusionProof"]["checkpoint"]
    checkpoint["envelope"] = checkpoint["envelope"].replace("log.farm.example - 1", "log.evil.example - 1")


def backdate(bundle: Bundle) -> None:
    entry(bundle)["integratedTime"] = str(int(entry(bundle)["integratedTime"]) - 60)


def two_entries(bundle: Bundle) -> None:
    bundle["verificationMaterial"]["tlogEntries"] *= 2


def no_signature(bundle: Bundle) -> None:
    bundle.pop("dsseEnvelope", None)
    bundle.pop("messageSignature", None)


COMMON = [
    remove_stamp,
    remove_stamp_data,
    remove_entry,
    remove_proof,
    remove_checkpoint,
    move_index,
    grow_tree,
    edit_checkpoint,
    backdate,
    two_entries,
    no_signature,
]


@pytest.mark.parametrize("change", [swap_statement, *COMMON], ids=lambda change: change.__name__)
def test_a_changed_provenance_bundle(target: Target, signed: dict[str, Any], change: Callable[[Bundle], None]) -> None:
    bundle = json.loads(signed["provenance"])
    change(bundle)
    with pytest.raises(VerificationError):
        verify_provenance(target.trust, target.wheel, json.dumps(bundle), NAME, target.identity)


@pytest.mark.parametrize("change", COMMON, ids=lambda change: change.__name__)
def test_a_changed_signature_bundle(target: Target, signed: dict[str, Any], change: Callable[[Bundle], None]) -> None:
    bundle = json.loads(signed["signature"])
    change(bundle)
    with pytest.raises(VerificationError):
        verify_file(target.trust, target.wheel, json.dumps(bundle), target.identity)


@pytest.mark.parametrize("part", ["certificate", "tlogEntries", "timestampVerificationData"])
def test_material_of_another_signing(target: Target, signed: dict[str, Any], part: str) -> None:
    """The pieces of two honest bundles do not make a third."""
    target.wheel.write_bytes(b"the next build")
    other = json.loads(target.post(target.open(run_id="run-2"), run="run-2").json()["signature"])
    bundle = json.loads(signed["signature"])
    bundle["verificationMaterial"][part] = other["verificationMaterial"][part]
    with pytest.raises(VerificationError):
        verify_file(target.trust, target.wheel, json.dumps(bundle), target.identity)
