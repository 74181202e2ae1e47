"""What upstream says of one release: a version on an index or in a repository, or a tag of a git repository."""

from __future__ import annotations

from farm.model.base import Value

__all__ = ["Release"]


class Release(Value):
    """One release, as whoever publishes it says; nothing here was checked against bytes."""

    version: str
    """As a recipe spells it: the pin's address is made from it."""
    released: str = ""
    """A time by which it was out at the latest: RFC 3339, UTC, whole seconds. Empty: nobody says."""
    yanked: bool = False
    """Whether its publisher withdrew it (PEP 592)."""
    has_source: bool = True
    """Whether there is what the recipe's source asks for: an sdist, the source release, the tag."""
    pins: tuple[str, ...] = ()
    """What its publisher says the source is: the SHA-256 of each of its archives, the commit of its tag."""
    listed_only: bool = False
    """Whether this comes from a list that names versions and no more; the rest is asked for one by one."""
