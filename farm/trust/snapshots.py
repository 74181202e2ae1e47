"""Verifying a signed catalog snapshot: the publisher before it writes one, consumers before they believe one."""

from __future__ import annotations

from typing import TYPE_CHECKING

from pydantic import ValidationError

from farm.errors import VerificationError
from farm.model.base import BlobRef, sha256_bytes
from farm.model.catalog import parse_snapshot
from farm.trust.verify import verify_file

if TYPE_CHECKING:
    from farm.model.catalog import CatalogSnapshot
    from farm.trust.identity import ExpectedIdentity
    from farm.trust.verify import Trust

__all__ = ["verify_snapshot", "why_no_snapshot"]


def verify_snapshot(trust: Trust, document: bytes, bundle: str | bytes, identity: ExpectedIdentity) -> CatalogSnapshot:
    """Verify the signature over a catalog snapshot and return what it says.

    Args:
        trust: the consumers' trust root.
        document: as it was read.
        bundle: what lay beside it.
        identity: of the catalog, see `farm.trust.identity.catalog_identity`.

    Raises:
        VerificationError: the signature does not hold, is somebody else's, or is over no snapshot.
    """
    blob = BlobRef(sha256=sha256_bytes(document), size=len(document))
    # First: what nobody signed is nothing to be parsed.
    verify_file(trust, blob, bundle, identity)
    try:
        return parse_snapshot(document)
    except ValueError as error:
        raise VerificationError(f"this is no catalog snapshot: {why_no_snapshot(error)}") from error


def why_no_snapshot(error: ValueError) -> str:
    """Return in one line why `farm.model.catalog.parse_snapshot` refused a document."""
    if isinstance(error, ValidationError):
        first = error.errors(include_url=False, include_input=False)[0]
        where = ".".join(map(str, first["loc"])) or "the document"
        return f"{where}: {first['msg']}"[:300]
    return str(error)[:300]
