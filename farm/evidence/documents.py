"""The SBOM documents of one file, in every format and both places."""

from __future__ import annotations

from typing import TYPE_CHECKING

from farm.evidence.cyclonedx import cyclonedx
from farm.evidence.sbom import SbomFormat, embedded_name
from farm.evidence.spdx import spdx

if TYPE_CHECKING:
    from farm.model.base import BlobRef
    from farm.model.evidence import SbomFacts

__all__ = ["embedded", "sidecars"]

_WRITERS = {SbomFormat.CYCLONEDX: cyclonedx, SbomFormat.SPDX: spdx}


def embedded(facts: SbomFacts) -> dict[str, bytes]:
    """Return what goes into the file: name below the folder of PEP 770 → document."""
    bare = facts.model_copy(update={"file": None})
    return {embedded_name(kind): write(bare) for kind, write in _WRITERS.items()}


def sidecars(facts: SbomFacts, file: BlobRef) -> dict[SbomFormat, bytes]:
    """Return what lies beside the finished file, with its digest: format (its value is the suffix) → document."""
    known = facts.model_copy(update={"file": file})
    return {kind: write(known) for kind, write in _WRITERS.items()}
