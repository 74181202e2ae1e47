"""Archive sources: a file with the pinned SHA-256 → a snapshot. Weaker than git: an upload, not the repository."""

from __future__ import annotations

from typing import TYPE_CHECKING

from farm import log
from farm.errors import BlobCorruptError, BlobMissingError, SourceDigestError, SourceUnsafeError
from farm.model.base import sha256_file
from farm.model.source import SourceSnapshot
from farm.source.named import is_location
from farm.source.safety import CAPS, Caps, clamp_epoch
from farm.source.scrub import without_credentials
from farm.source.tree import scan, tree_digest, write_tar
from farm.source.unpack import unpack

if TYPE_CHECKING:
    from collections.abc import Callable
    from pathlib import Path

    from farm.model.plan import ArchivePin
    from farm.store.base import Vault

__all__ = ["take_archive"]

_log = log.get(__name__)


def take_archive(
    pin: ArchivePin,
    *,
    vault: Vault,
    work: Path,
    fetch: Callable[[ArchivePin, Path], str],
    known: SourceSnapshot | None = None,
    caps: Caps = CAPS,
) -> SourceSnapshot:
    """Fetch the archive, check it, unpack it, and put both it and the tree into the vault.

    Args:
        pin: what to fetch; its SHA-256 decides.
        vault: where snapshot and original are kept.
        work: an existing scratch folder.
        fetch: writes the file for a pin to a path and returns where it is from, without credentials.
        known: what the vault says that this pin gave before. Only the original is taken from there, if it can: what
            the pin's SHA-256 names. All else is made again.
        caps: what is taken at most.

    Returns:
        The snapshot.

    Raises:
        SourceUnavailableError, SourceMissingError: it cannot be fetched.
        SourceDigestError: it has other bytes than the pinned ones.
        SourceUnsafeError: what is in it cannot be taken.
    """
    file = work / "archive"
    origin = _from_vault(pin, known, vault, file) or without_credentials(fetch(pin, file))
    shown = f"{pin.name} {pin.version}".strip() or without_credentials(pin.url)
    size = file.stat().st_size
    if size > caps.archive_bytes:
        msg = f"the archive of {shown} has {size} bytes, more than {caps.archive_bytes}"
        raise SourceUnsafeError(msg)
    found = sha256_file(file)
    if found.sha256 != pin.sha256:
        msg = f"the archive of {shown} from {origin} has the SHA-256 {found.sha256}, the recipe pins {pin.sha256}"
        raise SourceDigestError(msg, details={"expected": pin.sha256, "found": found.sha256, "origin": origin})
    original = vault.put_file(file)
    unpacked = work / "unpacked"
    unpacked.mkdir()
    epoch = clamp_epoch(unpack(file, unpacked, name=shown, caps=caps))
    root = _single_folder(unpacked)
    if pin.subdirectory and not (root / pin.subdirectory).is_dir():
        msg = f"the archive of {shown} has no folder {pin.subdirectory!r}"
        raise SourceUnsafeError(msg)
    entries = scan(root, caps=caps)
    tar = work / "source.tar"
    write_tar(root, entries, epoch, tar)
    return SourceSnapshot(
        strength="archive",
        uri=origin,
        tree_digest=tree_digest(entries),
        archive=vault.put_file(tar),
        origin_sha256=pin.sha256,
        original=original,
        epoch=epoch,
        subdirectory=pin.subdirectory,
        files=len(entries),
        size=sum(entry.size for entry in entries),
    )


def _from_vault(pin: ArchivePin, known: SourceSnapshot | None, vault: Vault, file: Path) -> str:
    """Write the original that the vault keeps to `file` and return its origin; empty when none is right."""
    if known is None or known.original is None or known.original.sha256 != pin.sha256:
        return ""
    if not is_location(pin, known.uri):  # the vault's word alone would go into signed evidence
        return ""
    try:
        vault.fetch(known.original, file)
    except (BlobMissingError, BlobCorruptError) as error:
        _log.warning("the original archive in the vault is lost; fetching it again", reason=error.message)
        return ""
    return known.uri


def _single_folder(unpacked: Path) -> Path:
    """Return the one folder that the archive consists of (`name-version/`), else the folder it was unpacked to."""
    found = list(unpacked.iterdir())
    if len(found) == 1 and found[0].is_dir() and not found[0].is_symlink():
        return found[0]
    return unpacked
