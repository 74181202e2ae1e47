"""The SBOM documents of one file, in every format and both places."""

from __future__ import annotations

from typing import TYPE_CHECKING

from farm.evidence import cyclonedx, spdx
from farm.evidence.sbom import SbomFormat, embedded_name, serialize

if TYPE_CHECKING:
    from farm.model.evidence import ComponentFacts, SbomFacts

__all__ = ["embedded", "sidecars"]

_WRITERS = {SbomFormat.CYCLONEDX: cyclonedx, SbomFormat.SPDX: spdx}


def embedded(facts: ComponentFacts) -> dict[str, bytes]:
    """Return what goes into the file: name below the folder of PEP 770 → document."""
    return {embedded_name(kind): serialize(writer.embedded(facts)) for kind, writer in _WRITERS.items()}


def sidecars(facts: SbomFacts) -> dict[SbomFormat, bytes]:
    """Return what lies beside the finished file: format (its value is the suffix) → document."""
    return {kind: serialize(writer.sidecar(facts)) for kind, writer in _WRITERS.items()}
