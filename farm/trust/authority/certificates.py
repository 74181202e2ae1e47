"""The certificate authority: short-lived signing certificates with a signed certificate timestamp (SCT) inside.

Sources: the Fulcio certificate specification and its OID list; RFC 6962, 3.2-3.3 (SCT), RFC 5280. The certificate needs
no certificate-transparency log of its own: both entries of the transparency log that a signing makes hold it whole.
"""

from __future__ import annotations

import struct
from dataclasses import dataclass, field
from datetime import timedelta
from types import MappingProxyType
from typing import TYPE_CHECKING

from cryptography import x509
from cryptography.hazmat import asn1
from cryptography.hazmat.primitives import hashes
from cryptography.x509.oid import ExtendedKeyUsageOID

from farm.trust.authority import encoding

if TYPE_CHECKING:
    from collections.abc import Mapping
    from datetime import datetime

    from cryptography.hazmat.primitives.asymmetric import ec

    from farm.trust.authority.keys import KeyMaterial

__all__ = ["CLAIM_OIDS", "CertificateAuthority", "Claims"]

_FULCIO = "1.3.6.1.4.1.57264.1."
CLAIM_OIDS: Mapping[str, str] = MappingProxyType(
    {
        "build_signer_uri": _FULCIO + "9",
        "runner_environment": _FULCIO + "11",
        "source_repository_uri": _FULCIO + "12",
        "source_repository_digest": _FULCIO + "13",
        "source_repository_ref": _FULCIO + "14",
        "build_config_uri": _FULCIO + "18",
        "build_config_digest": _FULCIO + "19",
        "run_invocation_uri": _FULCIO + "21",
    }
)
"""Claim → the object identifier of its extension (a DER UTF8String)."""
_ISSUER_RAW = _FULCIO + "1"
_ISSUER = _FULCIO + "8"
_SCT_LIST = "1.3.6.1.4.1.11129.2.4.2"
_VALID = timedelta(minutes=10)
_CLOCK_SKEW = timedelta(seconds=30)
_SHA256_ECDSA = b"\x04\x03"


@dataclass(frozen=True)
class Claims:
    """What a certificate says about who signs and for which build."""

    identity: str
    """The URI in the subject alternative name: the builder's id."""
    issuer: str
    extensions: Mapping[str, str] = field(default_factory=dict)
    """Claim (a key of CLAIM_OIDS) → value; empty values are left out."""


class CertificateAuthority:
    """Issues certificates with the instance's CA and CT keys."""

    def __init__(self, keys: KeyMaterial) -> None:
        self._key = keys.ca_key
        self._issuer = keys.ca_chain[0]
        self._ct_key = keys.ct_key

    def issue(self, key: ec.EllipticCurvePublicKey, claims: Claims, now: datetime) -> x509.Certificate:
        """Return a certificate for `key`, valid for ten minutes, with its SCT.

        Raises:
            KeyError: a claim that has no object identifier.
        """
        builder = self._builder(key, claims, now)
        precertificate = builder.sign(self._key, hashes.SHA256())
        timestamp = int(now.timestamp() * 1000)
        sct = self._certificate_timestamp(precertificate.tbs_certificate_bytes, timestamp)
        scts = struct.pack("!HH", len(sct) + 2, len(sct)) + sct
        return _extended(builder, _SCT_LIST, asn1.encode_der(scts)).sign(self._key, hashes.SHA256())

    def _builder(self, key: ec.EllipticCurvePublicKey, claims: Claims, now: datetime) -> x509.CertificateBuilder:
        usage = x509.KeyUsage(
            digital_signature=True,
            content_commitment=False,
            key_encipherment=False,
            data_encipherment=False,
            key_agreement=False,
            key_cert_sign=False,
            crl_sign=False,
            encipher_only=False,
            decipher_only=False,
        )
        authority = x509.AuthorityKeyIdentifier.from_issuer_public_key(self._key.public_key())
        builder = (
            x509.CertificateBuilder()
            .subject_name(x509.Name([]))
            .issuer_name(self._issuer.subject)
            .public_key(key)
            .serial_number(x509.random_serial_number())
            .not_valid_before(now - _CLOCK_SKEW)
            .not_valid_after(now + _VALID)
            .add_extension(usage, critical=True)
            .add_extension(x509.ExtendedKeyUsage([ExtendedKeyUsageOID.CODE_SIGNING]), critical=False)
            .add_extension(x509.SubjectKeyIdentifier.from_public_key(key), critical=False)
            .add_extension(authority, critical=False)
            # Critical, since the subject is empty (RFC 5280, 4.2.1.6).
            .add_extension(
                x509.SubjectAlternativeName([x509.UniformResourceIdentifier(claims.identity)]), critical=True
            )
        )
        # The first form of the issuer is the bare text, as older clients read it.
        builder = _extended(builder, _ISSUER_RAW, claims.issuer.encode())
        builder = _extended(builder, _ISSUER, asn1.encode_der(claims.issuer))
        for claim, value in sorted(claims.extensions.items()):
            if value:
                builder = _extended(builder, CLAIM_OIDS[claim], asn1.encode_der(value))
        return builder

    def _certificate_timestamp(self, tbs: bytes, timestamp: int) -> bytes:
        """Return the SCT (v1, ECDSA with SHA-256) over a precertificate's to-be-signed part."""
        entry = encoding.key_id(self._key) + struct.pack("!I", len(tbs))[1:] + tbs
        # version 0, signature type 0 (certificate_timestamp), time, entry type 1 (precert), entry, no extensions
        signed = struct.pack("!BBQH", 0, 0, timestamp, 1) + entry + struct.pack("!H", 0)
        signature = encoding.sign(self._ct_key, signed)
        head = b"\x00" + encoding.key_id(self._ct_key) + struct.pack("!QH", timestamp, 0)
        return head + _SHA256_ECDSA + struct.pack("!H", len(signature)) + signature


def _extended(builder: x509.CertificateBuilder, oid: str, value: bytes) -> x509.CertificateBuilder:
    return builder.add_extension(x509.UnrecognizedExtension(x509.ObjectIdentifier(oid), value), critical=False)
