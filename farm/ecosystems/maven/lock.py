"""The lock step: run exactly the goals of the build once, with the recorder as the one peer, and write down every file.

The project's own modules are left out: in the build they come from the reactor. What is recorded of them (an older
release that an API check compares with, say) is another version, and stays.
"""

from __future__ import annotations

from collections import Counter
from typing import TYPE_CHECKING

from farm import log
from farm.ecosystems.maven.basis import basis, locked_requirements, purl_of
from farm.ecosystems.maven.build import counted_tests, guest_mount
from farm.ecosystems.maven.command import (
    PORT,
    RECORDER_URL,
    build_environment,
    maven_argv,
    maven_steps,
)
from farm.ecosystems.maven.depot import distribution_mount, settings_mount
from farm.ecosystems.maven.explain import record_error
from farm.ecosystems.maven.paths import parse_path
from farm.ecosystems.maven.project import distribution_of, read_project
from farm.ecosystems.maven.recorder import Recorder
from farm.ecosystems.maven.upstreams import configured_upstreams, own_upstream
from farm.ecosystems.patches import patch_steps, patched_source
from farm.ecosystems.run import run, stage_source
from farm.errors import InputDigestError, InputMissingError, ResolutionError
from farm.model.lock import Lock, LockedFile
from farm.sandbox.base import Peer

if TYPE_CHECKING:
    from collections.abc import Callable
    from pathlib import Path

    from farm.ecosystems.base import StepContext
    from farm.ecosystems.maven.project import DistributionPin
    from farm.ecosystems.maven.recording import Recorded, Recording
    from farm.ecosystems.maven.upstreams import Upstream
    from farm.model.plan import BuildPlan
    from farm.model.source import SourceSnapshot

__all__ = ["make_lock"]

_EVERY = 50
"""Files between two lines of progress."""
_MIB = 1024 * 1024
_SHOWN = 5

_log = log.get(__name__)


def make_lock(plan: BuildPlan, snapshot: SourceSnapshot, ctx: StepContext) -> Lock:
    """Record the build of `plan` and return its lock; every file of it is in the vault then.

    Raises:
        BuildToolError, RecipeError: the source is no Maven project, or nothing pins the Maven to use.
        InputUnavailableError, InputMissingError, InputDigestError: the distribution cannot be had as it is pinned.
        PackageTestError, BuildFailedError: the recorded run failed; what the recorder could not get is named.
        InputDigestError: what farm's own repository gave does not verify.
        ResolutionError: it succeeded, but something was not to be had, or tried to reach past the recorder.
        Whatever the sandbox raises.
    """
    source = stage_source(snapshot, ctx)
    project = read_project(plan, patched_source(plan, ctx, source))
    for note in project.observations:
        _log.warning("the lock freezes what the POM leaves open", package=str(plan.package), note=note)
    distribution = distribution_of(plan, project)
    argv = maven_argv(plan, snapshot, has_timestamp=project.has_timestamp)
    folder = ctx.work / "peer"
    folder.mkdir(mode=0o700)
    scratch = ctx.work / "recorded"
    scratch.mkdir()
    with Recorder(folder / "socket", _upstreams(ctx), ctx.vault, scratch=scratch, progress=_progress(ctx)) as recorder:
        archive = _distribution(recorder, distribution)
        patch_mounts, patching = patch_steps(plan, ctx.vault, ctx.work)
        mounts = (
            distribution_mount(archive, ctx.work),
            settings_mount(RECORDER_URL, ctx.work),
            *patch_mounts,
            guest_mount(),
        )
        done = run(
            plan,
            ctx,
            "lock",
            (*patching, *maven_steps(plan, snapshot, argv, RECORDER_URL)),
            build_environment(plan, snapshot, replay=False),
            mounts=mounts,
            source=source,
            peer=Peer(folder / "socket", PORT),
        )
        recording = recorder.recording()
    if done.result.exit_code != 0:
        raise record_error(plan, done, tuple(f"{p.path}: {p.message}" for p in recording.unmended))
    _check(plan, recording)
    _verify_own(recording, ctx)
    counted_tests(done)
    needed = locked_requirements(plan, snapshot, argv, distribution)
    files = tuple(_locked(file, distribution) for file in recording.files if not _own(file.path, plan, project.modules))
    _report(plan, files)
    return Lock(
        package=str(plan.package),
        target=plan.target.key,
        image=plan.build.image,
        basis=basis(plan, needed),
        requirements=needed,
        files=files,
        missing=tuple(path for path in recording.missing if not _own(path, plan, project.modules)),
    )


