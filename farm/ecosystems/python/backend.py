"""Ask a build backend its questions, in a sandbox without network that holds exactly the given files."""

from __future__ import annotations

import json
from dataclasses import dataclass
from typing import TYPE_CHECKING, Literal

from farm.ecosystems.python.cargo.vendor import failed_with, vendor
from farm.ecosystems.python.environment import build_environment
from farm.ecosystems.python.layout import (
    GUEST,
    OUT,
    TOOLS_PYTHON,
    VENV_PYTHON,
    project_folder,
    stage_wheels,
    venv_steps,
)
from farm.ecosystems.python.metadata import CoreMetadata, read_metadata
from farm.ecosystems.python.resolver import parse_requirements
from farm.ecosystems.python.run import run
from farm.ecosystems.run import failure, last_words
from farm.errors import BuildFailedError
from farm.sandbox.base import Step

if TYPE_CHECKING:
    from pathlib import Path

    from farm.ecosystems.base import StepContext
    from farm.model.lock import LockedFile
    from farm.model.plan import BuildPlan
    from farm.model.source import SourceSnapshot

__all__ = ["Backend"]

_MAX_ANSWER = 1024 * 1024
_ANSWERS = {"requires": "requires.json", "metadata": "METADATA"}


@dataclass(frozen=True)
class Backend:
    """The build backend of one project; every question is a fresh sandbox.

    Every method may raise BuildFailedError, UnsafeArchiveError (of a crate) and whatever the sandbox raises.
    """

    plan: BuildPlan
    snapshot: SourceSnapshot
    ctx: StepContext
    source: Path
    """The staged source archive."""
    crates: tuple[LockedFile, ...] = ()
    """The crates that Cargo may read."""

    def requires(self, installed: tuple[LockedFile, ...], attempt: int) -> tuple[str, ...]:
        """Return what `get_requires_for_build_wheel` answers (PEP 517), parsed.

        Raises:
            ResolutionError: an answer that is no plain requirement.
        """
        answer = self._ask(installed, "requires", f"requires-{attempt}")
        try:
            found: object = json.loads(answer)
        except ValueError as error:
            raise BuildFailedError(
                f"{self.plan.package}: get_requires_for_build_wheel gave no JSON: {error}"
            ) from error
        if not isinstance(found, list) or not all(isinstance(item, str) for item in found):
            raise BuildFailedError(f"{self.plan.package}: get_requires_for_build_wheel gave no list of strings")
        return parse_requirements(found, "get_requires_for_build_wheel")

    def metadata(self, installed: tuple[LockedFile, ...]) -> CoreMetadata:
        """Return the metadata of the wheel that would be built.

        Raises:
            GuardError: metadata that cannot be read.
        """
        return read_metadata(self._ask(installed, "metadata", "metadata"), str(self.plan.package))

    def _ask(self, installed: tuple[LockedFile, ...], what: Literal["requires", "metadata"], name: str) -> bytes:
        plan, ctx = self.plan, self.ctx
        mounts = (stage_wheels(installed, ctx.vault, ctx.work / f"{name}-inputs"),) if installed else ()
        settings = json.dumps(plan.build.config_settings, sort_keys=True)
        project = project_folder(plan.source.subdirectory)
        argv = (TOOLS_PYTHON, f"{GUEST}/hooks.py", project, VENV_PYTHON, OUT, settings, what)
        crates = vendor(plan, self.crates, ctx.vault, ctx.work / f"{name}-crates")
        steps = (
            *venv_steps(plan.target, install=bool(installed)),
            *crates.steps,
            Step(f"{what} hook", argv, cwd=project),
        )
        env = build_environment(plan, self.snapshot)
        done = run(plan, ctx, name, steps, env, mounts=(*mounts, *crates.mounts), source=self.source)
        if done.result.exit_code != 0:
            raise failure(
                failed_with(done.result.failed_step),
                f"{plan.package}: {done.result.failed_step} failed while locking:\n{last_words(done.result.log_tail)}",
                done,
                step=done.result.failed_step,
                exit_code=done.result.exit_code,
            )
        answer = done.out / _ANSWERS[what]
        # The backend can write into /out as well: what lies there is checked like any answer of foreign code.
        if not answer.is_file() or answer.is_symlink() or answer.stat().st_size > _MAX_ANSWER:
            raise failure(BuildFailedError, f"{plan.package}: the {what} hook left no readable answer", done)
        return answer.read_bytes()
