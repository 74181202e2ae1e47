"""Reading Cargo.lock: which crates a build needs, each with its digest. Pure.

The format is Cargo's own (https://doc.rust-lang.org/cargo/guide/cargo-toml-vs-cargo-lock.html); what is read of it:
`version`, and of each `[[package]]` `name`, `version`, `source` and `checksum`, the SHA-256 of the `.crate` file.
"""

from __future__ import annotations

import re
import tomllib
from typing import TYPE_CHECKING, Any, NamedTuple
from urllib.parse import quote

from farm.errors import CargoLockError

if TYPE_CHECKING:
    from collections.abc import Iterable

    from farm.model.lock import LockedFile

__all__ = ["SUFFIX", "Crate", "is_consistent", "is_crate", "merge", "read_cargo_lock"]

SUFFIX = ".crate"
_VERSIONS = (None, 3, 4)
"""Known versions of the format: before 3 the file did not say. Version 1 has its digests elsewhere, and is refused."""
_NAME = re.compile(r"[A-Za-z0-9_][A-Za-z0-9_-]{0,63}")
_VERSION = re.compile(r"[0-9]+\.[0-9]+\.[0-9]+[0-9A-Za-z.+-]{0,100}")
_DIGEST = re.compile(r"[0-9a-f]{64}")
_REGISTRIES = ("registry+", "sparse+")


class Crate(NamedTuple):
    """One crate of a registry."""

    name: str
    version: str
    sha256: str

    @property
    def filename(self) -> str:
        """What the registry calls its file; the folder in it has the same name, without the suffix."""
        return f"{self.name}-{self.version}{SUFFIX}"

    @property
    def purl(self) -> str:
        """Its package URL; build metadata of a version begin with a plus sign."""
        return f"pkg:cargo/{self.name}@{quote(self.version)}"


def is_crate(file: LockedFile) -> bool:
    """Return whether a locked file is a crate, no wheel."""
    return file.filename.endswith(SUFFIX)


def is_consistent(file: LockedFile) -> bool:
    """Return whether the parts of a locked crate belong together: its name on disk is made of checked words alone."""
    crate = Crate(file.name, file.version, file.sha256)
    return (
        _NAME.fullmatch(crate.name) is not None
        and _VERSION.fullmatch(crate.version) is not None
        and (file.filename, file.purl, file.origin) == (crate.filename, crate.purl, "index")
    )


def read_cargo_lock(data: bytes, label: str) -> tuple[Crate, ...]:
    """Return the crates that a Cargo.lock takes from its registry, sorted. Packages of the source itself are left out.

    Args:
        data: the file.
        label: what errors call it.

    Raises:
        CargoLockError: no Cargo.lock of a known version; a package from git or without a digest; several registries.
    """
    try:
        content: dict[str, Any] = tomllib.loads(data.decode("utf-8"))
    except ValueError as error:
        raise CargoLockError(f"{label} cannot be read: {error}") from error
    version = content.get("version")
    if version not in _VERSIONS or isinstance(version, bool):
        raise CargoLockError(f"{label} is of version {version!r}; farm knows {_VERSIONS[1]} and {_VERSIONS[2]}")
    packages = content.get("package", [])
    if not isinstance(packages, list) or not all(isinstance(package, dict) for package in packages):
        raise CargoLockError(f"{label} has no list of packages")
    outside = [package for package in packages if package.get("source") is not None]
    found = merge((_crate(package, label) for package in outside), label)
    registries = sorted({str(package["source"]) for package in outside})
    if len(registries) > 1:
        raise CargoLockError(f"{label} takes crates from several registries: {', '.join(registries)}")
    return found


def merge(crates: Iterable[Crate], label: str) -> tuple[Crate, ...]:
    """Return the crates sorted, each once.

    Raises:
        CargoLockError: the same crate with two digests.
    """
    found: dict[tuple[str, str], Crate] = {}
    for crate in crates:
        if found.setdefault((crate.name, crate.version), crate) != crate:
            raise CargoLockError(f"{label} has {crate.name} {crate.version} with two checksums")
    return tuple(sorted(found.values()))


def _crate(package: dict[str, Any], label: str) -> Crate:
    name, version, source = package.get("name"), package.get("version"), package["source"]
    if not isinstance(name, str) or not _NAME.fullmatch(name):
        raise CargoLockError(f"{label}: {str(name)[:100]!r} is no name of a crate")
    if not isinstance(version, str) or not _VERSION.fullmatch(version):
        raise CargoLockError(f"{label}: {str(version)[:100]!r} is no version of the crate {name}")
    if not isinstance(source, str) or not source.startswith(_REGISTRIES):
        kind = "a git repository" if str(source).startswith("git+") else "no registry"
        raise CargoLockError(f"{label}: {name} {version} comes from {kind} ({str(source)[:200]})")
    checksum = package.get("checksum")
    if not isinstance(checksum, str) or not _DIGEST.fullmatch(checksum):
        raise CargoLockError(f"{label}: {name} {version} has no checksum (SHA-256)")
    return Crate(name, version, checksum)
