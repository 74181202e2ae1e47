"""PEP 740: provenance bundles as attestations and provenance objects for the Python index, and back."""

from __future__ import annotations

import json
from typing import TYPE_CHECKING, Any

from pydantic import ValidationError
from pypi_attestations import Attestation, ConversionError
from sigstore.errors import Error as SigstoreError
from sigstore.models import Bundle

from farm.errors import VerificationError

if TYPE_CHECKING:
    from collections.abc import Sequence

    from farm.trust.identity import ExpectedIdentity

__all__ = ["PUBLISHER_KIND", "attestation", "bundle_of", "provenance_object"]

PUBLISHER_KIND = "farm"
"""PEP 740 wants each kind of publisher to have a name of its own; the known ones are public services."""


def attestation(bundle: str | bytes) -> dict[str, Any]:
    """Return the attestation object for a provenance bundle; its timestamp is left behind, PEP 740 has no place for it.

    Raises:
        VerificationError: `bundle` is no bundle with an in-toto statement.
    """
    try:
        return Attestation.from_bundle(Bundle.from_json(bundle)).model_dump(mode="json")
    except (SigstoreError, ConversionError, ValueError) as error:
        raise VerificationError(f"the provenance bundle cannot be an attestation: {error}") from error


def provenance_object(bundles: Sequence[str | bytes], identity: ExpectedIdentity) -> dict[str, Any]:
    """Return the PEP 740 provenance object of one file, as the index serves it.

    Args:
        bundles: the file's provenance bundles, all by the same builder.
        identity: whom a client should expect in the certificates.

    Raises:
        VerificationError: one of them is no provenance bundle.
    """
    publisher = {"kind": PUBLISHER_KIND, "issuer": identity.issuer, "builder": identity.builder}
    return {
        "version": 1,
        "attestation_bundles": [{"publisher": publisher, "attestations": [attestation(b) for b in bundles]}],
    }


def bundle_of(value: dict[str, Any]) -> str:
    """Return the Sigstore bundle (JSON text) of one attestation object, for `verify_provenance(require_stamp=False)`.

    Raises:
        VerificationError: `value` is no attestation object.
    """
    try:
        return Attestation.model_validate_json(json.dumps(value)).to_bundle().to_json()
    except (ValidationError, ConversionError, SigstoreError, ValueError, TypeError) as error:
        raise VerificationError(f"this is no PEP 740 attestation: {error}") from error
