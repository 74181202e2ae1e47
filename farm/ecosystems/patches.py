"""Applying a recipe's patches inside the sandbox: the same first steps for every language."""

from __future__ import annotations

from typing import TYPE_CHECKING

from farm.ecosystems.run import SRC, failure, last_words, run, stage
from farm.errors import PatchError
from farm.sandbox.base import Mount, Step

if TYPE_CHECKING:
    from pathlib import Path

    from farm.ecosystems.base import StepContext
    from farm.model.plan import BuildPlan
    from farm.store.base import Vault

__all__ = ["PATCHES", "patch_commands", "patch_steps", "patched_source"]

PATCHES = "/patches"
"""Where the patches are shown, read-only."""
_APPLY = ("git", "apply", "--whitespace=nowarn", "-p1")
"""git's own rules: every line of context must be as the patch has it, a path cannot leave the folder."""
_PACK = ("tar", "--create", "--file=/out/source.tar", ".")
_ENV = {
    # No configuration of anybody's and no repository, least of all a `.git` of the source itself: with a work tree of
    # its own choice there, git skips the patch and is content.
    "GIT_CONFIG_GLOBAL": "/dev/null",
    "GIT_CONFIG_NOSYSTEM": "1",
    "GIT_DIR": "/dev/null",
}


def patch_commands(plan: BuildPlan) -> tuple[tuple[str, ...], ...]:
    """Return the argument lists that apply the plan's patches, in order (pure: for the steps and the evidence)."""
    return tuple((*_APPLY, f"{PATCHES}/{patch.name}") for patch in plan.build.patches)


def patch_steps(plan: BuildPlan, vault: Vault, work: Path) -> tuple[tuple[Mount, ...], tuple[Step, ...]]:
    """Write the plan's patches from the vault (digest checked) and return what applies them at the source's root.

    Args:
        plan: with the patches, in order.
        vault: has their content.
        work: scratch folder; several runs may share it.

    Returns:
        The mounts and the steps, both empty without patches. A step is called `patch <name>`: the error of a patch
        that does not fit names it.

    Raises:
        BlobMissingError, BlobCorruptError: a patch is not in the vault as the plan says.
    """
    if not plan.build.patches:
        return (), ()
    folder = work / "patches"
    folder.mkdir(exist_ok=True)
    # The sandbox's user is another one than ours, whatever our umask says.
    folder.chmod(0o755)
    for patch in plan.build.patches:
        target = folder / patch.name
        if not target.exists():
            stage(vault, patch.blob, target)
    steps = tuple(
        Step(f"patch {patch.name}", argv, cwd=SRC, env=_ENV)
        for patch, argv in zip(plan.build.patches, patch_commands(plan), strict=True)
    )
    return (Mount(folder, PATCHES),), steps


def patched_source(plan: BuildPlan, ctx: StepContext, source: Path) -> Path:
    """Return a tar of the source as the build sees it, for reading single files of it: once for each scratch folder.

    Args:
        plan: with the patches.
        ctx: sandbox, vault and scratch folder.
        source: the staged source archive; it is what comes back without patches.

    Raises:
        PatchError: a patch does not fit; the message names it.
        Whatever the sandbox and the vault raise.
    """
    if not plan.build.patches:
        return source
    packed = ctx.work / "patched-out" / "source.tar"
    if packed.is_file():
        return packed
    mounts, steps = patch_steps(plan, ctx.vault, ctx.work)
    env = {"HOME": "/home/build", "LC_ALL": "C.UTF-8", "PATH": "/usr/bin:/bin", "TZ": "UTC"}
    done = run(plan, ctx, "patched", (*steps, Step("pack", _PACK, cwd=SRC)), env, mounts=mounts, source=source)
    if done.result.exit_code != 0:
        words = last_words(done.result.log_tail)
        raise failure(PatchError, f"{plan.package}: {done.result.failed_step} does not fit the source:\n{words}", done)
    return packed
