"""The embedded Sigstore instance as a whole: one call signs a file and its statement, one gives the public trust root.

Each signing has a key and a certificate of its own that exist for that call alone.
"""

from __future__ import annotations

from datetime import UTC, datetime
from typing import TYPE_CHECKING, Any

from cryptography.hazmat.primitives import hashes
from cryptography.hazmat.primitives.asymmetric import ec
from cryptography.hazmat.primitives.asymmetric.utils import Prehashed

from farm.trust.authority import encoding
from farm.trust.authority.bundles import EnvelopeSignature, FileSignature, pre_authentication
from farm.trust.authority.certificates import CertificateAuthority, Claims
from farm.trust.authority.keys import LOG_NAME, load_or_create
from farm.trust.authority.timestamps import TimestampAuthority
from farm.trust.authority.transparency import TransparencyLog

if TYPE_CHECKING:
    from collections.abc import Iterable
    from pathlib import Path

    from cryptography import x509

__all__ = ["Authority", "Claims"]

_OPERATOR = "farm"


class Authority:
    """Certificate authority, transparency log and timestamp authority over one set of keys; safe for threads."""

    def __init__(self, folder: Path, host: str) -> None:
        """Load the instance in `folder`, made on first use; the caller holds the lock of the data folder.

        Args:
            folder: keys and log.
            host: for a new instance, the name its services go by.

        Raises:
            TrustRootError: the keys are damaged or exposed.
            VerificationError: the transparency log was changed.
            ServiceError: the keys cannot be written.
        """
        keys = load_or_create(folder, host)
        self.token_key = keys.token_key
        self._keys = keys
        self._origin = f"log.{keys.host}"
        self._certificates = CertificateAuthority(keys)
        self._timestamps = TimestampAuthority(keys)
        self.log = TransparencyLog(folder / LOG_NAME, keys.log_key, self._origin)

    def sign(self, sha256: bytes, statement: bytes, claims: Claims) -> tuple[str, str]:
        """Sign a file by its digest and an in-toto statement; return both bundles (JSON text), in that order.

        Raises:
            ServiceError: the transparency log cannot be written.
        """
        now = datetime.now(UTC).replace(microsecond=0)
        key = ec.generate_private_key(ec.SECP256R1())
        certificate = self._certificates.issue(key.public_key(), claims, now)
        over_file = key.sign(sha256, ec.ECDSA(Prehashed(hashes.SHA256())))
        over_statement = encoding.sign(key, pre_authentication(statement))
        file = FileSignature(certificate, sha256, over_file, self._timestamps.stamp(over_file, now))
        envelope = EnvelopeSignature(
            certificate, statement, over_statement, self._timestamps.stamp(over_statement, now)
        )
        bodies = ((file.kind, file.entry_body()), (envelope.kind, envelope.entry_body()))
        first, second = self.log.append(bodies, int(now.timestamp()))
        return file.bundle(first), envelope.bundle(second)

    def sign_document(self, sha256: bytes, claims: Claims) -> str:
        """Sign a document that is no build's by its digest; return the bundle (JSON text).

        Raises:
            ServiceError: the transparency log cannot be written.
        """
        now = datetime.now(UTC).replace(microsecond=0)
        key = ec.generate_private_key(ec.SECP256R1())
        certificate = self._certificates.issue(key.public_key(), claims, now)
        over_file = key.sign(sha256, ec.ECDSA(Prehashed(hashes.SHA256())))
        file = FileSignature(certificate, sha256, over_file, self._timestamps.stamp(over_file, now))
        (entry,) = self.log.append(((file.kind, file.entry_body()),), int(now.timestamp()))
        return file.bundle(entry)

    def trust_config(self, issuer: str) -> dict[str, Any]:
        """Return the public client trust configuration (Sigstore's ClientTrustConfig v0.1), the same on every start."""
        host = self._keys.host
        signing = {
            "mediaType": "application/vnd.dev.sigstore.signingconfig.v0.2+json",
            "caUrls": [self._service(f"https://ca.{host}")],
            "oidcUrls": [self._service(issuer)],
            # sigstore-go looks a log up by the host of this URL, which has to be the checkpoint's origin.
            "rekorTlogUrls": [self._service(f"https://{self._origin}")],
            "rekorTlogConfig": {"selector": "ANY"},
            "tsaUrls": [self._service(f"https://tsa.{host}")],
            "tsaConfig": {"selector": "ANY"},
        }
        return {
            "mediaType": "application/vnd.dev.sigstore.clienttrustconfig.v0.1+json",
            "trustedRoot": self._trusted_root(),
            "signingConfig": signing,
        }

    def _trusted_root(self) -> dict[str, Any]:
        host, keys = self._keys.host, self._keys
        return {
            "mediaType": "application/vnd.dev.sigstore.trustedroot+json;version=0.1",
            "tlogs": [self._log(f"https://{self._origin}", keys.log_key)],
            "ctlogs": [self._log(f"https://ct.{host}", keys.ct_key)],
            "certificateAuthorities": [self._authority("signing", f"https://ca.{host}", keys.ca_chain)],
            "timestampAuthorities": [self._authority("timestamps", f"https://tsa.{host}", keys.tsa_chain)],
        }

    def _log(self, url: str, key: ec.EllipticCurvePrivateKey) -> dict[str, Any]:
        public = {"rawBytes": encoding.b64(encoding.spki(key)), "keyDetails": "PKIX_ECDSA_P256_SHA_256"}
        return {
            "baseUrl": url,
            "hashAlgorithm": "SHA2_256",
            "publicKey": public | {"validFor": self._valid()},
            "logId": {"keyId": encoding.b64(encoding.key_id(key))},
        }

    def _authority(self, name: str, uri: str, chain: Iterable[x509.Certificate]) -> dict[str, Any]:
        certificates = [{"rawBytes": encoding.b64(encoding.certificate_der(c))} for c in chain]
        return {
            "subject": {"organization": _OPERATOR, "commonName": f"{self._keys.host} {name}"},
            "uri": uri,
            "certChain": {"certificates": certificates},
            "validFor": self._valid(),
        }

    def _service(self, url: str) -> dict[str, Any]:
        return {"url": url, "majorApiVersion": 1, "validFor": self._valid(), "operator": _OPERATOR}

    def _valid(self) -> dict[str, str]:
        return {"start": encoding.rfc3339(self._keys.created)}
