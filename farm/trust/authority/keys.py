"""The instance's keys and certificates on disk: made once, as a whole, readable by the signer's user alone.

The keys of both roots sign one certificate and are then forgotten: what is kept can issue signing certificates and
timestamps, and nothing that would outlive a replacement of the roots.
"""

from __future__ import annotations

import json
import shutil
from dataclasses import dataclass
from datetime import UTC, datetime, timedelta
from typing import TYPE_CHECKING

from cryptography import x509
from cryptography.hazmat.primitives import hashes, serialization
from cryptography.hazmat.primitives.asymmetric import ec
from cryptography.x509.oid import ExtendedKeyUsageOID, NameOID

from farm.errors import ServiceError, TrustRootError
from farm.model.base import canonical_json
from farm.trust.authority import encoding
from farm.trust.authority.journal import Journal

if TYPE_CHECKING:
    from pathlib import Path

__all__ = ["LOG_NAME", "KeyMaterial", "load_or_create"]

LOG_NAME = "log.jsonl"
"""The transparency log's file: it is made with the keys, so that a log that went missing is never begun anew."""

_LIFETIME = timedelta(days=3650)
_KEYS = ("ca", "ct", "log", "tsa", "token")
_CHAINS = ("ca", "tsa")
_INSTANCE = "instance.json"
_REMEDY = "Restore the signer's data folder as a whole from a backup; signatures made before verify all the same."


@dataclass(frozen=True)
class KeyMaterial:
    """Everything the instance signs with. Never leaves the signer's process."""

    ca_key: ec.EllipticCurvePrivateKey
    ca_chain: tuple[x509.Certificate, ...]
    """Issuing certificate, then the root."""
    ct_key: ec.EllipticCurvePrivateKey
    """Signs the certificate timestamps (SCT)."""
    log_key: ec.EllipticCurvePrivateKey
    tsa_key: ec.EllipticCurvePrivateKey
    tsa_chain: tuple[x509.Certificate, ...]
    """Timestamping certificate, then its root."""
    token_key: ec.EllipticCurvePrivateKey
    """Signs the tokens of runs; no consumer knows it."""
    created: datetime
    host: str
    """Under which the instance's services are named; fixed with the keys, since checkpoints carry it."""

    def __repr__(self) -> str:
        return f"KeyMaterial(host={self.host!r})"


def load_or_create(folder: Path, host: str) -> KeyMaterial:
    """Return the keys in `folder`; when it does not exist, make them there first, all or none.

    Args:
        folder: the authority's folder; its parent exists. The caller holds the lock of the data folder.
        host: for a new instance, the name its services go by.

    Raises:
        TrustRootError: the folder is incomplete, damaged, or readable by others.
        ServiceError: the keys cannot be written.
    """
    if not folder.exists():
        try:
            _create(folder, host)
        except OSError as error:
            raise ServiceError(f"the signer's keys cannot be made in {folder}: {error}") from error
    return _load(folder)


def _create(folder: Path, host: str) -> None:
    fresh = folder.with_name(folder.name + ".new")
    if fresh.exists():
        # Left by a crash before the rename: nothing was ever signed with these.
        shutil.rmtree(fresh)
    fresh.mkdir(mode=0o700)
    created = datetime.now(UTC).replace(microsecond=0)
    keys = {name: ec.generate_private_key(ec.SECP256R1()) for name in _KEYS}
    chains = {
        "ca": _chain(keys["ca"].public_key(), f"{host} signing", created, authority=True),
        "tsa": _chain(keys["tsa"].public_key(), f"{host} timestamps", created, authority=False),
    }
    for name, key in keys.items():
        pem = key.private_bytes(
            serialization.Encoding.PEM, serialization.PrivateFormat.PKCS8, serialization.NoEncryption()
        )
        _write_private(fresh / f"{name}.key", pem)
    for name, chain in chains.items():
        pem = b"".join(c.public_bytes(serialization.Encoding.PEM) for c in chain)
        _write_private(fresh / f"{name}.pem", pem)
    _write_private(fresh / _INSTANCE, canonical_json({"created": encoding.rfc3339(created), "host": host}))
    Journal.create(fresh / LOG_NAME, keys["log"])
    fresh.replace(folder)


