"""Small encodings that every part of the instance shares: base64 text, DER keys and certificates, RFC 3339."""

from __future__ import annotations

import base64
import hashlib
from typing import TYPE_CHECKING

from cryptography.hazmat.primitives import hashes
from cryptography.hazmat.primitives.asymmetric import ec
from cryptography.hazmat.primitives.serialization import Encoding, PublicFormat

if TYPE_CHECKING:
    from datetime import datetime

    from cryptography import x509

__all__ = ["b64", "certificate_der", "key_id", "rfc3339", "sign", "spki"]


def b64(data: bytes) -> str:
    """Return standard base64 text."""
    return base64.b64encode(data).decode("ascii")


def spki(key: ec.EllipticCurvePrivateKey | ec.EllipticCurvePublicKey) -> bytes:
    """Return the DER SubjectPublicKeyInfo of a key."""
    public = key.public_key() if isinstance(key, ec.EllipticCurvePrivateKey) else key
    return public.public_bytes(Encoding.DER, PublicFormat.SubjectPublicKeyInfo)


def key_id(key: ec.EllipticCurvePrivateKey | ec.EllipticCurvePublicKey) -> bytes:
    """Return the SHA-256 of the SubjectPublicKeyInfo: the id of a log (RFC 6962, 3.2)."""
    return hashlib.sha256(spki(key)).digest()


def certificate_der(certificate: x509.Certificate) -> bytes:
    """Return a certificate as DER."""
    return certificate.public_bytes(Encoding.DER)


def sign(key: ec.EllipticCurvePrivateKey, data: bytes) -> bytes:
    """Return the ECDSA signature (DER) over the SHA-256 of `data`."""
    return key.sign(data, ec.ECDSA(hashes.SHA256()))


def rfc3339(moment: datetime) -> str:
    """Return a UTC time in seconds, `2026-01-02T03:04:05Z`."""
    return moment.strftime("%Y-%m-%dT%H:%M:%SZ")
