"""Step 2: a pin → a source snapshot in the vault; taken from there when it is known and whole, else from its origin."""

from __future__ import annotations

from typing import TYPE_CHECKING

from pydantic import ValidationError

from farm import log
from farm.errors import BlobCorruptError, BlobMissingError
from farm.model.base import canonical_json, sha256_bytes
from farm.model.plan import GitPin
from farm.model.source import SourceSnapshot

if TYPE_CHECKING:
    from collections.abc import Callable
    from pathlib import Path

    from farm.config import Settings
    from farm.model.plan import ArchivePin, SourcePin
    from farm.store.base import Vault

__all__ = ["RECORDS", "known_snapshot", "take"]

RECORDS = "snapshots"
"""Record kind of snapshots, by the digest of their pin."""
_RULES = 1
"""Raised with every change that gives another snapshot for the same pin."""

_log = log.get(__name__)


def take(
    pin: SourcePin,
    *,
    vault: Vault,
    settings: Settings,
    work: Path,
    fetch_archive: Callable[[ArchivePin, Path], str],
    made: set[SourceSnapshot] | None = None,
    prove: bool = False,
) -> SourceSnapshot:
    """Return the snapshot of `pin`; its archive is in the vault, and its bytes were checked in this call.

    A snapshot that the vault has on record is only what the vault says: enough to see whether anything is to be done,
    not to be built. Whoever can write there can write a record that fits any tree. `prove` makes the snapshot again.

    Args:
        pin: what the recipe pins.
        vault: where snapshots are kept. One that is known and whole needs no network.
        settings: `sources` is added to git's own `insteadOf`.
        work: an existing empty scratch folder.
        fetch_archive: writes the file of a named archive (an sdist) to a path and returns where it is from, without
            credentials.
        made: what this process made from pins itself, and so need not prove; what this call makes is added.
        prove: make the snapshot from the pin alone: from the archive with the pinned SHA-256, or from objects that
            hash up to the pinned commit. The vault's copies of these do, and need no network. Of the files of git
            submodules it has none: they are fetched.

    Raises:
        SourcePinError, SourceUnavailableError, SourceMissingError, CommitNotFoundError, TagMovedError,
        SourceDigestError, SourceUnsafeError: see `take_git` and `take_archive`.
        StoreUnavailableError: the vault does not answer.
    """
    key = _key(pin)
    made = set() if made is None else made
    known = _known(vault, key)
    # Read in every case: a damaged tar is put aside here, so that what is made is stored in its place.
    if known is not None and _is_whole(known, vault, work) and (not prove or known in made):
        return known
    if isinstance(pin, GitPin):
        from farm.source.git import take_git  # noqa: PLC0415 - GitPython is imported with it

        snapshot = take_git(pin, vault=vault, work=work, sources=settings.sources, known=known)
    else:
        from farm.source.archive import take_archive  # noqa: PLC0415 - only what a pin needs is imported

        fetch = _fetch_url if pin.kind == "url" else fetch_archive
        snapshot = take_archive(pin, vault=vault, work=work, fetch=fetch, known=known)
    made.add(snapshot)
    if snapshot != known:
        if known is not None:
            _log.warning("the vault's record of a source is not what its pin gives; replaced", uri=snapshot.uri)
        vault.put_record(RECORDS, key, snapshot.canonical())
    _log.info(
        "source proven" if snapshot == known else "source taken",
        uri=snapshot.uri,
        tree=snapshot.tree_digest[:12],
        files=snapshot.files,
    )
    return snapshot


def known_snapshot(vault: Vault, pin: SourcePin) -> SourceSnapshot | None:
    """Return the snapshot that the vault has on record for a pin: its word, none of its bytes were looked at.

    Raises:
        StoreUnavailableError: the vault does not answer.
    """
    return _known(vault, _key(pin))


def _key(pin: SourcePin) -> str:
    return sha256_bytes(canonical_json({"rules": _RULES, "pin": pin.model_dump(mode="json")}))


def _fetch_url(pin: ArchivePin, target: Path) -> str:
    from farm.source.download import fetch_url  # noqa: PLC0415 - httpx is imported with it

    return fetch_url(pin, target)


def _known(vault: Vault, key: str) -> SourceSnapshot | None:
    data = vault.get_record(RECORDS, key)
    if data is None:
        return None
    try:
        return SourceSnapshot.model_validate_json(data)
    except ValidationError:
        return None  # written by another version of farm; it is made again


def _is_whole(known: SourceSnapshot, vault: Vault, work: Path) -> bool:
    """Read the archive in the vault, so that a flipped byte is seen while the source can still be fetched again."""
    copy = work / "known.tar"
    try:
        vault.fetch(known.archive, copy)
    except (BlobMissingError, BlobCorruptError) as error:
        _log.warning("the source snapshot in the vault is lost; taking the source again", reason=error.message)
        return False
    finally:
        copy.unlink(missing_ok=True)
    return True
