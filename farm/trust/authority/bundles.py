"""Sigstore bundles (v0.3) and the log entries they name: what stock clients, old and new, read.

Sources: the Sigstore bundle message (protobuf JSON), DSSE v1 (envelope and pre-authentication encoding), Rekor's
`hashedrekord 0.0.1` and `dsse 0.0.1` entry types.
"""

from __future__ import annotations

import hashlib
from dataclasses import dataclass
from typing import TYPE_CHECKING, Any

from cryptography.hazmat.primitives.serialization import Encoding

from farm.model.base import canonical_json
from farm.trust.authority import encoding

if TYPE_CHECKING:
    from cryptography import x509

    from farm.trust.authority.transparency import LogEntry

__all__ = ["PAYLOAD_TYPE", "EnvelopeSignature", "FileSignature", "pre_authentication"]

PAYLOAD_TYPE = "application/vnd.in-toto+json"
_MEDIA_TYPE = "application/vnd.dev.sigstore.bundle.v0.3+json"


@dataclass(frozen=True)
class FileSignature:
    """A signature over a file's SHA-256."""

    certificate: x509.Certificate
    digest: bytes
    signature: bytes
    stamp: bytes
    """RFC 3161 response over the signature."""
    kind = "hashedrekord"

    def entry_body(self) -> bytes:
        """Return the canonical body of the log entry."""
        spec = {
            "data": {"hash": {"algorithm": "sha256", "value": self.digest.hex()}},
            "signature": {
                "content": encoding.b64(self.signature),
                "publicKey": {"content": _pem(self.certificate)},
            },
        }
        return canonical_json({"apiVersion": "0.0.1", "kind": self.kind, "spec": spec})

    def bundle(self, entry: LogEntry) -> str:
        """Return the bundle as JSON text."""
        content = {
            "messageDigest": {"algorithm": "SHA2_256", "digest": encoding.b64(self.digest)},
            "signature": encoding.b64(self.signature),
        }
        return _bundle(self.certificate, self.stamp, entry, {"messageSignature": content})


@dataclass(frozen=True)
class EnvelopeSignature:
    """A signature over an in-toto statement in a DSSE envelope."""

    certificate: x509.Certificate
    payload: bytes
    signature: bytes
    stamp: bytes
    """RFC 3161 response over the signature."""
    kind = "dsse"

    def entry_body(self) -> bytes:
        """Return the canonical body of the log entry."""
        spec = {
            "envelopeHash": _sha256(canonical_json(self._envelope())),
            "payloadHash": _sha256(self.payload),
            "signatures": [{"signature": encoding.b64(self.signature), "verifier": _pem(self.certificate)}],
        }
        return canonical_json({"apiVersion": "0.0.1", "kind": self.kind, "spec": spec})

    def bundle(self, entry: LogEntry) -> str:
        """Return the bundle as JSON text."""
        return _bundle(self.certificate, self.stamp, entry, {"dsseEnvelope": self._envelope()})

    def _envelope(self) -> dict[str, Any]:
        return {
            "payload": encoding.b64(self.payload),
            "payloadType": PAYLOAD_TYPE,
            "signatures": [{"sig": encoding.b64(self.signature)}],
        }


def pre_authentication(payload: bytes) -> bytes:
    """Return what an envelope's signature covers (DSSE v1, PAE)."""
    kind = PAYLOAD_TYPE.encode()
    return b"DSSEv1 %d %b %d %b" % (len(kind), kind, len(payload), payload)


def _bundle(certificate: x509.Certificate, stamp: bytes, entry: LogEntry, content: dict[str, Any]) -> str:
    material = {
        "certificate": {"rawBytes": encoding.b64(encoding.certificate_der(certificate))},
        "timestampVerificationData": {"rfc3161Timestamps": [{"signedTimestamp": encoding.b64(stamp)}]},
        "tlogEntries": [entry.as_json()],
    }
    return canonical_json({"mediaType": _MEDIA_TYPE, "verificationMaterial": material, **content}).decode()


def _pem(certificate: x509.Certificate) -> str:
    return encoding.b64(certificate.public_bytes(Encoding.PEM))


def _sha256(data: bytes) -> dict[str, str]:
    return {"algorithm": "sha256", "value": hashlib.sha256(data).hexdigest()}
