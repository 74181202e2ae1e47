"""The finish step: nothing is changed, since a jar that equals upstream's is worth more than one with an SBOM inside.

Each deployed file becomes an artifact with what its POM and, for a jar, its content say about it.
"""

from __future__ import annotations

from typing import TYPE_CHECKING

from farm.ecosystems.maven.inspect import ARCHIVES, coordinates_of
from farm.ecosystems.maven.jar import read_jar
from farm.ecosystems.maven.language import LANGUAGE
from farm.ecosystems.maven.pom import Pom, read_pom
from farm.errors import GuardError, PackageTestError
from farm.model.build import Artifact, FileNote, TestReport

if TYPE_CHECKING:
    from farm.ecosystems.base import StepContext
    from farm.ecosystems.maven.paths import Coordinates
    from farm.model.build import BuildResult, RawArtifact
    from farm.model.plan import BuildPlan

__all__ = ["finish_files", "report_tests"]

_SHARED = ("Build-Jdk-Spec", "Created-By", "Automatic-Module-Name", "Bundle-SymbolicName")
"""What of the manifest a reader wants to see without opening the jar."""


def finish_files(plan: BuildPlan, result: BuildResult, ctx: StepContext) -> tuple[Artifact, ...]:
    """Return the artifacts, in the order of their paths.

    Raises:
        GuardError, UnsafeArchiveError: as in the inspection, should the files have changed since.
    """
    found = [(raw, coordinates_of(plan, raw)) for raw in result.artifacts]
    poms = {
        (where.group, where.artifact): read_pom(ctx.vault.read(raw.blob), raw.filename, GuardError)
        for raw, where in found
        if where.extension == "pom" and not where.classifier
    }
    return tuple(_artifact(raw, where, poms[where.group, where.artifact], ctx) for raw, where in found)


def _artifact(raw: RawArtifact, where: Coordinates, pom: Pom, ctx: StepContext) -> Artifact:
    notes: tuple[FileNote, ...] = ()
    contents: tuple[FileNote, ...] = ()
    if where.extension in ARCHIVES:
        path = ctx.work / "archive"
        ctx.vault.fetch(raw.blob, path)
        facts = read_jar(path, raw.filename)
        path.unlink()
        notes = tuple(FileNote(name=key, value=facts.manifest[key]) for key in _SHARED if key in facts.manifest)
        contents = tuple(
            FileNote(name=_component(group, artifact, version), value=version)
            for group, artifact, version in facts.projects
            if (group, artifact) != (where.group, where.artifact)
        )
    return Artifact(
        filename=raw.filename.rpartition("/")[2],
        kind=f"{where.extension}:{where.classifier}" if where.classifier else where.extension,
        path=raw.filename,
        blob=raw.blob,
        raw=raw,
        notes=notes,
        contents=contents,
        license=" OR ".join(pom.licenses),
        summary=pom.description,
        requires_dist=pom.requirements,
    )


def _component(group: str, artifact: str, version: str) -> str:
    """Return the package URL of what a jar says is in it, or its plain name: foreign words need not be coordinates."""
    try:
        return LANGUAGE.purl(f"{group}:{artifact}", str(LANGUAGE.naming.version(version)))
    except ValueError:
        return f"{group}:{artifact}"


def report_tests(plan: BuildPlan, result: BuildResult) -> TestReport:
    """Say what came of the tests that ran in the build.

    Raises:
        PackageTestError: none ran and the recipe does not say why, or some failed and the build went on.
    """
    reason = plan.test.skip_reason
    if reason:
        return TestReport(result="skipped", imports=(), command=(), reason=reason, counts=result.tests)
    counts = result.tests
    if counts is None or counts.run - counts.skipped <= 0:
        raise PackageTestError(
            f"{plan.package}: the build ran no tests",
            remedy="Let build.options.goals run them, or say in the recipe why there are none: test.skip.reason.",
        )
    if counts.failed:
        raise PackageTestError(f"{plan.package}: {counts.failed} tests failed and the build went on")
    return TestReport(result="passed", imports=(), command=(), counts=counts)