def _upstreams(ctx: StepContext) -> tuple[Upstream, ...]:
    own = (own_upstream(ctx.own_index),) if ctx.own_index else ()
    return (*own, *configured_upstreams(ctx.settings))


def _distribution(recorder: Recorder, pin: DistributionPin) -> Path:
    """Get the pinned Maven through the recorder, which writes it down like every other file."""
    held = recorder.answers.get(parse_path(pin.path))
    if held is None:
        raise InputMissingError(
            f"no configured repository has Maven {pin.version} ({pin.path})",
            remedy="Check the version in build.options.maven, and which repositories Maven's settings name.",
        )
    if held.record.sha256 != pin.sha256:
        raise InputDigestError(
            f"the distribution of Maven {pin.version} has the SHA-256 {held.record.sha256}, {pin.sha256} is pinned",
            details={"path": pin.path, "expected": pin.sha256, "found": held.record.sha256},
        )
    return held.file


def _progress(ctx: StepContext) -> Callable[[int, int], None]:
    def tell(files: int, size: int) -> None:
        ctx.tell(f"{files} files, {size // _MIB} MiB")
        if files % _EVERY == 0:
            _log.info("recording", files=files, mib=size // _MIB)

    return tell


def _check(plan: BuildPlan, recording: Recording) -> None:
    """Demand that the recording is whole: Maven goes on without metadata that it could not read."""
    if recording.unmended:
        said = "; ".join(f"{p.path}: {p.message}" for p in recording.unmended[:_SHOWN])
        raise ResolutionError(
            f"{plan.package}: the build passed, but not everything it asked for could be had: {said}",
            remedy=recording.unmended[0].remedy,
            details={"problems": [f"{p.path}: {p.message}" for p in recording.unmended]},
        )
    if recording.refused:
        first = recording.refused[0]
        raise ResolutionError(
            f"{plan.package}: something tried to reach through the recorder: {first.method} {first.target}"
            f" ({first.reason})",
            remedy="Find the plugin that downloads by other means; switch it off (build.options.disable) or patch it.",
            details={"refused": [f"{r.method} {r.target}: {r.reason}" for r in recording.refused]},
        )


def _verify_own(recording: Recording, ctx: StepContext) -> None:
    """Demand that what farm's own repository gave verifies: what the lock calls rebuilt has been.

    Metadata is signed by nobody; what it led to is locked by its digest, and reviewed.
    """
    from farm.ecosystems.own import verify_own  # noqa: PLC0415 - sigstore is imported with it

    folder = ctx.work / "own"
    for recorded in recording.files:
        found = parse_path(recorded.path).coordinates
        if recorded.origin != "farm" or found is None:
            continue
        folder.mkdir(exist_ok=True)
        file = folder / recorded.path.rpartition("/")[2]
        ctx.vault.fetch(recorded.ref, file)
        verify_own(ctx.settings, ctx.own_index, file, "maven", f"{found.group}:{found.artifact}", found.version)


def _own(path: str, plan: BuildPlan, modules: frozenset[str]) -> bool:
    """Return whether a path is of the very version that is being built."""
    found = parse_path(path).coordinates
    if found is None:
        return False
    return f"{found.group}:{found.artifact}" in modules and found.version == plan.package.version


def _locked(file: Recorded, distribution: DistributionPin) -> LockedFile:
    found = parse_path(file.path).coordinates
    parts = file.path.split("/")
    project = f"{'.'.join(parts[:-2])}:{parts[-2]}" if len(parts) > 2 else file.path  # noqa: PLR2004 - group, artifact, file
    name = f"{found.group}:{found.artifact}" if found else project
    return LockedFile(
        filename=file.path,
        name=name,
        version=found.version if found else "",
        sha256=file.sha256,
        size=file.size,
        origin=file.origin,
        roles=("backend",) if file.path == distribution.path else ("build",),
        purl=purl_of(file.path),
        sha1=file.sha1,
        repository=file.repository,
    )


def _report(plan: BuildPlan, files: tuple[LockedFile, ...]) -> None:
    origins = Counter(file.origin for file in files)
    _log.info("recorded", package=str(plan.package), files=len(files), **dict(sorted(origins.items())))
