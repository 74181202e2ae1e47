"""The timestamp authority: RFC 3161 tokens (CMS signed data, RFC 5652; signing certificate attribute, RFC 5816)."""

from __future__ import annotations

import hashlib
import secrets
from typing import TYPE_CHECKING, Annotated

from cryptography import x509
from cryptography.hazmat import asn1

from farm.trust.authority import encoding

if TYPE_CHECKING:
    from collections.abc import Sequence
    from datetime import datetime

    from farm.trust.authority.keys import KeyMaterial

__all__ = ["TimestampAuthority"]

_Oid = x509.ObjectIdentifier
_SHA256 = _Oid("2.16.840.1.101.3.4.2.1")
_ECDSA_SHA256 = _Oid("1.2.840.10045.4.3.2")
_SIGNED_DATA = _Oid("1.2.840.113549.1.7.2")
_TST_INFO = _Oid("1.2.840.113549.1.9.16.1.4")
_CONTENT_TYPE = _Oid("1.2.840.113549.1.9.3")
_MESSAGE_DIGEST = _Oid("1.2.840.113549.1.9.4")
_SIGNING_TIME = _Oid("1.2.840.113549.1.9.5")
_SIGNING_CERTIFICATE_V2 = _Oid("1.2.840.113549.1.9.16.2.47")
_POLICY = _Oid("1.3.6.1.4.1.57264.2")
"""The policy that Sigstore's timestamp authorities name."""


@asn1.sequence
class _Algorithm:
    algorithm: _Oid


@asn1.sequence
class _MessageImprint:
    hash_algorithm: _Algorithm
    hashed_message: bytes


@asn1.sequence
class _Accuracy:
    seconds: int


@asn1.sequence
class _TstInfo:
    version: int
    policy: _Oid
    message_imprint: _MessageImprint
    serial_number: int
    gen_time: asn1.GeneralizedTime
    accuracy: _Accuracy
    nonce: int


@asn1.sequence
class _EssCertId:
    hash_algorithm: _Algorithm
    cert_hash: bytes


@asn1.sequence
class _SigningCertificate:
    certs: list[_EssCertId]


@asn1.sequence
class _Attribute:
    kind: _Oid
    values: asn1.SetOf[asn1.TLV]


@asn1.sequence
class _IssuerAndSerial:
    issuer: asn1.TLV
    serial_number: int


@asn1.sequence
class _SignerInfo:
    version: int
    sid: _IssuerAndSerial
    digest_algorithm: _Algorithm
    signed_attributes: Annotated[asn1.SetOf[_Attribute], asn1.Implicit(0)]
    signature_algorithm: _Algorithm
    signature: bytes


@asn1.sequence
class _Encapsulated:
    content_type: _Oid
    content: Annotated[bytes, asn1.Explicit(0)]


@asn1.sequence
class _SignedData:
    version: int
    digest_algorithms: asn1.SetOf[_Algorithm]
    content: _Encapsulated
    certificates: Annotated[asn1.SetOf[asn1.TLV], asn1.Implicit(0)]
    signer_infos: asn1.SetOf[_SignerInfo]


@asn1.sequence
class _ContentInfo:
    content_type: _Oid
    content: Annotated[_SignedData, asn1.Explicit(0)]


@asn1.sequence
class _Status:
    status: int


@asn1.sequence
class _Response:
    status: _Status
    token: _ContentInfo


class TimestampAuthority:
    """Stamps signatures with the instance's timestamping key."""

    def __init__(self, keys: KeyMaterial) -> None:
        self._key = keys.tsa_key
        self._certificate = keys.tsa_chain[0]

    def stamp(self, signature: bytes, now: datetime) -> bytes:
        """Return the DER response (granted) with a token that says `signature` existed at `now` (whole seconds)."""
        digest = hashlib.sha256(signature).digest()
        info = _TstInfo(
            version=1,
            policy=_POLICY,
            message_imprint=_MessageImprint(hash_algorithm=_Algorithm(algorithm=_SHA256), hashed_message=digest),
            serial_number=secrets.randbits(120),
            gen_time=asn1.GeneralizedTime(now.replace(microsecond=0)),
            accuracy=_Accuracy(seconds=1),
            nonce=secrets.randbits(63),
        )
        content = asn1.encode_der(info)
        attributes = self._attributes(content, now)
        certificate = encoding.certificate_der(self._certificate)
        signer = _SignerInfo(
            version=1,
            sid=_IssuerAndSerial(
                issuer=_tlv(self._certificate.issuer.public_bytes()), serial_number=self._certificate.serial_number
            ),
            digest_algorithm=_Algorithm(algorithm=_SHA256),
            signed_attributes=attributes,
            signature_algorithm=_Algorithm(algorithm=_ECDSA_SHA256),
            # Signed is the attribute set with its own tag, SET OF, not the implicit one (RFC 5652, 5.4).
            signature=encoding.sign(self._key, asn1.encode_der(attributes)),
        )
        signed = _SignedData(
            version=3,
            digest_algorithms=asn1.SetOf([_Algorithm(algorithm=_SHA256)]),
            content=_Encapsulated(content_type=_TST_INFO, content=content),
            certificates=asn1.SetOf([_tlv(certificate)]),
            signer_infos=asn1.SetOf([signer]),
        )
        token = _ContentInfo(content_type=_SIGNED_DATA, content=signed)
        return asn1.encode_der(_Response(status=_Status(status=0), token=token))

    def _attributes(self, content: bytes, now: datetime) -> asn1.SetOf[_Attribute]:
        identity = _EssCertId(
            hash_algorithm=_Algorithm(algorithm=_SHA256),
            cert_hash=hashlib.sha256(encoding.certificate_der(self._certificate)).digest(),
        )
        values: Sequence[tuple[_Oid, object]] = (
            (_CONTENT_TYPE, _TST_INFO),
            (_SIGNING_TIME, asn1.UTCTime(now.replace(microsecond=0))),
            (_MESSAGE_DIGEST, hashlib.sha256(content).digest()),
            (_SIGNING_CERTIFICATE_V2, _SigningCertificate(certs=[identity])),
        )
        return asn1.SetOf([_Attribute(kind=oid, values=asn1.SetOf([_tlv(asn1.encode_der(v))])) for oid, v in values])


def _tlv(der: bytes) -> asn1.TLV:
    return asn1.decode_der(asn1.TLV, der)