def _load(folder: Path) -> KeyMaterial:
    private = [folder, *(folder / f"{name}.key" for name in _KEYS)]
    try:
        exposed = next((path for path in private if path.stat().st_mode & 0o077), None)
        if exposed:
            raise TrustRootError(
                f"{exposed} can be read by other users",
                remedy="Find out who could read it; then `chmod -R go= ` the signer's data folder, or start anew.",
            )
        instance = json.loads((folder / _INSTANCE).read_bytes())
        keys = {name: _read_key(folder / f"{name}.key") for name in _KEYS}
        chains = {name: _read_chain(folder / f"{name}.pem", keys[name]) for name in _CHAINS}
        created = datetime.fromisoformat(instance["created"])
        host = str(instance["host"])
    except (OSError, ValueError, KeyError, TypeError) as error:
        raise TrustRootError(f"the signer's keys in {folder} cannot be used: {error}", remedy=_REMEDY) from error
    return KeyMaterial(
        ca_key=keys["ca"],
        ca_chain=chains["ca"],
        ct_key=keys["ct"],
        log_key=keys["log"],
        tsa_key=keys["tsa"],
        tsa_chain=chains["tsa"],
        token_key=keys["token"],
        created=created,
        host=host,
    )


def _read_key(path: Path) -> ec.EllipticCurvePrivateKey:
    key = serialization.load_pem_private_key(path.read_bytes(), password=None)
    if not isinstance(key, ec.EllipticCurvePrivateKey):
        msg = f"{path.name} holds no elliptic-curve key"
        raise TypeError(msg)
    return key


def _read_chain(path: Path, key: ec.EllipticCurvePrivateKey) -> tuple[x509.Certificate, ...]:
    chain = tuple(x509.load_pem_x509_certificates(path.read_bytes()))
    if chain[0].public_key() != key.public_key():
        msg = f"{path.name} does not belong to its key"
        raise ValueError(msg)
    return chain


def _chain(
    key: ec.EllipticCurvePublicKey, name: str, created: datetime, *, authority: bool
) -> tuple[x509.Certificate, ...]:
    """Issue the certificate of `key` under a root of its own, whose key is forgotten on return.

    `authority`: issues signing certificates (with the path length and key usage of RFC 5280); else it is the leaf of a
    timestamp authority (RFC 3161, 2.3: one critical extended key usage).
    """
    root_key = ec.generate_private_key(ec.SECP256R1())
    root = _builder(f"{name} root", f"{name} root", root_key.public_key(), created)
    root = root.add_extension(x509.BasicConstraints(ca=True, path_length=1 if authority else 0), critical=True)
    root = root.add_extension(_key_usage(authority=True), critical=True)
    root_certificate = root.sign(root_key, hashes.SHA256())

    purpose = ExtendedKeyUsageOID.CODE_SIGNING if authority else ExtendedKeyUsageOID.TIME_STAMPING
    issued = _builder(name, f"{name} root", key, created)
    constraints = x509.BasicConstraints(ca=authority, path_length=0 if authority else None)
    issued = issued.add_extension(constraints, critical=True)
    issued = issued.add_extension(_key_usage(authority=authority), critical=True)
    issued = issued.add_extension(x509.ExtendedKeyUsage([purpose]), critical=not authority)
    issuer_id = x509.AuthorityKeyIdentifier.from_issuer_public_key(root_key.public_key())
    issued = issued.add_extension(issuer_id, critical=False)
    return issued.sign(root_key, hashes.SHA256()), root_certificate


def _builder(subject: str, issuer: str, key: ec.EllipticCurvePublicKey, created: datetime) -> x509.CertificateBuilder:
    return (
        x509.CertificateBuilder()
        .subject_name(_name(subject))
        .issuer_name(_name(issuer))
        .public_key(key)
        .serial_number(x509.random_serial_number())
        .not_valid_before(created)
        .not_valid_after(created + _LIFETIME)
        .add_extension(x509.SubjectKeyIdentifier.from_public_key(key), critical=False)
    )


def _name(common: str) -> x509.Name:
    parts = ((NameOID.ORGANIZATION_NAME, "farm"), (NameOID.COMMON_NAME, common[:64]))
    return x509.Name([x509.NameAttribute(oid, text) for oid, text in parts])


def _key_usage(*, authority: bool) -> x509.KeyUsage:
    return x509.KeyUsage(
        digital_signature=not authority,
        content_commitment=False,
        key_encipherment=False,
        data_encipherment=False,
        key_agreement=False,
        key_cert_sign=authority,
        crl_sign=authority,
        encipher_only=False,
        decipher_only=False,
    )


def _write_private(path: Path, data: bytes) -> None:
    path.touch(mode=0o600, exist_ok=False)
    path.write_bytes(data)
