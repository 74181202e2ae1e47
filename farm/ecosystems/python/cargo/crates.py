"""The lock's part of Rust: from the Cargo.lock files that the recipe names to crates in the vault."""

from __future__ import annotations

from concurrent.futures import ThreadPoolExecutor
from typing import TYPE_CHECKING

from farm.ecosystems.python.cargo.lockfile import merge, read_cargo_lock
from farm.ecosystems.python.cargo.registry import CrateClient
from farm.ecosystems.python.options import cargo_locks
from farm.ecosystems.python.source import read_member
from farm.errors import CargoLockError
from farm.model.lock import LockedFile

if TYPE_CHECKING:
    from pathlib import Path

    from farm.ecosystems.base import StepContext
    from farm.ecosystems.python.cargo.lockfile import Crate
    from farm.model.plan import BuildPlan

__all__ = ["lock_crates"]

_DOWNLOADS = 4


def lock_crates(plan: BuildPlan, source: Path, ctx: StepContext) -> tuple[LockedFile, ...]:
    """Fetch every crate of the plan's Cargo.lock files into the vault, digest checked.

    Args:
        plan: names the files.
        source: tar of the source as the build sees it.
        ctx: settings, vault, scratch folder.

    Returns:
        The crates as locked files, sorted; those of other platforms too, since Cargo wants to see all of them.

    Raises:
        CargoLockError: a file is not there, or names what cannot be locked.
        InputUnavailableError, InputMissingError, InputDigestError: the registry does not give what the file says.
        ConfigError: the registry is not configured rightly.
    """
    found: list[Crate] = []
    for name in cargo_locks(plan):
        data = read_member(source, name)
        if data is None:
            remedy = "Correct build.options.cargo of the recipe; a Cargo.lock that is missing comes by a patch."
            raise CargoLockError(f"{plan.package}: there is no {name} in the source", remedy=remedy)
        found += read_cargo_lock(data, f"{plan.package}: {name}")
    crates = merge(found, str(plan.package))
    if not crates:
        return ()
    folder = ctx.work / "crates"
    folder.mkdir()
    with CrateClient(ctx.settings) as client:

        def fetch(crate: Crate) -> LockedFile:
            target = folder / crate.filename
            client.download(crate, target)
            ref = ctx.vault.put_file(target)
            target.unlink()
            return LockedFile(
                filename=crate.filename,
                name=crate.name,
                version=crate.version,
                sha256=ref.sha256,
                size=ref.size,
                origin="index",
                roles=("build",),
                purl=crate.purl,
            )

        with ThreadPoolExecutor(max_workers=_DOWNLOADS) as pool:
            return tuple(pool.map(fetch, crates))
