"""The gate: nothing is published that does not verify with the trust root that consumers use, by the stock verifier."""

from __future__ import annotations

from typing import TYPE_CHECKING, Any, NamedTuple, Protocol

if TYPE_CHECKING:
    from pathlib import Path

    from farm.model.base import BlobRef

__all__ = ["Gate", "Passed"]


class Passed(NamedTuple):
    """What the gate learned from bundles that verify."""

    statement: dict[str, Any]
    """The in-toto statement of the provenance."""
    provenance: bytes
    """The PEP 740 provenance object."""


class Gate(Protocol):
    """Decides whether a file may be published."""

    def check(self, path: Path, blob: BlobRef, filename: str, signature: str, provenance: str) -> Passed:
        """Verify both bundles against the file.

        Args:
            path: the file; its bytes are those of `blob`.
            blob: digest and size.
            filename: the name it will be published under.
            signature: bundle over the file (JSON text).
            provenance: bundle with the provenance statement (JSON text).

        Raises:
            VerificationError: anything that does not fit.
        """
        ...
