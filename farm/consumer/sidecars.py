"""The files that lie beside a published file, by suffix, and reading them: capped, and refused when they are odd."""

from __future__ import annotations

import json
from typing import TYPE_CHECKING, Any

from farm.errors import VerificationError
from farm.evidence.sbom import DOCUMENT_LIMIT, SbomFormat
from farm.model.base import unique_keys
from farm.model.evidence import BUNDLE, PROVENANCE_BUNDLE

if TYPE_CHECKING:
    from pathlib import Path

__all__ = ["BUNDLE", "LIMIT", "PROVENANCE_BUNDLE", "SUFFIXES", "json_object", "read_capped"]

SUFFIXES = (BUNDLE, PROVENANCE_BUNDLE, *(kind.value for kind in SbomFormat))
"""Everything that `farm verify` wants beside a file."""

LIMIT = DOCUMENT_LIMIT
"""Largest sidecar or embedded document, in bytes: a larger one is refused, not read."""


def read_capped(path: Path) -> bytes:
    """Return the content of a sidecar.

    Raises:
        VerificationError: missing, no regular file, unreadable, or larger than `LIMIT`.
    """
    try:
        # A named pipe would block when it is opened.
        if not path.is_file():
            raise VerificationError(f"{path.name} is missing")
        with path.open("rb") as stream:
            data = stream.read(LIMIT + 1)
    except OSError as error:
        raise VerificationError(f"{path.name} cannot be read: {error.strerror}") from error
    if len(data) > LIMIT:
        raise VerificationError(f"{path.name} is larger than {LIMIT} bytes")
    return data


def json_object(name: str, data: bytes) -> dict[str, Any]:
    """Return `data` parsed.

    Raises:
        VerificationError: no JSON object, nested too deeply to be read, or with two values for one key, of which
            readers pick different ones.
    """
    try:
        found = json.loads(data, object_pairs_hook=unique_keys)
    except (ValueError, RecursionError) as error:
        raise VerificationError(f"{name} is no readable JSON: {error}") from error
    if not isinstance(found, dict):
        raise VerificationError(f"{name} is no JSON object")
    return found
