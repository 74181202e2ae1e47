"""The test step: the finished wheel in a fresh sandbox, with its locked runtime and test inputs and nothing else."""

from __future__ import annotations

from typing import TYPE_CHECKING

from farm.ecosystems.python.environment import base_environment
from farm.ecosystems.python.layout import (
    GUEST,
    INPUTS,
    VENV_PYTHON,
    project_folder,
    requirement_lines,
    stage_wheels,
    venv_steps,
)
from farm.ecosystems.python.run import run
from farm.ecosystems.run import failure, last_words, stage, stage_source
from farm.errors import PackageTestError
from farm.model.build import TestReport
from farm.sandbox.base import Step

if TYPE_CHECKING:
    from farm.ecosystems.base import StepContext
    from farm.model.build import Artifact
    from farm.model.lock import Lock
    from farm.model.plan import BuildPlan
    from farm.model.source import SourceSnapshot

__all__ = ["test_wheel"]

_EMPTY = "/tmp"  # noqa: S108 - a tmpfs of the sandbox, empty and of this run alone


def test_wheel(
    plan: BuildPlan, snapshot: SourceSnapshot, lock: Lock, artifacts: tuple[Artifact, ...], ctx: StepContext
) -> TestReport:
    """Install the wheel, import the recipe's modules one by one and run its command.

    The command runs in the source's project folder, since that is where a project's tests are; the files that the wheel
    holds are taken out of it first, so that what is imported is the wheel.

    Raises:
        PackageTestError: an import or the command failed; the message has the end of the log.
        Whatever the sandbox raises.
    """
    tests = plan.test
    if tests.skip_reason:
        return TestReport(result="skipped", imports=(), command=(), reason=tests.skip_reason)
    (artifact,) = artifacts
    folder = ctx.work / "inputs"
    mount = stage_wheels(lock.with_role("runtime", "test"), ctx.vault, folder)
    stage(ctx.vault, artifact.blob, folder / artifact.filename)
    with (folder / "requirements.txt").open("a", encoding="utf-8") as requirements:
        requirements.write(requirement_lines([(artifact.filename, artifact.blob.sha256)]))
    steps = [
        *venv_steps(plan.target),
        *(
            Step(f"import {name}", (VENV_PYTHON, "-I", f"{GUEST}/import_check.py", name), cwd=_EMPTY)
            for name in tests.imports
        ),
    ]
    if tests.command:
        project = project_folder(plan.source.subdirectory)
        prune = (VENV_PYTHON, "-I", f"{GUEST}/prune.py", project, f"{INPUTS}/{artifact.filename}")
        steps += [Step("prepare the tests", prune, cwd=_EMPTY), Step("test", tests.command, cwd=project)]
    source = stage_source(snapshot, ctx) if tests.command else None
    done = run(plan, ctx, "test", tuple(steps), base_environment(), mounts=(mount,), source=source)
    if done.result.exit_code != 0:
        raise failure(
            PackageTestError,
            f"{plan.package}: {done.result.failed_step} failed with exit code {done.result.exit_code}:\n"
            f"{last_words(done.result.log_tail)}",
            done,
            step=done.result.failed_step,
            exit_code=done.result.exit_code,
        )
    log = ctx.vault.put_file(done.log)
    return TestReport(result="passed", imports=tests.imports, command=tests.command, log=log, usage=done.result.usage)
