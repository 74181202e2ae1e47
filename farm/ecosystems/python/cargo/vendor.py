"""Crates in the sandbox: shown as files, unpacked there into a folder that stands in for the registry.

Cargo holds each crate's digest in that folder against Cargo.lock itself ("directory sources").
"""

from __future__ import annotations

from typing import TYPE_CHECKING, NamedTuple

from farm.ecosystems.python.cargo.lockfile import is_crate
from farm.ecosystems.python.layout import CARGO_HOME, CRATES, GUEST, VENV_PYTHON
from farm.ecosystems.python.options import cargo_locks
from farm.ecosystems.run import SRC, stage
from farm.errors import BuildFailedError, UnsafeArchiveError
from farm.sandbox.base import Mount, Step

if TYPE_CHECKING:
    from collections.abc import Iterable
    from pathlib import Path

    from farm.errors import FarmError
    from farm.model.lock import LockedFile
    from farm.model.plan import BuildPlan
    from farm.store.base import Vault

__all__ = ["Vendored", "failed_with", "vendor", "vendor_steps"]

_STEP = "crates"


class Vendored(NamedTuple):
    """What a run needs to have the crates: mounts, and the steps that come after the environment is made."""

    mounts: tuple[Mount, ...]
    steps: tuple[Step, ...]


def vendor_steps(plan: BuildPlan) -> tuple[Step, ...]:
    """Return the step that unpacks the crates, for plans that have any (pure: for the build and the evidence)."""
    locks = tuple(f"{SRC}/{name}" for name in cargo_locks(plan))
    if not locks:
        return ()
    return (Step(_STEP, (VENV_PYTHON, "-I", f"{GUEST}/crates.py", CRATES, CARGO_HOME, *locks), cwd="/work"),)


def vendor(plan: BuildPlan, files: Iterable[LockedFile], vault: Vault, folder: Path) -> Vendored:
    """Write the crates among `files` from the vault (digest checked) into the new `folder`.

    Returns:
        What a run needs; nothing for plans without crates.
    """
    steps = vendor_steps(plan)
    if not steps:
        return Vendored((), ())
    folder.mkdir()
    # The sandbox's user is another one than ours, whatever our umask says.
    folder.chmod(0o755)
    for file in files:
        if is_crate(file):
            stage(vault, file.ref, folder / file.filename)
    return Vendored((Mount(folder, CRATES),), steps)


def failed_with(step: str) -> type[FarmError]:
    """Return the error of a run that ended at the step of that name."""
    return UnsafeArchiveError if step == _STEP else BuildFailedError
