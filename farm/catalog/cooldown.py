"""Which release may be proposed: not withdrawn, no pre-release, and out for long enough that somebody could look at it.

Pure: the time comes from the caller. What nobody dates is not old enough.
"""

from __future__ import annotations

from datetime import UTC, datetime, timedelta
from typing import TYPE_CHECKING

from farm.languages import language
from farm.model.base import Value
from farm.recipe.catalog import newest_version

if TYPE_CHECKING:
    from collections.abc import Iterable

    from farm.model.language import ComparableVersion
    from farm.model.release import Release
    from farm.recipe.model import Recipe

__all__ = ["Cooling", "candidates", "cooling"]


class Cooling(Value):
    """That a release is not old enough yet."""

    until: str
    """When it will be: RFC 3339, UTC; empty where nobody says when the release came out."""

    def __str__(self) -> str:
        return f"cooling until {self.until[:10]}" if self.until else "cooling: nobody says when it came out"


def cooling(release: Release, days: int, now: datetime) -> Cooling | None:
    """Return whether `release` is too young; None when it may be proposed.

    Args:
        release: with what is known of it.
        days: the setting `policy.cooldown_days`; 0 lets everything pass.
        now: the time, with its zone.
    """
    if days == 0:
        return None
    try:
        released = datetime.fromisoformat(release.released)
        until = released.astimezone(UTC) + timedelta(days=days)
    except (ValueError, OverflowError):
        return Cooling(until="")
    return None if until <= now else Cooling(until=until.strftime("%Y-%m-%dT%H:%M:%SZ"))


def candidates(recipe: Recipe, releases: Iterable[Release]) -> tuple[Release, ...]:
    """Return what could follow the newest pinned version, newest first, whatever its age.

    Left out: what was withdrawn, has no source, is a pre-release, or no version that the recipe could pin.
    """
    naming = language(recipe.ecosystem).naming
    pinned = naming.version(newest_version(recipe))
    known = {naming.version(version) for version in recipe.pinned}
    found: dict[ComparableVersion, Release] = {}
    for release in releases:
        try:
            version = naming.version(release.version)
        except ValueError:
            continue
        passes = release.has_source and not release.yanked and not version.is_prerelease
        if passes and pinned < version and version not in known:
            found.setdefault(version, release)
    return tuple(found[version] for version in sorted(found, reverse=True))
