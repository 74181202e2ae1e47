"""The source snapshot: what step 2 leaves in the vault."""

from __future__ import annotations

from typing import Literal

from farm.model.base import BlobRef, GitCommit, Sha256, Value

__all__ = ["SourceSnapshot"]


class SourceSnapshot(Value):
    """A source tree in the vault, with what was seen where it came from.

    The archive is a deterministic, uncompressed tar (sorted, epoch times, numeric owner 0) of the tree that the build
    gets at `/src`; for git sources it holds a rebuilt minimal `.git` that gives version plugins what they ask for.
    """

    strength: Literal["git", "archive"]
    """`archive` is the weaker: an upload, not the repository."""
    uri: str
    """Download location: `git+https://…@refs/tags/…`, `pkg:pypi/name@version?…`, or the URL; no credentials."""
    tree_digest: Sha256
    """Over the sorted (path, mode, kind, SHA-256) of every file, `.git` excluded."""
    archive: BlobRef
    origin_sha256: Sha256 | None = None
    """Archive sources: of the file as it was fetched."""
    original: BlobRef | None = None
    """Archive sources: that file, kept in the vault."""
    commit: GitCommit | None = None
    git_tree: str | None = None
    tag: str | None = None
    tag_object: str | None = None
    """The id of the annotated tag object, where the tag is annotated."""
    epoch: int
    """SOURCE_DATE_EPOCH: commit time, or the newest time inside the archive; at least 315532800."""
    subdirectory: str = ""
    files: int
    size: int
    """Bytes of all files."""
