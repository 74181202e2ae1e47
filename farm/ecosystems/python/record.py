"""RECORD: the list of a wheel's files with digest and size (the binary distribution format specification)."""

from __future__ import annotations

import base64
import csv
import io
import re

from farm.errors import GuardError

__all__ = ["encode_digest", "read_record", "write_record"]

_ROW = 3
_HASH = re.compile(r"sha256=([A-Za-z0-9_-]{43})")


def encode_digest(digest: bytes) -> str:
    """Return a SHA-256 digest as RECORD spells it."""
    return "sha256=" + base64.urlsafe_b64encode(digest).rstrip(b"=").decode("ascii")


def read_record(data: bytes, own: str, label: str) -> dict[str, tuple[str, int]]:
    """Read RECORD.

    Args:
        data: its bytes.
        own: its own path, whose row has no digest and is left out of the result.
        label: what to call the wheel in errors.

    Returns:
        Path → (digest as spelt, size).

    Raises:
        GuardError: not as specified: a file twice, without digest or size, or with an algorithm other than SHA-256.
    """
    try:
        rows = list(csv.reader(io.StringIO(data.decode("utf-8"), newline=""), strict=True))
    except (UnicodeDecodeError, csv.Error) as error:
        raise GuardError(f"{label}: RECORD cannot be read: {error}") from error
    found: dict[str, tuple[str, int]] = {}
    listed_itself = False
    for row in rows:
        if len(row) != _ROW:
            raise GuardError(f"{label}: RECORD has a row of {len(row)} fields: {row!r:.200}")
        path, digest, size = row
        if path == own and not digest and not listed_itself:
            listed_itself = True
            continue
        if path in found or path == own:
            raise GuardError(f"{label}: RECORD lists {path} twice or with its own digest")
        if not _HASH.fullmatch(digest) or not re.fullmatch(r"\d{1,12}", size, re.ASCII):
            raise GuardError(f"{label}: RECORD gives no SHA-256 and size for {path}")
        found[path] = (digest, int(size))
    if not listed_itself:
        raise GuardError(f"{label}: RECORD does not list itself")
    return found


def write_record(rows: list[tuple[str, str, int]], own: str) -> bytes:
    """Return RECORD for `rows` (path, digest, size) in their order, its own row last."""
    text = io.StringIO(newline="")
    writer = csv.writer(text, lineterminator="\n")
    writer.writerows(rows)
    writer.writerow((own, "", ""))
    return text.getvalue().encode("utf-8")
