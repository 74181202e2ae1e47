"""The inspect step: exactly one wheel, and the guards over it."""

from __future__ import annotations

from typing import TYPE_CHECKING

from farm.ecosystems.python.guards import guard_wheel
from farm.errors import GuardError
from farm.model.build import FileNote

if TYPE_CHECKING:
    from farm.ecosystems.base import StepContext
    from farm.ecosystems.python.guards import WheelFacts
    from farm.model.build import BuildResult, RawArtifact
    from farm.model.plan import BuildPlan

__all__ = ["inspect_result", "only_wheel"]


def only_wheel(plan: BuildPlan, result: BuildResult) -> RawArtifact:
    """Return the one wheel of the result.

    Raises:
        GuardError: none, several, or something besides it.
    """
    names = [artifact.filename for artifact in result.artifacts]
    if len(names) != 1 or not names[0].endswith(".whl"):
        raise GuardError(
            f"{plan.package}: the build must write exactly one wheel, it wrote: {', '.join(names) or 'nothing'}",
            details={"files": names},
        )
    return result.artifacts[0]


def inspect_result(plan: BuildPlan, result: BuildResult, ctx: StepContext) -> tuple[FileNote, ...]:
    """Fetch the wheel from the vault and hold it against the recipe; see `guard_wheel` for the errors."""
    raw = only_wheel(plan, result)
    path = ctx.work / "inspect.whl"
    ctx.vault.fetch(raw.blob, path)
    return _notes(guard_wheel(path, plan, filename=raw.filename), raw)


def _notes(facts: WheelFacts, raw: RawArtifact) -> tuple[FileNote, ...]:
    notes = [
        FileNote(name="raw-filename", value=raw.filename),
        FileNote(name="raw-sha256", value=raw.blob.sha256),
        FileNote(name="raw-tags", value=" ".join(facts.tags)),
        FileNote(name="files", value=str(sum(not entry.folder for entry in facts.entries))),
    ]
    notes += [FileNote(name="native", value=path) for path in facts.native]
    notes += [FileNote(name="foreign-binary", value=path) for path in facts.foreign]
    notes += [FileNote(name="startup-code", value=path) for path in facts.startup]
    return tuple(notes)
