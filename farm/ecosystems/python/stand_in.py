"""Which of farm's own wheels takes the place of a locked one: the one that an installer would choose. Pure."""

from __future__ import annotations

from functools import lru_cache
from typing import TYPE_CHECKING

from packaging.utils import InvalidWheelFilename, canonicalize_name, parse_wheel_filename

from farm.ecosystems.python.target import supported_tags

if TYPE_CHECKING:
    from collections.abc import Sequence

    from packaging.tags import Tag
    from packaging.utils import BuildTag

    from farm.model.lock import LockedName
    from farm.model.outcome import OutcomeFile
    from farm.model.plan import Target

__all__ = ["choose"]


def choose(file: LockedName, results: Sequence[OutcomeFile], target: Target) -> OutcomeFile | None:
    """Return the best wheel of `results` for `target`: by tag (PEP 425), then by build number (PEP 427)."""
    if not file.filename.endswith(".whl"):
        return None
    rank = _rank(target)
    fitting: list[tuple[int, tuple[int, str], int]] = []
    for place, result in enumerate(results):
        try:
            name, _, build, tags = parse_wheel_filename(result.filename)
        except InvalidWheelFilename:
            continue
        score = min((rank[tag] for tag in tags if tag in rank), default=None)
        if score is not None and name == canonicalize_name(file.name):
            fitting.append((score, _later_first(build), place))
    return results[min(fitting)[2]] if fitting else None


@lru_cache(maxsize=8)
def _rank(target: Target) -> dict[Tag, int]:
    return {tag: place for place, tag in enumerate(supported_tags(target))}


def _later_first(build: BuildTag) -> tuple[int, str]:
    number, rest = build or (0, "")
    return (-number, rest)
