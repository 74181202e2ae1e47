"""The depot: the locked files in the Maven2 layout, read-only, with the checksums that Maven's `-C` asks for."""

from __future__ import annotations

from concurrent.futures import ThreadPoolExecutor
from typing import TYPE_CHECKING

from farm.ecosystems.maven.basis import DISTRIBUTION
from farm.ecosystems.maven.checksums import digest_of
from farm.ecosystems.maven.command import DEPOT, DEPOT_URL, MAVEN, SETTINGS, settings_xml
from farm.ecosystems.maven.paths import parse_path
from farm.errors import LockStaleError, SourceUnsafeError
from farm.sandbox.base import Mount
from farm.source.unpack import unpack

if TYPE_CHECKING:
    from collections.abc import Iterable
    from pathlib import Path

    from farm.ecosystems.base import StepContext
    from farm.model.base import BlobRef
    from farm.model.lock import Lock, LockedFile
    from farm.store.cache import BlobCache

__all__ = ["distribution_mount", "make_depot", "replay_mounts", "settings_mount"]


_TRANSFERS = 8
"""Files that are read from the cache, or from the vault, at the same time."""


def replay_mounts(lock: Lock, ctx: StepContext) -> tuple[Mount, ...]:
    """Make everything that a build reads besides its source: depot, Maven, settings.

    Raises:
        BlobMissingError, BlobCorruptError: a locked file is not in the vault as the lock says.
        LockStaleError: a path in the lock is none of a Maven repository's, or its Maven is not the one that is pinned.
    """
    path, sha256 = lock.requirements[DISTRIBUTION]
    # What is pinned is a digest; what is unpacked and run is the file of that path.
    if all((file.filename, file.sha256) != (path, sha256) for file in lock.files):
        raise LockStaleError(f"the lock of {lock.package} does not hold the Maven that it was made with: {path}")
    folder = ctx.work / "depot"
    make_depot(lock.files, ctx.cache, folder)
    return (
        Mount(folder, DEPOT),
        distribution_mount(folder / path, ctx.work),
        settings_mount(DEPOT_URL, ctx.work),
    )


def make_depot(files: Iterable[LockedFile], cache: BlobCache, folder: Path) -> None:
    """Lay the locked files out below the new `folder`; each one's SHA-256 is computed on the way in.

    The `.sha1` beside each file is the lock's, which must be the file's: Maven compares only what it copies.

    Raises:
        LockStaleError: a path that no Maven repository has, or that is there twice; no SHA-1, or another file's.
        BlobMissingError, BlobCorruptError: a file is not in the vault as the lock says.
    """
    wanted: dict[Path, BlobRef] = {}
    sums: dict[Path, str] = {}
    for file in files:
        try:
            path = parse_path(file.filename)
        except ValueError as error:
            raise LockStaleError(f"the lock has a path that no Maven repository has: {error}") from error
        target = folder / path.text
        if path.kind == "checksum" or target in wanted or not file.sha1:
            raise LockStaleError(f"the lock has {file.filename} twice, as a checksum, or without its SHA-1")
        wanted[target] = file.ref
        sums[target.with_name(f"{target.name}.sha1")] = file.sha1
    parents = {parent for target in wanted for parent in target.parents if parent.is_relative_to(folder)}
    if parents & wanted.keys():
        raise LockStaleError(f"the lock has a file below a file: {min(parents & wanted.keys()).relative_to(folder)}")
    for parent in sorted({folder, *parents}):
        _make(parent)

    def place(target: Path) -> None:
        beside = target.with_name(f"{target.name}.sha1")
        beside.write_text(sums[beside], encoding="ascii")
        beside.chmod(0o644)
        cache.link(wanted[target], target)
        if digest_of(target, "sha1") != sums[beside]:
            raise LockStaleError(f"the lock has another SHA-1 than {target.relative_to(folder)} has")

    with ThreadPoolExecutor(max_workers=_TRANSFERS) as pool:
        for _ in pool.map(place, wanted):
            pass


def _make(folder: Path) -> None:
    """Make a folder that the sandbox's user can enter, whatever the umask of this process is."""
    folder.mkdir(exist_ok=True)
    folder.chmod(0o755)


def distribution_mount(archive: Path, work: Path) -> Mount:
    """Unpack the Maven distribution into the scratch folder.

    Raises:
        SourceUnsafeError: what is in it cannot be taken, or is no Maven.
    """
    folder = work / "maven"
    _make(folder)
    unpack(archive, folder, name=archive.name)
    roots = list(folder.iterdir())
    if len(roots) != 1 or not (roots[0] / "bin" / "mvn").is_file():
        raise SourceUnsafeError(f"{archive.name} is no distribution of Maven: one folder with bin/mvn in it")
    for path in (roots[0], *roots[0].rglob("*")):
        if path.is_dir() and not path.is_symlink():
            _make(path)
    return Mount(roots[0], MAVEN)


def settings_mount(url: str, work: Path) -> Mount:
    """Write the settings whose one mirror is `url`."""
    path = work / "settings.xml"
    path.write_bytes(settings_xml(url))
    path.chmod(0o644)
    return Mount(path, SETTINGS)
