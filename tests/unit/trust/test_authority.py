"""The instance: keys on disk, certificates, a trust root that stays."""

from __future__ import annotations

import json
import shutil
from typing import TYPE_CHECKING

import pytest
from cryptography import x509
from cryptography.hazmat import asn1
from cryptography.hazmat.primitives.asymmetric import ec
from sigstore.models import Bundle

from farm.errors import TrustRootError, VerificationError
from farm.trust.authority import keys
from farm.trust.authority.certificates import CLAIM_OIDS
from farm.trust.authority.instance import Authority, Claims
from farm.trust.verify import parse_trust, verify_file

if TYPE_CHECKING:
    from pathlib import Path

    from farm.model.base import BlobRef
    from farm.trust.identity import ExpectedIdentity
    from farm.trust.verify import Trust


def sign(authority: Authority, blob: BlobRef, identity: ExpectedIdentity, **extensions: str) -> tuple[str, str]:
    claims = Claims(identity.builder, identity.issuer, extensions)
    return authority.sign(bytes.fromhex(blob.sha256), b'{"_type":"https://in-toto.io/Statement/v1"}', claims)


def test_the_folder_and_every_file_are_private(authority: Authority, tmp_path: Path) -> None:
    del authority
    folder = tmp_path / "authority"
    assert folder.stat().st_mode & 0o777 == 0o700
    assert {path.stat().st_mode & 0o777 for path in folder.iterdir()} == {0o600}


def test_a_restart_keeps_the_trust_root_and_old_bundles_verify(
    authority: Authority, tmp_path: Path, blob: BlobRef, identity: ExpectedIdentity
) -> None:
    bundle, _ = sign(authority, blob, identity)
    again = Authority(tmp_path / "authority", "another.example")
    assert again.trust_config(identity.issuer) == authority.trust_config(identity.issuer)
    trust = parse_trust(json.dumps(again.trust_config(identity.issuer)).encode(), "test")
    verify_file(trust, blob, bundle, identity)
    verify_file(trust, blob, sign(again, blob, identity)[0], identity)


def test_another_instance_does_not_verify(
    trust: Trust, tmp_path: Path, blob: BlobRef, identity: ExpectedIdentity
) -> None:
    other = Authority(tmp_path / "other", "farm.example")
    with pytest.raises(VerificationError):
        verify_file(trust, blob, sign(other, blob, identity)[0], identity)


def test_the_public_trust_configuration_holds_no_private_key(authority: Authority, tmp_path: Path) -> None:
    public = json.dumps(authority.trust_config("https://farm.example/oidc"))
    for path in (tmp_path / "authority").glob("*.key"):
        body = "".join(path.read_text().splitlines()[1:-1])
        assert len(body) > 100
        assert body[:60] not in public
    assert "PRIVATE" not in public


def test_keys_left_half_made_by_a_crash_are_made_anew(tmp_path: Path) -> None:
    (tmp_path / "authority.new").mkdir()
    (tmp_path / "authority.new" / "ca.key").write_text("half")
    Authority(tmp_path / "authority", "farm.example")
    assert not (tmp_path / "authority.new").exists()


@pytest.mark.parametrize("name", ["ca.key", "ca.pem", "log.key", "tsa.pem", "token.key", "instance.json"])
def test_a_missing_or_damaged_key_file_refuses_to_start(authority: Authority, tmp_path: Path, name: str) -> None:
    del authority
    path = tmp_path / "authority" / name
    path.write_bytes(b"-----BEGIN nothing\n")
    with pytest.raises(TrustRootError):
        Authority(tmp_path / "authority", "farm.example")
    path.unlink()
    with pytest.raises(TrustRootError):
        Authority(tmp_path / "authority", "farm.example")


def test_keys_that_others_can_read_refuse_to_start(authority: Authority, tmp_path: Path) -> None:
    del authority
    (tmp_path / "authority" / "log.key").chmod(0o640)
    with pytest.raises(TrustRootError, match=r"log\.key can be read by other users"):
        Authority(tmp_path / "authority", "farm.example")


def test_a_key_that_does_not_belong_to_its_certificate_refuses_to_start(authority: Authority, tmp_path: Path) -> None:
    del authority
    folder = tmp_path / "authority"
    shutil.copy(folder / "tsa.key", folder / "ca.key")
    with pytest.raises(TrustRootError, match="does not belong to its key"):
        Authority(folder, "farm.example")


def test_the_roots_keys_are_not_kept(tmp_path: Path) -> None:
    found = keys.load_or_create(tmp_path / "authority", "farm.example")
    for chain in (found.ca_chain, found.tsa_chain):
        root = chain[-1].public_key()
        assert isinstance(root, ec.EllipticCurvePublicKey)
        kept = (found.ca_key, found.ct_key, found.log_key, found.tsa_key, found.token_key)
        assert root not in [key.public_key() for key in kept]
    assert "PRIVATE" not in repr(found)


def test_the_certificate_says_who_and_for_which_build(
    authority: Authority, blob: BlobRef, identity: ExpectedIdentity
) -> None:
    claims = {name: f"https://farm.example/{name}" for name in CLAIM_OIDS}
    bundle, _ = sign(authority, blob, identity, **claims)
    certificate = Bundle.from_json(bundle).signing_certificate
    names = certificate.extensions.get_extension_for_class(x509.SubjectAlternativeName).value
    assert names.get_values_for_type(x509.UniformResourceIdentifier) == [identity.builder]
    for name, oid in CLAIM_OIDS.items():
        value = certificate.extensions.get_extension_for_oid(x509.ObjectIdentifier(oid)).value
        assert isinstance(value, x509.UnrecognizedExtension)
        assert asn1.decode_der(str, value.value) == claims[name]
    life = certificate.not_valid_after_utc - certificate.not_valid_before_utc
    assert life.total_seconds() < 700


def test_each_signing_has_a_key_of_its_own(authority: Authority, blob: BlobRef, identity: ExpectedIdentity) -> None:
    first, second = (Bundle.from_json(sign(authority, blob, identity)[0]).signing_certificate for _ in range(2))
    assert first.public_key() != second.public_key()
