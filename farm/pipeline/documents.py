"""What the evidence of one artifact is written from: its SBOM facts, and the byproducts that its statement names."""

from __future__ import annotations

from typing import TYPE_CHECKING, Any

from farm.evidence.sbom import SbomFormat
from farm.languages import language
from farm.model.evidence import Byproduct, ComponentFacts, SbomFacts

if TYPE_CHECKING:
    from collections.abc import Mapping

    from farm.model.base import BlobRef
    from farm.model.build import Artifact, BuildResult, TestReport
    from farm.model.evidence import JobRecord
    from farm.model.plan import BuildPlan
    from farm.model.source import SourceSnapshot

__all__ = ["byproducts", "component_facts", "sbom_facts"]


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


def component_facts(plan: BuildPlan, snapshot: SourceSnapshot, artifact: Artifact) -> ComponentFacts:
    """Collect what the SBOM documents inside of `artifact` say: what it is, not what it was built with."""
    return ComponentFacts.model_validate(_component(plan, snapshot, artifact))


def sbom_facts(record: JobRecord, built: BuildResult, artifact: Artifact) -> SbomFacts:
    """Collect what the SBOM documents beside `artifact` say."""
    return SbomFacts(
        **_component(record.plan, record.snapshot, artifact),
        file=artifact.blob,
        image=record.image,
        inputs=tuple(f for f in record.inputs if set(f.roles) & {"build", "backend"}),
        environment=built.environment,
        commands=built.commands,
        rules=f"rules-{record.rules_version}",
    )


def _component(plan: BuildPlan, snapshot: SourceSnapshot, artifact: Artifact) -> dict[str, Any]:
    package = plan.package
    component, purl = language(package.ecosystem).component(package.name, package.version, artifact.path)
    return {
        "package": package,
        "filename": artifact.filename,
        "kind": artifact.kind,
        "component": component,
        "purl": purl,
        "license": artifact.license,
        "summary": artifact.summary,
        "requires_dist": artifact.requires_dist,
        "contents": artifact.contents,
        "snapshot": snapshot,
    }
