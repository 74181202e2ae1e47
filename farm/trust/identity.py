"""Who signs: the names under which the signer signs, and what a verifier expects of a certificate."""

from __future__ import annotations

from typing import TYPE_CHECKING

from farm.model.base import Value
from farm.model.plan import GitPin

if TYPE_CHECKING:
    from farm.config import Settings
    from farm.model.evidence import JobRecord

__all__ = [
    "ExpectedIdentity",
    "builder_id",
    "catalog_id",
    "catalog_identity",
    "expected_identity",
    "issuer",
    "source_claim",
]


class ExpectedIdentity(Value):
    """What the certificate of a bundle must say; an empty source is not compared."""

    builder: str
    """The builder's id: the URI in the subject alternative name."""
    issuer: str
    source_uri: str = ""
    """Source repository URI (git: the recipe's URL; archive: the snapshot's location)."""
    source_digest: str = ""
    """Source repository digest (git: the commit; archive: `sha256:<hex>`)."""


def builder_id(namespace: str, builder: str) -> str:
    """Return `builder.id` for a builder mode; equals `Settings.builder_id`."""
    return f"{namespace}/builders/{builder}/v1"


def issuer(namespace: str) -> str:
    """Return the issuer that the embedded instance writes into certificates."""
    return f"{namespace}/oidc"


def expected_identity(settings: Settings) -> ExpectedIdentity:
    """Return the identity that this farm's own signer has, without a source."""
    return ExpectedIdentity(builder=settings.builder_id, issuer=issuer(settings.trust.namespace))


def catalog_id(builder: str) -> str:
    """Return the identity under which catalog snapshots are signed, by the id of the builder whose files they name.

    It is another than the builder's: a worker can have any bytes signed as a file of a package of its own, and they
    must not pass for a snapshot.
    """
    return f"{builder}/catalog"


def catalog_identity(builder: ExpectedIdentity) -> ExpectedIdentity:
    """Return what the certificate of a catalog snapshot must say, where files are signed as `builder`."""
    return ExpectedIdentity(builder=catalog_id(builder.builder), issuer=builder.issuer)


def source_claim(job: JobRecord) -> tuple[str, str, str]:
    """Return what a certificate says about a job's source: repository URI, digest, ref (empty for archives)."""
    pin, snapshot = job.plan.source, job.snapshot
    if isinstance(pin, GitPin):
        return pin.url, pin.commit, f"refs/tags/{pin.tag}" if pin.tag else ""
    return snapshot.uri, f"sha256:{pin.sha256}", ""
