"""What earlier nights found out by building again: taken from the signed snapshot, never from the vault's word. Pure.

Whoever can write to the vault could otherwise call everything reproduced, or make a drift forgotten.
"""

from __future__ import annotations

from typing import TYPE_CHECKING

if TYPE_CHECKING:
    from collections.abc import Mapping

    from farm.catalog.state import NodeState
    from farm.model.catalog import CatalogSnapshot

__all__ = ["with_signed_verdicts"]


def with_signed_verdicts(nodes: Mapping[str, NodeState], snapshot: CatalogSnapshot | None) -> dict[str, NodeState]:
    """Return what is known of the nodes, with the verdicts that the last signed snapshot has about the same files.

    A result that it does not name, or names with other bytes, has no verdict.
    """
    signed = {str(entry): entry for entry in (snapshot.entries if snapshot else ())}
    found: dict[str, NodeState] = {}
    for name, known in nodes.items():
        entry = signed.get(name)
        same = entry is not None and {(f.filename, f.sha256) for f in entry.files} == {
            (f.filename, f.blob.sha256) for f in known.files
        }
        verdict, day = (entry.verdict, entry.verified_on) if entry is not None and same else ("", "")
        found[name] = known.model_copy(update={"verdict": verdict, "verified_on": day})
    return found
