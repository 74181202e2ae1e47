"""Verifying bundles offline with the stock sigstore verifier, against farm's trust configuration.

A bundle holds when its certificate chains to the trust root and carries the expected identity, the transparency log's
promise, proof and checkpoint hold, a timestamp authority of the root stamped the signature, and the signed content is
the file's digest or a statement about exactly this file. Everything else is one error, VerificationError, whatever was
wrong with the input.
"""

from __future__ import annotations

import json
import struct
from dataclasses import dataclass
from typing import TYPE_CHECKING, Any

import cryptography.exceptions as crypto_errors
import rfc3161_client
from cryptography import x509
from cryptography.hazmat.primitives import hashes
from sigstore.errors import Error as SigstoreError
from sigstore.hashes import Hashed
from sigstore.models import Bundle, ClientTrustConfig, TrustedRoot
from sigstore.verify import Verifier, policy
from sigstore_models.common.v1 import HashAlgorithm

from farm.errors import TrustRootError, VerificationError
from farm.model.base import BlobRef, sha256_bytes, sha256_file, unique_keys

if TYPE_CHECKING:
    from collections.abc import Iterator
    from pathlib import Path

    from farm.trust.identity import ExpectedIdentity

__all__ = [
    "MAX_BUNDLE_BYTES",
    "PREDICATE_TYPE",
    "Trust",
    "load_trust",
    "parse_trust",
    "verify_file",
    "verify_provenance",
]

MAX_BUNDLE_BYTES = 16 * 1024 * 1024
_MAX_TRUST_BYTES = 4 * 1024 * 1024
_MAX_STAMPS = 32
PREDICATE_TYPE = "https://slsa.dev/provenance/v1"
_STATEMENT_TYPE = "https://in-toto.io/Statement/v1"
_PAYLOAD_TYPE = "application/vnd.in-toto+json"

_INPUT_ERRORS = (
    SigstoreError,
    rfc3161_client.VerificationError,
    # pydantic, base64, JSON, Unicode, DER: all are ValueErrors.
    ValueError,
    # Fields that the models leave optional and the verifier takes for given (no signature at all, no key usage).
    AttributeError,
    TypeError,
    LookupError,
    # A time that no calendar has.
    OverflowError,
    OSError,
    struct.error,
    RecursionError,
    # Certificates: these derive from Exception alone.
    x509.DuplicateExtension,
    x509.ExtensionNotFound,
    x509.InvalidVersion,
    x509.UnsupportedGeneralNameType,
    crypto_errors.InvalidSignature,
    crypto_errors.UnsupportedAlgorithm,
)
"""What sigstore-python 4.5 and the libraries below it raise for a bundle that is not one, found by mutating bundles."""


@dataclass(frozen=True)
class Trust:
    """A loaded trust root."""

    source: str
    """Where it was read, for messages."""
    sha256: str
    """Of the bytes that were read, so that a user can hold them against what the farm's team says."""
    root: TrustedRoot
    verifier: Verifier

    @property
    def authority(self) -> str:
        """SHA-256 of the first certificate of its authorities: which farm this is, also after keys were added."""
        return self.root.get_fulcio_certs()[0].fingerprint(hashes.SHA256()).hex()


def load_trust(path: Path) -> Trust:
    """Read a Sigstore client trust configuration (or a bare trusted root) from a file.

    Raises:
        TrustRootError: missing, unreadable, too large, or not a trust configuration.
    """
    try:
        with path.open("rb") as stream:
            raw = stream.read(_MAX_TRUST_BYTES + 1)
    except OSError as error:
        raise TrustRootError(f"the trust configuration {path} cannot be read: {error.strerror}") from error
    if len(raw) > _MAX_TRUST_BYTES:
        raise TrustRootError(f"the trust configuration {path} is larger than {_MAX_TRUST_BYTES} bytes")
    return parse_trust(raw, str(path))


def parse_trust(raw: bytes, source: str) -> Trust:
    """Make a trust root of JSON bytes; `source` names them in messages.

    Raises:
        TrustRootError: not a trust configuration, or one without a log, a CA or a key.
    """
    try:
        root = ClientTrustConfig.from_json(raw.decode()).trusted_root
        return Trust(source=source, sha256=sha256_bytes(raw), root=root, verifier=Verifier(trusted_root=root))
    except _INPUT_ERRORS as error:
        raise TrustRootError(f"{source} is not a usable trust configuration: {_brief(error)}") from error


def verify_file(
    trust: Trust,
    file: BlobRef | Path,
    bundle: str | bytes,
    identity: ExpectedIdentity,
    *,
    require_stamp: bool = True,
) -> None:
    """Verify the signature over a file.

    Args:
        trust: from `load_trust`.
        file: the file, or its digest as the caller computed it from the bytes.
        bundle: `<file>.sigstore.json`.
        identity: who must have signed.
        require_stamp: refuse a bundle without a valid timestamp when the root names a timestamp authority.

    Raises:
        VerificationError: it does not hold.
    """
    blob = _blob(file)
    with_digest = Hashed(algorithm=HashAlgorithm.SHA2_256, digest=bytes.fromhex(blob.sha256))
    try:
        parsed = _parse(bundle)
        trust.verifier.verify_artifact(with_digest, parsed, _policy(identity))
        _check_stamp(trust, parsed, require=require_stamp)
    except _INPUT_ERRORS as error:
        raise VerificationError(f"the signature does not hold: {_brief(error)}") from error


