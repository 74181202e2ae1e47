"""What the evidence of one artifact is written from: its SBOM facts, and the byproducts that its statement names."""

from __future__ import annotations

from typing import TYPE_CHECKING

from farm.evidence.sbom import SbomFormat
from farm.languages import language
from farm.model.evidence import Byproduct, SbomFacts

if TYPE_CHECKING:
    from collections.abc import Mapping

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
        Byproduct(name=f"raw/{artifact.raw.filename}", media_type="application/octet-stream", blob=artifact.raw.blob),
    ]
    if report.log is not None:
        found.append(Byproduct(name="test.log", media_type="text/plain", blob=report.log))
    found += [
        Byproduct(name=artifact.filename + suffix, media_type=SbomFormat(suffix).media_type, blob=blob)
        for suffix, blob in sorted(sidecars.items())
    ]
    return tuple(found)


def sbom_facts(record: JobRecord, built: BuildResult, artifact: Artifact, file: BlobRef | None) -> SbomFacts:
    """Collect what the SBOM documents of `artifact` say; `file` is its digest, None for the documents inside of it."""
    package = record.plan.package
    component, purl = language(package.ecosystem).component(package.name, package.version, artifact.path)
    return SbomFacts(
        package=package,
        filename=artifact.filename,
        file=file,
        license=artifact.license,
        summary=artifact.summary,
        requires_dist=artifact.requires_dist,
        contents=artifact.contents,
        snapshot=record.snapshot,
        image=record.image,
        inputs=tuple(f for f in record.inputs if set(f.roles) & {"build", "backend"}),
        environment=built.environment,
        commands=built.commands,
        rules=f"rules-{record.rules_version}",
        kind=artifact.kind,
        component=component,
        purl=purl,
    )
