"""One sandbox run of the Python ecosystem: with the small programs that its steps call."""

from __future__ import annotations

from pathlib import Path
from typing import TYPE_CHECKING

from farm.ecosystems import run as generic
from farm.ecosystems.patches import patch_steps
from farm.ecosystems.python import guest
from farm.ecosystems.python.layout import GUEST
from farm.sandbox.base import Mount

if TYPE_CHECKING:
    from collections.abc import Mapping

    from farm.ecosystems.base import StepContext
    from farm.ecosystems.run import Run
    from farm.model.plan import BuildPlan
    from farm.sandbox.base import Step

__all__ = ["run"]


def run(
    plan: BuildPlan,
    ctx: StepContext,
    name: str,
    steps: tuple[Step, ...],
    env: Mapping[str, str],
    *,
    mounts: tuple[Mount, ...] = (),
    source: Path | None = None,
) -> Run:
    """Run `steps` in a fresh sandbox; see `farm.ecosystems.run.run`. A source that is given is patched first."""
    patches, patching = patch_steps(plan, ctx.vault, ctx.work) if source is not None else ((), ())
    shown = (*mounts, *patches, Mount(Path(guest.__file__).parent, GUEST))
    return generic.run(plan, ctx, name, (*patching, *steps), env, mounts=shown, source=source)