def verify_provenance(
    trust: Trust,
    file: BlobRef | Path,
    bundle: str | bytes,
    filename: str,
    identity: ExpectedIdentity,
    *,
    require_stamp: bool = True,
) -> dict[str, Any]:
    """Verify the SLSA provenance of a file and return the statement.

    Args:
        trust: from `load_trust`.
        file: the file, or its digest as the caller computed it from the bytes.
        bundle: `<file>.provenance.sigstore.json`.
        filename: the published name: the statement's only subject.
        identity: who must have signed; the statement's own builder id must say the same.
        require_stamp: as in `verify_file`; PEP 740 objects cannot carry timestamps, so there it is False.

    Raises:
        VerificationError: it does not hold, or is a statement about something else.
    """
    blob = _blob(file)
    try:
        parsed = _parse(bundle)
        kind, payload = trust.verifier.verify_dsse(parsed, _policy(identity))
        _check_stamp(trust, parsed, require=require_stamp)
        if kind != _PAYLOAD_TYPE:
            raise VerificationError(f"the envelope of {filename} holds {kind!r}, not an in-toto statement")
        statement = json.loads(payload, object_pairs_hook=unique_keys)
    except _INPUT_ERRORS as error:
        raise VerificationError(f"the provenance of {filename} does not hold: {_brief(error)}") from error
    _check_statement(statement, blob, filename, identity)
    return dict(statement)


def _parse(bundle: str | bytes) -> Bundle:
    if len(bundle) > MAX_BUNDLE_BYTES:
        raise VerificationError(f"the bundle is larger than {MAX_BUNDLE_BYTES} bytes")
    return Bundle.from_json(bundle)


def _blob(file: BlobRef | Path) -> BlobRef:
    if isinstance(file, BlobRef):
        return file
    try:
        return sha256_file(file)
    except OSError as error:
        raise VerificationError(f"{file} cannot be read: {error.strerror}") from error


def _policy(identity: ExpectedIdentity) -> policy.AllOf:
    children: list[policy.VerificationPolicy] = [
        policy.Identity(identity=identity.builder),
        policy.OIDCIssuerV2(identity.issuer),
    ]
    if identity.source_uri:
        children.append(policy.OIDCSourceRepositoryURI(identity.source_uri))
    if identity.source_digest:
        children.append(policy.OIDCSourceRepositoryDigest(identity.source_digest))
    return policy.AllOf(children)


def _check_stamp(trust: Trust, bundle: Bundle, *, require: bool) -> None:
    """Demand a timestamp that holds: the stock verifier is content with the log's own time where a stamp is missing."""
    chains = list(_stamp_chains(trust.root))
    if not require or not chains:
        return
    data = bundle.verification_material.timestamp_verification_data
    stamps = data.rfc3161_timestamps if data else []
    if len(stamps) > _MAX_STAMPS:
        raise VerificationError(f"the bundle holds {len(stamps)} timestamps")
    if not any(_stamp_holds(chain, stamp, bundle.signature) for chain in chains for stamp in stamps):
        raise VerificationError("the signature has no timestamp by an authority of the trust root")


def _stamp_chains(root: TrustedRoot) -> Iterator[list[x509.Certificate]]:
    for authority in root.get_timestamp_authorities():
        # Expired ones too: what counts is the time of the stamp, which is checked against the chain.
        certificates = authority.certificates(allow_expired=True)
        if len(certificates) > 1:
            yield certificates


def _stamp_holds(chain: list[x509.Certificate], stamp: rfc3161_client.TimeStampResponse, signature: bytes) -> bool:
    builder = rfc3161_client.VerifierBuilder().tsa_certificate(chain[0]).add_root_certificate(chain[-1])
    for certificate in chain[1:-1]:
        builder = builder.add_intermediate_certificate(certificate)
    try:
        return builder.build().verify_message(stamp, signature)
    except rfc3161_client.VerificationError:
        return False


def _check_statement(statement: object, blob: BlobRef, filename: str, identity: ExpectedIdentity) -> None:
    match statement:
        case {"_type": str(kind)} if kind != _STATEMENT_TYPE:
            raise VerificationError(f"the statement about {filename} is of type {kind!r}")
        case {"predicateType": str(kind)} if kind != PREDICATE_TYPE:
            raise VerificationError(f"the statement about {filename} is {kind!r}, not SLSA provenance v1")
        case {"subject": [_, _, *_] as subjects}:
            raise VerificationError(f"the provenance names {len(subjects)} subjects, not {filename} alone")
        case {"subject": [{"name": str(name)}]} if name != filename:
            raise VerificationError(f"the provenance is about {name!r}, not {filename}")
        case {"subject": [{"digest": {"sha256": str(digest)}}]} if digest != blob.sha256:
            raise VerificationError(f"the provenance is about other bytes of {filename} than these ({blob.sha256})")
        case {"predicate": {"runDetails": {"builder": {"id": str(builder)}}}} if builder != identity.builder:
            raise VerificationError(
                f"the provenance of {filename} names the builder {builder!r}, its certificate another"
            )
        case {
            "_type": str(),
            "predicateType": str(),
            "subject": [{"name": str(), "digest": {"sha256": str()}}],
            "predicate": {"runDetails": {"builder": {"id": str()}}},
        }:
            return
        case _:
            raise VerificationError(f"the statement about {filename} is not a complete SLSA provenance statement")


def _brief(error: BaseException) -> str:
    """Return the first line of an error, of bounded length: what went wrong, not the whole input."""
    text = str(error) or type(error).__name__
    return text.splitlines()[0][:300]
