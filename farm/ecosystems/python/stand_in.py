"""Which of farm's own wheels takes the place of a locked one: the one that an installer would choose. Pure."""

from __future__ import annotations

from typing import TYPE_CHECKING

from packaging.utils import InvalidWheelFilename, canonicalize_name, parse_wheel_filename

from farm.ecosystems.python.target import supported_tags

if TYPE_CHECKING:
    from collections.abc import Sequence

    from packaging.utils import BuildTag

    from farm.model.lock import LockedFile
    from farm.model.outcome import OutcomeFile
    from farm.model.plan import Target

__all__ = ["choose"]


def choose(file: LockedFile, results: Sequence[OutcomeFile], target: Target) -> tuple[LockedFile, OutcomeFile] | None:
    """Return the best wheel of `results` for `target`: by tag (PEP 425), then by build number (PEP 427)."""
    rank = {tag: place for place, tag in enumerate(supported_tags(target))}
    fitting: list[tuple[int, tuple[int, str], OutcomeFile]] = []
    for result in results:
        try:
            name, _, build, tags = parse_wheel_filename(result.filename)
        except InvalidWheelFilename:
            continue
        if name != canonicalize_name(file.name):
            continue
        score = min((rank[tag] for tag in tags if tag in rank), default=None)
        if score is not None:
            fitting.append((score, _later_first(build), result))
    if not fitting:
        return None
    _, _, best = min(fitting, key=lambda item: item[:2])
    update = {"filename": best.filename, "sha256": best.blob.sha256, "size": best.blob.size, "origin": "farm"}
    return file.model_copy(update=update), best


def _later_first(build: BuildTag) -> tuple[int, str]:
    number, rest = build or (0, "")
    return (-number, rest)
