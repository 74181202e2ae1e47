"""From a digest to where the file is: for languages whose file names alone do not say it.

One object per digest, `digests/<sha256>.json`, with the addresses below the repository's root. It is written after the
record that publishes the file, and only ever added to.
"""

from __future__ import annotations

import json
from typing import TYPE_CHECKING

from farm.errors import VerificationError
from farm.model.base import canonical_json
from farm.store.objects import JSON

if TYPE_CHECKING:
    from farm.store.objects import ObjectStore

__all__ = ["addresses", "digest_key", "remember"]


def digest_key(sha256: str) -> str:
    """Return the key of the object."""
    return f"digests/{sha256}.json"


def addresses(store: ObjectStore, sha256: str) -> tuple[str, ...]:
    """Return where files with this digest are, relative to the server's root; empty when none is known.

    Raises:
        VerificationError: the object is unreadable.
    """
    raw = store.get_bytes(digest_key(sha256))
    if raw is None:
        return ()
    try:
        found = json.loads(raw)["addresses"]
    except (ValueError, KeyError, TypeError, RecursionError) as error:
        raise VerificationError(f"{digest_key(sha256)} of the repository is unreadable") from error
    if not isinstance(found, list) or not all(isinstance(item, str) for item in found):
        raise VerificationError(f"{digest_key(sha256)} of the repository is unreadable")
    return tuple(found)


def remember(store: ObjectStore, sha256: str, address: str) -> None:
    """Add an address of a published file; nothing is written when it is there. An unreadable object is made anew."""
    try:
        known = addresses(store, sha256)
    except VerificationError:
        known = ()
    if address not in known:
        document = {"addresses": sorted({*known, address}), "sha256": sha256}
        store.put_bytes(digest_key(sha256), canonical_json(document), content_type=JSON)
