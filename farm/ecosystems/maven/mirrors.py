"""Which repositories a Maven with given settings asks: active profiles, then the default one, mirrors applied. Pure."""

from __future__ import annotations

from dataclasses import dataclass
from typing import TYPE_CHECKING, Final
from urllib.parse import urlsplit

from farm.errors import ConfigError
from farm.net import is_loopback

if TYPE_CHECKING:
    from collections.abc import Iterator

    from farm.ecosystems.maven.settings import MavenSettings, MirrorEntry

__all__ = ["DEFAULT_ID", "Repository", "effective", "matches"]

DEFAULT_ID: Final = "central"
"""Id of the repository that every project inherits."""


@dataclass(frozen=True)
class Repository:
    """A repository by id and address, as settings name it (variables not yet put in)."""

    id: str
    url: str


def effective(settings: MavenSettings, default_url: str) -> tuple[Repository, ...]:
    """Return what is asked, in Maven's order, each once.

    Args:
        settings: the merged settings.
        default_url: address of `central` where no active profile gives it another.

    Raises:
        ConfigError: a repository whose mirror blocks it, or one that is reached over http without a mirror.
    """
    found: dict[Repository, None] = {}
    for repository in _named(settings, default_url):
        found.setdefault(_mirrored(repository, settings.mirrors), None)
    return tuple(found)


def _named(settings: MavenSettings, default_url: str) -> Iterator[Repository]:
    known: set[str] = set()
    for profile in settings.profiles:
        if not (profile.by_default or profile.id in settings.active):
            continue
        for entry in profile.repositories:
            # One that serves snapshots alone has nothing that farm would lock, but keeps its id.
            if entry.id not in known and entry.releases:
                yield Repository(entry.id, entry.url)
            known.add(entry.id)
    if DEFAULT_ID not in known:
        yield Repository(DEFAULT_ID, default_url)


def _mirrored(repository: Repository, mirrors: tuple[MirrorEntry, ...]) -> Repository:
    mirror = next((m for m in mirrors if m.of.strip() == repository.id), None) or next(
        (m for m in mirrors if matches(m.of, repository)), None
    )
    if mirror is not None and mirror.blocked:
        msg = f"the Maven settings block the repository {repository.id!r} (mirror {mirror.id!r})"
        raise ConfigError(msg, remedy=f"Give {repository.id!r} an https address, or a mirror of its own.")
    if mirror is not None:
        return Repository(mirror.id, mirror.url)
    if _external(repository.url, "http"):
        # What Maven's own settings block since 3.8.1 stays blocked where they are not installed.
        msg = f"the Maven repository {repository.id!r} is reached over http, which anyone on the way can change"
        raise ConfigError(msg, remedy=f"Give {repository.id!r} an https address, or name a mirror for it.")
    return repository


def matches(pattern: str, repository: Repository) -> bool:
    """Return whether a `mirrorOf` pattern covers the repository (Maven's guide to mirror settings)."""
    found = False
    for part in (word.strip() for word in pattern.split(",")):
        if part.startswith("!") and part[1:] == repository.id:
            return False
        if part == repository.id:
            return True
        found = found or (
            part == "*"
            or (part == "external:*" and _external(repository.url))
            or (part == "external:http:*" and _external(repository.url, "http"))
        )
    return found


def _external(url: str, scheme: str = "") -> bool:
    parts = urlsplit(url)
    return parts.scheme != "file" and not is_loopback(url) and (not scheme or parts.scheme == scheme)
