"""The tables of a rebuild that the Prefect UI shows. Pure."""

from __future__ import annotations

from collections import defaultdict
from typing import TYPE_CHECKING

from farm.text import without_controls

if TYPE_CHECKING:
    from farm.catalog.night import NightReport, NodeEnd

__all__ = ["failures", "nodes"]

_MOST = 1000
"""Rows up to which unchanged nodes are listed, too."""
_NAMED = 20
"""Packages that are named beside a cause."""
_ORDER = ("failed", "drifted", "blocked", "built", "reproduced", "unchanged")


def nodes(report: NightReport) -> list[dict[str, str | float]]:
    """Return a row for each node, what needs attention first. A large catalog's unchanged nodes are left out."""
    shown = report.nodes
    if len(shown) > _MOST:
        shown = tuple(end for end in shown if end.state != "unchanged")
    return [
        {
            "package": end.id,
            "state": end.state,
            "seconds": round(end.seconds, 1),
            "message": without_controls(end.message),
        }
        for end in sorted(shown, key=lambda end: (_ORDER.index(end.state), end.id))
    ]


def failures(report: NightReport) -> list[dict[str, str | int]]:
    """Return a row for each cause (the error's class, or drift), the most frequent first; blocked nodes have none."""
    causes: dict[str, list[NodeEnd]] = defaultdict(list)
    for end in report.nodes:
        if end.state in {"failed", "drifted"}:
            causes[end.error or end.state].append(end)
    rows = sorted(causes.items(), key=lambda item: (-len(item[1]), item[0]))
    return [
        {
            "cause": cause,
            "packages": len(ends),
            "which": ", ".join([end.id for end in ends[:_NAMED]] + (["…"] if len(ends) > _NAMED else [])),
            "first message": without_controls(ends[0].message),
        }
        for cause, ends in rows
    ]
