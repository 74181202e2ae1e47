"""The gate with the stock sigstore verifier. Apart from `gate` because sigstore is slow to import."""

from __future__ import annotations

from dataclasses import dataclass
from typing import TYPE_CHECKING

from farm.errors import VerificationError
from farm.model.base import canonical_json, sha256_file
from farm.repository.gate import Passed
from farm.trust.identity import expected_identity
from farm.trust.pep740 import provenance_object
from farm.trust.verify import Trust, load_trust, verify_file, verify_provenance

if TYPE_CHECKING:
    from pathlib import Path

    from farm.config import Settings
    from farm.model.base import BlobRef
    from farm.trust.identity import ExpectedIdentity

__all__ = ["SigstoreGate", "open_gate"]


@dataclass(frozen=True)
class SigstoreGate:
    """Implements `farm.repository.gate.Gate`: what a consumer would accept, and nothing else."""

    trust: Trust
    identity: ExpectedIdentity

    def check(self, path: Path, blob: BlobRef, filename: str, signature: str, provenance: str) -> Passed:
        """See `Gate.check`. The file is hashed here again: what counts are the bytes at `path`, not what is said."""
        actual = sha256_file(path)
        if actual != blob:
            msg = f"{filename} has SHA-256 {actual.sha256} where {blob.sha256} is to be published"
            raise VerificationError(msg)
        verify_file(self.trust, actual, signature, self.identity)
        statement = verify_provenance(self.trust, actual, provenance, filename, self.identity)
        return Passed(statement, canonical_json(provenance_object([provenance], self.identity)))


def open_gate(settings: Settings) -> SigstoreGate:
    """Return the gate that these settings describe.

    Raises:
        TrustRootError: the trust configuration is missing or unreadable.
    """
    return SigstoreGate(load_trust(settings.trust_config_path), expected_identity(settings))
