"""One sandbox run of an ecosystem: what every step's request has in common."""

from __future__ import annotations

import shutil
import uuid
from dataclasses import dataclass
from typing import TYPE_CHECKING

from farm.errors import FarmError
from farm.sandbox.base import Mount, SandboxRequest, Unpack
from farm.text import without_controls

if TYPE_CHECKING:
    from collections.abc import Mapping
    from pathlib import Path

    from farm.ecosystems.base import StepContext
    from farm.model.base import BlobRef
    from farm.model.plan import BuildPlan
    from farm.model.source import SourceSnapshot
    from farm.sandbox.base import Peer, SandboxResult, Step
    from farm.store.base import Vault

__all__ = ["SRC", "Run", "failure", "last_words", "run", "stage", "stage_source"]

SRC = "/src"
"""Where the source is unpacked, in the sandbox."""
_SOURCE_TAR = "/source.tar"


@dataclass(frozen=True)
class Run:
    """What came of a run: the sandbox's answer, the folder with the content of `/out`, the log."""

    result: SandboxResult
    out: Path
    log: Path
    kept: Path
    """Where the log goes when the run was in vain (see `failure`): the scratch folder does not stay."""


def stage(vault: Vault, ref: BlobRef, target: Path) -> None:
    """Write the blob to `target` (digest checked), readable for the sandbox's user."""
    vault.fetch(ref, target)
    target.chmod(0o644)


def stage_source(snapshot: SourceSnapshot, ctx: StepContext) -> Path:
    """Write the snapshot's archive from the vault (digest checked) into the step's scratch folder, once."""
    target = ctx.work / "source.tar"
    if not target.exists():
        stage(ctx.vault, snapshot.archive, target)
    return target


def run(
    plan: BuildPlan,
    ctx: StepContext,
    name: str,
    steps: tuple[Step, ...],
    env: Mapping[str, str],
    *,
    mounts: tuple[Mount, ...] = (),
    source: Path | None = None,
    peer: Peer | None = None,
) -> Run:
    """Run `steps` in a fresh sandbox, with the source unpacked at /src where one is given.

    Args:
        plan: whose limits and label apply.
        ctx: sandbox, image and scratch folder.
        name: names the output folder and the log of this run inside the scratch folder.
        steps: the commands.
        env: the whole environment.
        mounts: further read-only folders.
        source: the staged source archive.
        peer: the one thing that may be reached (lock step).

    Raises:
        Whatever the sandbox raises, with the path of the log of that run.
    """
    out, log = ctx.work / f"{name}-out", ctx.work / f"{name}.log"
    out.mkdir()
    shown = mounts
    unpack: tuple[Unpack, ...] = ()
    if source is not None:
        shown = (*shown, Mount(source, _SOURCE_TAR))
        unpack = (Unpack(_SOURCE_TAR, SRC),)
    request = SandboxRequest(
        image_id=ctx.image.image_id,
        label=str(plan.package),
        steps=steps,
        limits=plan.limits,
        output=out,
        log=log,
        mounts=shown,
        unpack=unpack,
        env=env,
        peer=peer,
    )
    package = plan.package
    # A colon, as Maven's names have one, cannot be in a file's name everywhere that logs are copied to.
    stem = f"{package.ecosystem}-{package.name}-{package.version}".replace(":", ".")
    filename = f"{stem}-{name}-{uuid.uuid4().hex[:8]}.log"
    kept = ctx.settings.data / "logs" / "builds" / filename
    try:
        result = ctx.sandbox.run(request)
    except FarmError as error:
        # Nothing is in it where the sandbox was not even made.
        if log.is_file() and log.stat().st_size:
            _keep(log, kept)
            error.remedy = _with_log(error.remedy, kept)
            error.details["log"] = str(kept)
        raise
    return Run(result, out, log, kept)


def failure(kind: type[FarmError], message: str, done: Run, **details: str | int) -> FarmError:
    """Return the error of a run that is of no use; its log is kept, and the error names it."""
    _keep(done.log, done.kept)
    remedy = _with_log(kind.default_remedy, done.kept)
    return kind(message, remedy=remedy, details={**details, "log": str(done.kept)})


def _keep(log: Path, kept: Path) -> None:
    kept.parent.mkdir(parents=True, exist_ok=True)
    shutil.move(log, kept)


def _with_log(remedy: str, kept: Path) -> str:
    return f"{remedy} The whole log is {kept}."


def last_words(tail: str, lines: int = 12) -> str:
    """Return the last lines of a log that say something, fit for a terminal, for error messages."""
    return "\n".join([line for line in without_controls(tail).splitlines() if line.strip()][-lines:])
