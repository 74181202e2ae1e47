"""What the evidence of one artifact is written from: its SBOM facts, and the byproducts that its statement names."""

from __future__ import annotations

from typing import TYPE_CHECKING

from farm.evidence.sbom import SbomFormat
from farm.model.evidence import Byproduct, SbomFacts

if TYPE_CHECKING:
    from collections.abc import Mapping

    from farm.ecosystems.base import Ecosystem
    from farm.model.base import BlobRef
    from farm.model.build import Artifact, BuildResult, TestReport
    from farm.model.evidence import JobRecord

__all__ = ["byproducts", "sbom_facts"]


def byproducts(
    artifact: Artifact, built: BuildResult, report: TestReport, sidecars: Mapping[str, BlobRef]
) -> tuple[Byproduct, ...]:
    """Return everything that the build left besides the artifact, all of it in the vault."""
    found = [
        Byproduct(name="build.log", media_type="text/plain", blob=built.log),
        Byproduct(name=f"raw/{artifact.raw.filename}", media_type="application/zip", blob=artifact.raw.blob),
    ]
    if report.log is not None:
        found.append(Byproduct(name="test.log", media_type="text/plain", blob=report.log))
    found += [
        Byproduct(name=artifact.filename + suffix, media_type=SbomFormat(suffix).media_type, blob=blob)
        for suffix, blob in sorted(sidecars.items())
    ]
    return tuple(found)


def sbom_facts(ecosystem: Ecosystem, record: JobRecord, artifact: Artifact, file: BlobRef | None) -> SbomFacts:
    """Collect what the SBOM documents of `artifact` say; `file` is its digest, None for the documents inside of it."""
    return SbomFacts(
        package=record.plan.package,
        filename=artifact.filename,
        file=file,
        license=artifact.license,
        summary=artifact.summary,
        requires_dist=artifact.requires_dist,
        contents=artifact.contents,
        snapshot=record.snapshot,
        image=record.image,
        inputs=tuple(f for f in record.inputs if set(f.roles) & {"build", "backend"}),
        environment=ecosystem.environment(record.plan, record.snapshot),
        commands=ecosystem.commands(record.plan),
        rules=f"rules-{record.rules_version}",
    )
