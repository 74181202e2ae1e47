"""Where files come from: an ordered list of repositories with what is needed to reach each of them."""

from __future__ import annotations

import os
from dataclasses import dataclass, field
from typing import TYPE_CHECKING, Final, Literal
from urllib.parse import unquote, urlsplit, urlunsplit

from packageurl.contrib.purl2url import DEFAULT_MAVEN_REPOSITORY

from farm.ecosystems.maven.mirrors import DEFAULT_ID, effective
from farm.ecosystems.maven.settings import MavenSettings, known_text, load, revealed
from farm.errors import ConfigError
from farm.net import ca_bundle, is_loopback

if TYPE_CHECKING:
    from collections.abc import Mapping

    from farm.config import Settings
    from farm.ecosystems.maven.mirrors import Repository
    from farm.ecosystems.maven.settings import ProxyEntry, ServerEntry

__all__ = ["Credentials", "Origin", "Proxy", "Upstream", "configured_upstreams", "own_upstream", "upstream_at"]

Origin = Literal["farm", "index"]
"""farm: farm's own repository (rebuilt here). index: a configured repository (its owner's binary)."""

_SET_ID: Final = "configured"
"""What the repository that farm's own setting names is called in records."""


@dataclass(frozen=True)
class Credentials:
    """What a repository or a proxy asks for; no part of it is in a repr."""

    username: str = field(default="", repr=False)
    password: str = field(default="", repr=False)
    headers: tuple[tuple[str, str], ...] = field(default=(), repr=False)
    """Request headers, as repositories with tokens want them."""

    def __bool__(self) -> bool:
        return bool(self.username or self.password or self.headers)


@dataclass(frozen=True)
class Proxy:
    """A proxy that the user's Maven settings name."""

    url: str
    """`http://host:port`."""
    credentials: Credentials = Credentials()


@dataclass(frozen=True)
class Upstream:
    """One repository."""

    id: str
    """As the user's Maven calls it; this is what a record says, never the address."""
    url: str = field(repr=False)
    """Address without credentials and without a slash at the end. Not in the repr: some carry a token in the path."""
    origin: Origin = "index"
    """Given by farm, not read from the id: a user's repository may be called `farm` too."""
    credentials: Credentials = Credentials()
    proxy: Proxy | None = None
    """None: the proxy that the environment names, if any."""
    ca_bundle: str = ""
    """PEM file to trust, empty = the system's."""

    def __post_init__(self) -> None:
        parts = urlsplit(self.url)
        if parts.scheme not in {"http", "https"} or not parts.hostname or parts.query or parts.fragment:
            msg = f"the address of the Maven repository {self.id!r} is not a plain http(s) address"
            raise ConfigError(msg, remedy=f"Give {self.id!r} an address that begins with https://.")
        if "@" in parts.netloc:
            msg = f"the address of the Maven repository {self.id!r} holds credentials"
            raise ConfigError(msg, remedy="Name them in the server entry of the same id.")


def upstream_at(id_: str, url: str, origin: Origin = "index", bundle: str = "") -> Upstream:
    """Return the repository at `url`, credentials in it taken out of it.

    Raises:
        ConfigError: the address is not http or https.
    """
    address, credentials = _without_credentials(url)
    return Upstream(id=id_, url=address, origin=origin, credentials=credentials, ca_bundle=bundle)


def own_upstream(url: str, env: Mapping[str, str] | None = None) -> Upstream:
    """Return farm's own Maven repository as the upstream that is asked first.

    Raises:
        ConfigError: the address is not http or https, or a CA bundle that is not there.
    """
    return upstream_at("farm", url, "farm", ca_bundle(os.environ if env is None else env))


def configured_upstreams(settings: Settings, env: Mapping[str, str] | None = None) -> tuple[Upstream, ...]:
    """Return the repositories that the user's Maven would ask, in its order.

    `maven_repository` stands in for all of them. Else: the repositories of the active profiles, then the default one
    (`central`), each replaced by the mirror that Maven would choose for it. Repositories that a project's POM names
    are not among them: what may be asked is the user's decision, not that of the source that is built.

    Args:
        settings: farm's.
        env: the environment to read (default: the process's).

    Raises:
        ConfigError: settings that cannot be read, an address that is not http(s), credentials that cannot be used.
    """
    env = os.environ if env is None else env
    bundle = ca_bundle(env)
    if settings.maven_repository:
        return (upstream_at(_SET_ID, settings.maven_repository, bundle=bundle),)
    found = load(settings.maven_settings, env)
    upstreams: list[Upstream] = []
    for repository in effective(found, DEFAULT_MAVEN_REPOSITORY):
        upstream = _upstream(repository, found, bundle)
        if all((known.id, known.url) != (upstream.id, upstream.url) for known in upstreams):
            upstreams.append(upstream)
    if not upstreams:
        msg = "the Maven settings leave no repository to ask"
        raise ConfigError(msg, remedy=f"Let a profile or a mirror of them name one for {DEFAULT_ID!r}.")
    return tuple(upstreams)


def _upstream(repository: Repository, found: MavenSettings, bundle: str) -> Upstream:
    address, inline = _without_credentials(known_text(repository.url, f"the address of {repository.id!r}"))
    server = next((entry for entry in found.servers if entry.id == repository.id), None)
    credentials = _credentials(server) if server is not None else Credentials()
    return Upstream(
        id=repository.id,
        url=address,
        credentials=credentials or inline,
        proxy=_proxy(address, found.proxies),
        ca_bundle=bundle,
    )


def _credentials(server: ServerEntry) -> Credentials:
    what = f"server {server.id!r}"
    return Credentials(
        username=known_text(server.username, f"the user name of {what}"),
        password=revealed(server.password, what),
        headers=tuple((name, revealed(value, what)) for name, value in server.headers),
    )


def _proxy(address: str, entries: tuple[ProxyEntry, ...]) -> Proxy | None:
    """Return the first active proxy for the scheme of `address`; https falls back to an http proxy, as in Maven."""
    parts = urlsplit(address)
    if is_loopback(address):
        return None
    usable = [entry for entry in entries if entry.active and not entry.spares(parts.hostname or "")]
    for scheme in (parts.scheme, "http"):
        for entry in usable:
            if entry.protocol == scheme:
                what = f"proxy {entry.id!r}"
                host = known_text(entry.host, f"the host of {what}")
                credentials = Credentials(
                    username=known_text(entry.username, f"the user name of {what}"),
                    password=revealed(entry.password, what),
                )
                return Proxy(url=f"http://{f'[{host}]' if ':' in host else host}:{entry.port}", credentials=credentials)
    return None


def _without_credentials(url: str) -> tuple[str, Credentials]:
    parts = urlsplit(url)
    user, _, rest = parts.netloc.rpartition("@")
    plain = urlunsplit(parts._replace(netloc=rest)).rstrip("/")
    name, _, password = user.partition(":")
    return plain, Credentials(username=unquote(name), password=unquote(password))
