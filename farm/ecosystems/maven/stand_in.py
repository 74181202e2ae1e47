"""Which of farm's own files takes the place of a locked one: the one at the same path of the repository."""

from __future__ import annotations

import hashlib
from typing import TYPE_CHECKING

if TYPE_CHECKING:
    from collections.abc import Callable, Sequence
    from pathlib import Path

    from farm.model.base import BlobRef
    from farm.model.lock import LockedFile
    from farm.model.outcome import OutcomeFile

__all__ = ["choose"]


def choose(
    file: LockedFile, results: Sequence[OutcomeFile], read: Callable[[BlobRef], Path]
) -> tuple[LockedFile, OutcomeFile] | None:
    """Return the result at the path of `file`, with the SHA-1 that Maven checks its downloads with."""
    found = next((result for result in results if result.path == file.filename), None)
    if found is None:
        return None
    sha1 = file.sha1
    if found.blob.sha256 != file.sha256:
        with read(found.blob).open("rb") as stream:
            sha1 = hashlib.file_digest(stream, lambda: hashlib.sha1(usedforsecurity=False)).hexdigest()
    update = {"sha256": found.blob.sha256, "size": found.blob.size, "sha1": sha1, "origin": "farm"}
    return file.model_copy(update=update), found
