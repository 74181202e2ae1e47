"""The two conditional parts of HTTP that serving files needs, without I/O: byte ranges and entity tags (RFC 9110)."""

from __future__ import annotations

import re
from typing import Final, NamedTuple

__all__ = ["ByteRange", "UnsatisfiableRangeError", "etag_matches", "parse_range"]

_RANGE: Final = re.compile(r"bytes=(\d{0,19})-(\d{0,19})")


class UnsatisfiableRangeError(ValueError):
    """A range outside of the file: answered with 416, never seen by a user as an error."""


class ByteRange(NamedTuple):
    """First and last byte, both inclusive."""

    start: int
    end: int

    @property
    def length(self) -> int:
        """Number of bytes."""
        return self.end - self.start + 1


def parse_range(header: str | None, size: int) -> ByteRange | None:
    """Return the one range that is asked for, or None to answer with the whole file.

    Several ranges, other units and malformed headers are ignored, as RFC 9110 (14.2) allows.

    Raises:
        UnsatisfiableRangeError: no byte of the range is in the file.
    """
    match = _RANGE.fullmatch((header or "").strip())
    if match is None or match.groups() == ("", ""):
        return None
    first, last = match.groups()
    if not first:
        start, end = max(size - int(last), 0), size - 1
    else:
        start, end = int(first), min(int(last), size - 1) if last else size - 1
        if last and int(last) < start:
            return None
    if start > end:
        raise UnsatisfiableRangeError
    return ByteRange(start, end)


def etag_matches(header: str | None, etag: str) -> bool:
    """Return whether an If-None-Match (or If-Range) header names `etag` (quoted); weak comparison."""
    if header is None:
        return False
    tags = [tag.strip().removeprefix("W/") for tag in header.split(",")]
    return "*" in tags or etag in tags
