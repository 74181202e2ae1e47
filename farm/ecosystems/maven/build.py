"""The build step: Maven, the locked files and the source in a sandbox without network, to what Maven deploys."""

from __future__ import annotations

import json
from pathlib import Path
from typing import TYPE_CHECKING

from farm.ecosystems.maven import guest
from farm.ecosystems.maven.basis import COMMAND, DISTRIBUTION, check
from farm.ecosystems.maven.command import DEPOT_URL, GUEST, build_environment, maven_argv, maven_steps
from farm.ecosystems.maven.depot import replay_mounts
from farm.ecosystems.maven.explain import replay_error
from farm.ecosystems.maven.project import distribution_of, read_project
from farm.ecosystems.patches import patch_steps, patched_source
from farm.ecosystems.run import failure, run, stage_source
from farm.errors import BuildFailedError, GuardError, LockStaleError
from farm.model.build import BuildResult, RawArtifact, TestCounts
from farm.sandbox.base import Mount

if TYPE_CHECKING:
    from farm.ecosystems.base import StepContext
    from farm.ecosystems.run import Run
    from farm.model.lock import Lock
    from farm.model.plan import BuildPlan
    from farm.model.source import SourceSnapshot

__all__ = ["build_jars", "counted_tests", "guest_mount"]

_CHECKSUMS = (".md5", ".sha1", ".sha256", ".sha512")
_METADATA = "maven-metadata.xml"


def guest_mount() -> Mount:
    """Show the small programs that the steps call."""
    return Mount(Path(guest.__file__).parent, GUEST)


def build_jars(plan: BuildPlan, snapshot: SourceSnapshot, lock: Lock, ctx: StepContext) -> BuildResult:
    """Run the recorded goals with exactly the locked files; what is deployed goes into the vault as it is.

    Raises:
        InputNotLockedError: something was asked for that the lock does not hold.
        PackageTestError: tests failed; the message names them.
        BuildFailedError: Maven failed otherwise, or put nothing out.
        BlobMissingError, BlobCorruptError: an input is not in the vault as the lock says.
        Whatever the sandbox raises.
    """
    check(plan, snapshot, ctx.image, lock)
    source = stage_source(snapshot, ctx)
    project = read_project(plan, patched_source(plan, ctx, source))
    argv = maven_argv(plan, snapshot, has_timestamp=project.has_timestamp)
    if argv != lock.requirements[COMMAND]:
        raise LockStaleError(f"the lock of {plan.package} was recorded with other flags than the source now asks for")
    pin = distribution_of(plan, project)
    if (pin.path, pin.sha256) != lock.requirements[DISTRIBUTION]:
        raise LockStaleError(f"the lock of {plan.package} was recorded with another Maven than {pin.path}")
    patch_mounts, patching = patch_steps(plan, ctx.vault, ctx.work)
    mounts = (*replay_mounts(lock, ctx), *patch_mounts, guest_mount())
    steps = (*patching, *maven_steps(plan, snapshot, argv, DEPOT_URL))
    env = build_environment(plan, snapshot, replay=True)
    done = run(plan, ctx, "build", steps, env, mounts=mounts, source=source)
    if done.result.exit_code != 0:
        raise replay_error(plan, done)
    return BuildResult(
        artifacts=_deployed(plan, done, ctx),
        commands=(argv,),
        environment=env,
        tests=counted_tests(done),
        log=ctx.vault.put_file(done.log),
        probe=done.result.probe,
        usage=done.result.usage,
    )


def _deployed(plan: BuildPlan, done: Run, ctx: StepContext) -> tuple[RawArtifact, ...]:
    """Put every deployed file into the vault, checksums and metadata left out: the repository makes its own."""
    root = done.out / "repository"
    found = []
    for path in sorted(root.rglob("*")):
        if path.is_dir() and not path.is_symlink():
            continue
        name = path.relative_to(root).as_posix()
        if path.is_symlink():
            raise failure(GuardError, f"{plan.package}: the build put out a link: {name}", done)
        if not path.name.startswith(_METADATA) and not path.name.endswith(_CHECKSUMS):
            found.append(RawArtifact(filename=name, blob=ctx.vault.put_file(path)))
    if not found:
        raise failure(BuildFailedError, f"{plan.package}: Maven succeeded but deployed nothing", done)
    return tuple(found)


def counted_tests(done: Run) -> TestCounts:
    """Return what the reports say of the tests; the build has succeeded, so failed ones were meant to be ignored.

    Raises:
        BuildFailedError: the reports were not counted.
    """
    try:
        sums = json.loads((done.out / "tests.json").read_bytes())
        run_, skipped = int(sums["tests"]), int(sums["skipped"])
        failed = int(sums["failures"]) + int(sums["errors"])
        return TestCounts(run=run_, skipped=skipped, failed=failed)
    except (OSError, ValueError, KeyError, TypeError) as error:
        raise failure(BuildFailedError, f"the test reports could not be counted: {error}", done) from error
