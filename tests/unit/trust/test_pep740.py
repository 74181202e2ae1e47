from __future__ import annotations

import json
from typing import TYPE_CHECKING, Any

import pytest
from pypi_attestations import Attestation

from farm.errors import VerificationError
from farm.model.base import BlobRef, canonical_json
from farm.trust import pep740
from farm.trust.authority.instance import Authority, Claims
from farm.trust.verify import Trust, verify_provenance

if TYPE_CHECKING:
    from farm.trust.identity import ExpectedIdentity

NAME = "demo_pkg-1.0-py3-none-any.whl"


@pytest.fixture
def bundles(authority: Authority, blob: BlobRef, identity: ExpectedIdentity) -> tuple[str, str]:
    statement = {
        "_type": "https://in-toto.io/Statement/v1",
        "subject": [{"name": NAME, "digest": {"sha256": blob.sha256}}],
        "predicateType": "https://slsa.dev/provenance/v1",
        "predicate": {"runDetails": {"builder": {"id": identity.builder}}},
    }
    claims = Claims(identity.builder, identity.issuer)
    return authority.sign(bytes.fromhex(blob.sha256), canonical_json(statement), claims)


def test_the_round_trip_verifies(
    trust: Trust, bundles: tuple[str, str], blob: BlobRef, identity: ExpectedIdentity
) -> None:
    served = json.loads(json.dumps(pep740.provenance_object([bundles[1]], identity)))
    (group,) = served["attestation_bundles"]
    assert group["publisher"] == {"kind": "farm", "issuer": identity.issuer, "builder": identity.builder}
    bundle = pep740.bundle_of(group["attestations"][0])
    statement = verify_provenance(trust, blob, bundle, NAME, identity, require_stamp=False)
    assert statement["subject"][0]["name"] == NAME
    with pytest.raises(VerificationError, match="no timestamp"):
        verify_provenance(trust, blob, bundle, NAME, identity)


def test_the_reference_implementation_reads_the_attestation(bundles: tuple[str, str]) -> None:
    parsed = Attestation.model_validate_json(json.dumps(pep740.attestation(bundles[1])))
    assert parsed.statement["predicateType"] == "https://slsa.dev/provenance/v1"
    assert parsed.certificate_claims["1.3.6.1.4.1.57264.1.8"] == "https://farm.example/oidc"


def test_a_file_signature_is_no_attestation(bundles: tuple[str, str]) -> None:
    with pytest.raises(VerificationError):
        pep740.attestation(bundles[0])


@pytest.mark.parametrize("bundle", ["", "{}", b"\xff", "null"])
def test_what_is_no_bundle_is_refused(bundle: str | bytes) -> None:
    with pytest.raises(VerificationError):
        pep740.attestation(bundle)


@pytest.mark.parametrize("path", ["version", "verification_material", "envelope", "certificate", "entries"])
def test_what_is_no_attestation_is_refused(bundles: tuple[str, str], path: str) -> None:
    value: dict[str, Any] = pep740.attestation(bundles[1])
    if path == "certificate":
        value["verification_material"]["certificate"] = "AAAA"
    elif path == "entries":
        value["verification_material"]["transparency_entries"] = [{}]
    else:
        del value[path]
    with pytest.raises(VerificationError):
        pep740.bundle_of(value)
