"""The build step: one sandbox run from the source archive and the locked wheels to what the backend writes."""

from __future__ import annotations

from typing import TYPE_CHECKING

from farm.ecosystems.python.cargo.lockfile import is_crate
from farm.ecosystems.python.cargo.vendor import failed_with, vendor
from farm.ecosystems.python.environment import build_argv, build_environment, commands
from farm.ecosystems.python.layout import frontend_folder, stage_wheels, venv_steps
from farm.ecosystems.python.run import run
from farm.ecosystems.run import failure, last_words, stage_source
from farm.errors import BuildFailedError, GuardError
from farm.model.build import BuildResult, RawArtifact
from farm.sandbox.base import Step

if TYPE_CHECKING:
    from farm.ecosystems.base import StepContext
    from farm.model.lock import Lock
    from farm.model.plan import BuildPlan
    from farm.model.source import SourceSnapshot

__all__ = ["build_wheel"]


def build_wheel(plan: BuildPlan, snapshot: SourceSnapshot, lock: Lock, ctx: StepContext) -> BuildResult:
    """Build in the fixed environment with exactly the locked build inputs; the output goes into the vault as it is.

    Raises:
        BuildFailedError: a step failed, or nothing came out.
        UnsafeArchiveError: a crate that is not safe to unpack.
        BlobMissingError, BlobCorruptError: an input is not in the vault as the lock says.
        Whatever the sandbox raises.
    """
    source = stage_source(snapshot, ctx)
    inputs = lock.with_role("build", "backend")
    wheels = [file for file in inputs if not is_crate(file)]
    mounts = (stage_wheels(wheels, ctx.vault, ctx.work / "inputs"),) if wheels else ()
    crates = vendor(plan, inputs, ctx.vault, ctx.work / "crates")
    steps = (
        *venv_steps(plan.target, install=bool(wheels)),
        *crates.steps,
        Step("build", build_argv(plan), cwd=frontend_folder(plan.target)),
    )
    env = build_environment(plan, snapshot)
    done = run(plan, ctx, "build", steps, env, mounts=(*mounts, *crates.mounts), source=source)
    if done.result.exit_code != 0:
        raise failure(
            failed_with(done.result.failed_step),
            f"{plan.package}: {done.result.failed_step} failed with exit code {done.result.exit_code}:\n"
            f"{last_words(done.result.log_tail)}",
            done,
            step=done.result.failed_step,
            exit_code=done.result.exit_code,
        )
    found = sorted(done.out.rglob("*"))
    if not found:
        raise failure(BuildFailedError, f"{plan.package}: the build command succeeded but wrote nothing", done)
    if odd := [path.relative_to(done.out).as_posix() for path in found if path.is_symlink() or not path.is_file()]:
        raise failure(GuardError, f"{plan.package}: the build wrote more than files: {', '.join(odd[:5])}", done)
    return BuildResult(
        artifacts=tuple(RawArtifact(filename=path.name, blob=ctx.vault.put_file(path)) for path in found),
        commands=commands(plan),
        environment=env,
        log=ctx.vault.put_file(done.log),
        probe=done.result.probe,
        usage=done.result.usage,
    )
