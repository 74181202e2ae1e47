"""The guards: what came out is what the recipe declared, at its version, readable and safe."""

from __future__ import annotations

from typing import TYPE_CHECKING

from farm.ecosystems.maven.jar import read_jar
from farm.ecosystems.maven.language import declared_artifacts
from farm.ecosystems.maven.naming import split_name
from farm.ecosystems.maven.options import options_of
from farm.ecosystems.maven.paths import parse_path
from farm.ecosystems.maven.pom import LIMIT, read_pom
from farm.errors import GuardError
from farm.model.build import FileNote

if TYPE_CHECKING:
    from collections.abc import Iterator

    from farm.ecosystems.base import StepContext
    from farm.ecosystems.maven.paths import Coordinates
    from farm.model.build import BuildResult, RawArtifact
    from farm.model.plan import BuildPlan

__all__ = ["ARCHIVES", "coordinates_of", "inspect_result"]

ARCHIVES = ("jar", "war", "ear", "rar", "aar", "zip")


def coordinates_of(plan: BuildPlan, raw: RawArtifact) -> Coordinates:
    """Return the coordinates of what was deployed.

    Raises:
        GuardError: the path is not one of the Maven2 layout.
    """
    try:
        found = parse_path(raw.filename).coordinates
    except ValueError as error:
        raise GuardError(f"{plan.package}: the build put out a file with an odd path: {error}") from error
    if found is None:
        raise GuardError(f"{plan.package}: the build put out {raw.filename}, which is no artifact")
    return found


def inspect_result(plan: BuildPlan, result: BuildResult, ctx: StepContext) -> tuple[FileNote, ...]:
    """Hold the deployed files against the recipe.

    Returns:
        Notes for the provenance: how Maven was told to differ from the project's own wishes.

    Raises:
        GuardError: another artifact or version than declared, a snapshot, a declared artifact that is missing or
            has no POM, a POM or jar that says it is something else.
        UnsafeArchiveError: a jar that is unreadable, or with entries that leave it.
    """
    found = {raw.filename: coordinates_of(plan, raw) for raw in result.artifacts}
    _check_names(plan, tuple(found.values()))
    for index, raw in enumerate(result.artifacts):
        where = found[raw.filename]
        if where.extension == "pom" and not where.classifier:
            if raw.blob.size > LIMIT:
                raise GuardError(f"{raw.filename} has {raw.blob.size} bytes, more than a POM may have ({LIMIT})")
            _check_pom(plan, where, ctx.vault.read(raw.blob))
        elif where.extension in ARCHIVES:
            path = ctx.work / f"archive-{index}"
            ctx.vault.fetch(raw.blob, path)
            facts = read_jar(path, raw.filename)
            path.unlink()
            for group, artifact, version in facts.projects:
                if (group, artifact) == (where.group, where.artifact) and version != where.version:
                    raise GuardError(f"{raw.filename} says inside that it is {group}:{artifact}:{version}")
    return tuple(_notes(plan))


def _check_names(plan: BuildPlan, found: tuple[Coordinates, ...]) -> None:
    declared = declared_artifacts(plan)
    for where in found:
        name = f"{where.group}:{where.artifact}"
        if where.snapshot or "SNAPSHOT" in where.version.upper():
            raise GuardError(f"{plan.package}: the build put out a snapshot: {where}")
        if name not in declared:
            raise GuardError(
                f"{plan.package}: the build put out {where}, which the recipe does not declare",
                remedy=f"If it belongs to the package, add {name!r} to build.options.artifacts; else leave its module"
                " out with build.options.modules.",
            )
        if where.version != plan.package.version:
            raise GuardError(f"{plan.package}: the build put out another version: {where}")
    for name in declared:
        group, artifact = split_name(name)
        files = [where for where in found if (where.group, where.artifact) == (group, artifact)]
        if not any(where.extension == "pom" and not where.classifier for where in files):
            raise GuardError(
                f"{plan.package}: the build put out no POM of {name}, which the recipe declares",
                remedy="Correct name, version or build.options.artifacts in the recipe; a module that is not deployed"
                " is not to be declared.",
            )


def _check_pom(plan: BuildPlan, where: Coordinates, data: bytes) -> None:
    pom = read_pom(data, f"{where.artifact}-{where.version}.pom", GuardError)
    said = (pom.group, pom.artifact, pom.version)
    if said != (where.group, where.artifact, where.version) and "${" not in "".join(said):
        raise GuardError(f"{plan.package}: the POM of {where} says that it is {':'.join(said)}")


def _notes(plan: BuildPlan) -> Iterator[FileNote]:
    options = options_of(plan)
    for plugin in options.disable:
        yield FileNote(name="plugin switched off", value=plugin)
    if options.wrapper_script is not None:
        yield FileNote(name="the checkout's mvnw was run", value=options.wrapper_script.reason)
