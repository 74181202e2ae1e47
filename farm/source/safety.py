"""What farm takes as a source at most. Everything that leaves these bounds is refused, never cut."""

from __future__ import annotations

from dataclasses import dataclass
from pathlib import PurePosixPath

from farm.errors import SourceUnsafeError

__all__ = ["CAPS", "EARLIEST", "LATEST", "Caps", "clamp_epoch", "safe_relative"]

EARLIEST = 315532800
"""1980-01-01: zip archives, and so wheels, know no earlier time."""
LATEST = 4354819198
"""2107-12-31: nor a later one."""
_MAX_PATH = 4000


@dataclass(frozen=True)
class Caps:
    """Limits of one source."""

    archive_bytes: int = 2 * 1024**3
    """Of an archive as it is fetched."""
    tree_bytes: int = 4 * 1024**3
    """Of all files together; of an archive also as it comes out of its compression."""
    entries: int = 250_000
    """Files, links and folders."""
    metadata_bytes: int = 16 * 1024**2
    """Of one header inside an archive (long names): read at once."""


CAPS = Caps()


def clamp_epoch(seconds: int) -> int:
    """Return the time as a SOURCE_DATE_EPOCH that every archive format can hold."""
    return min(max(seconds, EARLIEST), LATEST)


def safe_relative(name: str, where: str) -> PurePosixPath:
    """Return `name`, a path inside an archive or tree, as a relative path in normal form.

    Raises:
        SourceUnsafeError: absolute, with `..`, empty, with NUL, or too long; `where` says what it is part of.
    """
    path = PurePosixPath(name)
    if path.is_absolute() or ".." in path.parts or not path.parts or "\0" in name:
        msg = f"{where}: the entry {name!r} leaves the source tree"
        raise SourceUnsafeError(msg)
    if len(name) > _MAX_PATH:
        msg = f"{where}: the name of an entry has {len(name)} characters: {name[:60]!r}…"
        raise SourceUnsafeError(msg)
    return path
