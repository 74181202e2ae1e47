"""When a client trust configuration may take the place of another: keys may be added, none may go.

Who verifies holds the old configuration or fetches the present one; a key that is gone takes every file that was signed
with it along.
"""

from __future__ import annotations

import json

from farm.errors import TrustRootError
from farm.model.base import canonical_json

__all__ = ["lost_entries"]

_KINDS = ("tlogs", "ctlogs", "certificateAuthorities", "timestampAuthorities")


def lost_entries(old: bytes, new: bytes) -> tuple[str, ...]:
    """Return the kinds of entries (logs, authorities) of the trust configuration `old` that are not all in `new`.

    Raises:
        TrustRootError: one of them is no client trust configuration, so that nothing is known about its entries.
    """
    before, after = _entries(old), _entries(new)
    return tuple(kind for kind in _KINDS if not before[kind] <= after[kind])


def _entries(data: bytes) -> dict[str, frozenset[bytes]]:
    try:
        root = json.loads(data)["trustedRoot"]
        return {kind: frozenset(canonical_json(entry) for entry in root[kind]) for kind in _KINDS}
    except (ValueError, KeyError, TypeError, RecursionError) as error:
        raise TrustRootError(f"this is no client trust configuration: {error!r}") from error
