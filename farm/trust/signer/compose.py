"""Putting the signer together: authority, trust root, claim, runs, interface."""

from __future__ import annotations

from typing import TYPE_CHECKING, Any

import farm
from farm.evidence.claim import BuilderFacts, claim
from farm.evidence.provenance import BuilderClaim
from farm.model.base import canonical_json
from farm.trust.authority.instance import Authority
from farm.trust.identity import ExpectedIdentity, builder_id, catalog_identity, issuer
from farm.trust.protocol import SignerHealth
from farm.trust.signer.app import Service, make_app
from farm.trust.signer.runs import RunRegister
from farm.trust.signer.signed import SignedFiles
from farm.trust.signer.signing import FileSigner
from farm.trust.signer.snapshots import CatalogSigner
from farm.trust.signer.tokens import TokenMint
from farm.trust.verify import parse_trust

if TYPE_CHECKING:
    from pathlib import Path

    from starlette.applications import Starlette

__all__ = ["compose", "has_keys"]

_AUTHORITY = "authority"


def has_keys(data: Path) -> bool:
    """Return whether the signer's folder `data` holds keys; without any, `compose` makes them."""
    return (data / _AUTHORITY).exists()


def compose(
    data: Path, *, namespace: str, host: str, builder: str, token_seconds: int
) -> tuple[Starlette, dict[str, Any]]:
    """Return the application and the public trust configuration.

    Args:
        data: the signer's folder, locked by the caller.
        namespace: URI prefix of builder ids and of the issuer.
        host: for a new instance, the name its services go by.
        builder: name of the builder mode.
        token_seconds: life of a run's token.

    Raises:
        TrustRootError, VerificationError, ServiceError: the keys or the log cannot be used.
    """
    name = issuer(namespace)
    authority = Authority(data / _AUTHORITY, host)
    trust_config = authority.trust_config(name)
    trust = parse_trust(canonical_json(trust_config), "the signer's own trust configuration")
    described = _builder_claim(namespace, builder)
    runs = RunRegister(data / "runs", TokenMint(authority.token_key, name), token_seconds)

    def health() -> SignerHealth:
        return SignerHealth(
            status="ok",
            version=farm.__version__,
            builder_id=described.id,
            issuer=name,
            level=described.level,
            log_size=len(authority.log),
            open_runs=len(runs),
        )

    identity = ExpectedIdentity(builder=described.id, issuer=name)
    signed = SignedFiles(data / "signed.jsonl")
    service = Service(
        runs=runs,
        signer=FileSigner(authority, trust, described, name),
        signed=signed,
        catalog=CatalogSigner(data / "snapshots", signed, authority, trust, catalog_identity(identity)),
        learn=lambda bundle: signed.learn(bundle, trust, identity),
        health=health,
    )
    return make_app(service), trust_config


def _builder_claim(namespace: str, builder: str) -> BuilderClaim:
    """Describe the builder. The signer knows one of the facts for sure; what it cannot see counts as missing."""
    found = claim(BuilderFacts(provenance_signed=True))
    return BuilderClaim(
        id=builder_id(namespace, builder),
        build_type_namespace=namespace,
        level=found.level,
        version={"farm": farm.__version__},
        reasons=found.reasons,
    )
