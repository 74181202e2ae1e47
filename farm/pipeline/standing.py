"""What the repository has of a package version, and whether an earlier result of a build still stands there."""

from __future__ import annotations

from typing import TYPE_CHECKING

from farm.ecosystems.repositories import layout_of
from farm.repository.published import damaged

if TYPE_CHECKING:
    from collections.abc import Sequence

    from farm.model.outcome import OutcomeFile
    from farm.model.plan import PackageId
    from farm.pipeline.runtime import Runtime

__all__ = ["fallen", "overtaken", "published_digests"]


def published_digests(rt: Runtime, package: PackageId) -> dict[str, str]:
    """Return what is published of a version: file name → SHA-256.

    Raises:
        VerificationError, StoreUnavailableError: the repository cannot be read.
    """
    records = layout_of(package.ecosystem).find(rt.repository, package)
    return {name: blob.sha256 for record in records for name, blob in record.blobs.items()}


def fallen(rt: Runtime, package: PackageId, files: Sequence[OutcomeFile]) -> str:
    """Read every published byte of a result; return, in words, why it does not stand any more, empty while it does.

    It stands while every file of it is what installers take, with the bytes that were published.

    Raises:
        VerificationError, StoreUnavailableError: the repository cannot be read.
    """
    layout = layout_of(package.ecosystem)
    records = layout.find(rt.repository, package)
    published = {name: blob for record in records for name, blob in record.blobs.items()}
    ours = {file.filename: file.blob for file in files}
    broken = [name for name, blob in ours.items() if published.get(name) != blob] or [
        key for record in records if ours.keys() & record.blobs.keys() for key in damaged(rt.repository, record)
    ]
    if broken:
        return f"{broken[0]} is not published as it was"
    if superseded := sorted(ours.keys() - layout.current(records)):
        return f"{superseded[0]} was superseded by a later build"
    return ""


def overtaken(rt: Runtime, package: PackageId, files: Sequence[OutcomeFile]) -> str:
    """Return, in words, why a result that is kept to be published later cannot be any more, empty while it can.

    It was named for what was published when it was built: what is published of it has to stand still.

    Raises:
        VerificationError, StoreUnavailableError: the repository cannot be read.
    """
    published = published_digests(rt, package)
    return fallen(rt, package, files) if any(file.filename in published for file in files) else ""
