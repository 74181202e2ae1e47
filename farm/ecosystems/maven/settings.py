"""The user's Maven settings: what `settings.xml` files say about repositories, read strictly and changed in nothing.

Read are, as Maven does, the user's file and the installation's (the user's counts first, the lists are joined by id):
https://maven.apache.org/settings.html. A file that is named and is not there, or that cannot be read, is an error.
"""

from __future__ import annotations

import fnmatch
import re
import shutil
from dataclasses import dataclass, field
from pathlib import Path
from typing import TYPE_CHECKING, Final, Protocol, TypeVar

import defusedxml.ElementTree as SafeTree
from defusedxml.common import DefusedXmlException

from farm.errors import ConfigError

if TYPE_CHECKING:
    from collections.abc import Iterable, Iterator, Mapping
    from xml.etree.ElementTree import Element

__all__ = [
    "MavenSettings",
    "MirrorEntry",
    "ProfileEntry",
    "ProxyEntry",
    "RepositoryEntry",
    "ServerEntry",
    "known_text",
    "load",
    "parse",
    "revealed",
]

_LARGEST: Final = 1024 * 1024
_VARIABLE: Final = re.compile(r"\$\{(env\.[^}]+|user\.home)\}")
_ENCRYPTED: Final = re.compile(r"(?:^|[^\\$])\{.*[^\\]\}")
"""What Maven takes for an encrypted password (settings-security); a `${…}` is none."""
_MOST_PORTS: Final = 65535


@dataclass(frozen=True)
class MirrorEntry:
    """One `<mirror>`."""

    id: str
    url: str
    of: str
    blocked: bool = False


@dataclass(frozen=True)
class ServerEntry:
    """One `<server>`: what a repository of that id asks for."""

    id: str
    username: str = field(default="", repr=False)
    password: str = field(default="", repr=False)
    headers: tuple[tuple[str, str], ...] = field(default=(), repr=False)


@dataclass(frozen=True)
class ProxyEntry:
    """One `<proxy>`."""

    id: str
    protocol: str
    host: str
    port: int
    active: bool = True
    username: str = field(default="", repr=False)
    password: str = field(default="", repr=False)
    spared: tuple[str, ...] = ()
    """`nonProxyHosts`: patterns of hosts that are reached without it."""

    def spares(self, host: str) -> bool:
        """Return whether `host` is reached without the proxy."""
        return any(fnmatch.fnmatchcase(host.lower(), pattern.lower()) for pattern in self.spared)


@dataclass(frozen=True)
class RepositoryEntry:
    """One `<repository>` or `<pluginRepository>` of a profile."""

    id: str
    url: str
    releases: bool = True


@dataclass(frozen=True)
class ProfileEntry:
    """One `<profile>`; other ways to activate it than these are not followed: they depend on the build's JDK and OS."""

    id: str
    by_default: bool = False
    repositories: tuple[RepositoryEntry, ...] = ()


@dataclass(frozen=True)
class MavenSettings:
    """What one or more files say."""

    mirrors: tuple[MirrorEntry, ...] = ()
    servers: tuple[ServerEntry, ...] = ()
    proxies: tuple[ProxyEntry, ...] = ()
    profiles: tuple[ProfileEntry, ...] = ()
    active: frozenset[str] = frozenset()
    """Ids of `<activeProfiles>`."""


def load(named: Path | None, env: Mapping[str, str]) -> MavenSettings:
    """Read the user's and the installation's settings and join them.

    Args:
        named: the file to read instead of the user's own.
        env: the environment: where home and Maven are, and what `${env.…}` stands for.

    Raises:
        ConfigError: `named` is not there, or a file cannot be read or is no settings file.
    """
    found = MavenSettings()
    if named is not None and not named.is_file():
        msg = f"the Maven settings {named} are not a file"
        raise ConfigError(msg, remedy="Correct maven_settings in farm.toml, or FARM_MAVEN_SETTINGS.")
    for path in (named or _users(env), _installations(env)):
        if path is None:
            continue
        try:
            with path.open("rb") as stream:
                data = stream.read(_LARGEST + 1)
        except (FileNotFoundError, NotADirectoryError):
            continue
        except OSError as error:
            raise _wrong(path, f"{error.strerror}") from error
        found = _joined(found, parse(data, path, env))
    return found


def parse(data: bytes, path: Path, env: Mapping[str, str]) -> MavenSettings:
    """Read the text of one settings file; variables that the environment has are put in.

    Args:
        data: the file.
        path: its name, for messages.
        env: what `${env.…}` stands for.

    Raises:
        ConfigError: it is no settings file, or says something that cannot be followed.
    """
    if len(data) > _LARGEST:
        raise _wrong(path, f"more than {_LARGEST} bytes")
    try:
        root = SafeTree.fromstring(data, forbid_dtd=True)
    except SafeTree.ParseError as error:
        raise _wrong(path, str(error)) from error
    except (DefusedXmlException, ValueError, LookupError) as error:
        # A document type, an entity, or an encoding that Python does not have.
        raise _wrong(path, f"{type(error).__name__}: only plain XML is read") from error
    if _name(root) != "settings":
        raise _wrong(path, f"its root is <{_name(root)}>, not <settings>")
    return _Reader(path, env).settings(root)


def known_text(value: str, what: str) -> str:
    """Return `value`, which `what` names, as soon as no variable is left in it.

    Raises:
        ConfigError: it holds a variable that the environment does not have.
    """
    left = _VARIABLE.search(value)
    if left is not None:
        msg = f"the Maven settings use {left.group()} for {what}, which is not set"
        raise ConfigError(msg, remedy="Set the variable where farm runs, or write the value into the settings.")
    return value


def revealed(value: str, what: str) -> str:
    """Return a password or token, which `what` names, as it is sent.

    Raises:
        ConfigError: it is encrypted with Maven's master password, or holds a variable that is not set.
    """
    if _ENCRYPTED.search(value):
        msg = f"the Maven settings hold an encrypted password for {what}, which farm cannot read"
        raise ConfigError(msg, remedy=f"Give {what} its password as ${{env.NAME}} and set that variable for farm.")
    return known_text(value, f"the password of {what}")


def _users(env: Mapping[str, str]) -> Path | None:
    return Path(env["HOME"]) / ".m2" / "settings.xml" if env.get("HOME") else None


def _installations(env: Mapping[str, str]) -> Path | None:
    home = env.get("MAVEN_HOME") or env.get("M2_HOME")
    if home:
        return Path(home) / "conf" / "settings.xml"
    program = shutil.which("mvn", path=env.get("PATH", ""))
    return Path(program).resolve().parent.parent / "conf" / "settings.xml" if program else None


class _Named(Protocol):
    @property
    def id(self) -> str: ...


_EntryT = TypeVar("_EntryT", bound=_Named)


def _joined(first: MavenSettings, second: MavenSettings) -> MavenSettings:
    def entries(strong: tuple[_EntryT, ...], weak: tuple[_EntryT, ...]) -> tuple[_EntryT, ...]:
        known = {entry.id for entry in strong}
        return (*strong, *(entry for entry in weak if entry.id not in known))

    return MavenSettings(
        mirrors=entries(first.mirrors, second.mirrors),
        servers=entries(first.servers, second.servers),
        proxies=entries(first.proxies, second.proxies),
        profiles=entries(first.profiles, second.profiles),
        active=first.active | second.active,
    )


class _Reader:
    """Reads the elements of one file."""

    def __init__(self, path: Path, env: Mapping[str, str]) -> None:
        self._path = path
        self._env = env

    def settings(self, root: Element) -> MavenSettings:
        return MavenSettings(
            mirrors=tuple(self._mirror(e) for e in _all(root, "mirrors", "mirror")),
            servers=tuple(self._server(e) for e in _all(root, "servers", "server")),
            proxies=tuple(self._proxy(e) for e in _all(root, "proxies", "proxy")),
            profiles=tuple(self._profile(e) for e in _all(root, "profiles", "profile")),
            active=frozenset(self._filled(e.text) for e in _all(root, "activeProfiles", "activeProfile")),
        )

    def _mirror(self, element: Element) -> MirrorEntry:
        return MirrorEntry(
            id=self._text(element, "id", "default"),
            url=self._required(element, "url"),
            of=self._required(element, "mirrorOf"),
            blocked=self._flag(element, "blocked", otherwise=False),
        )

    def _server(self, element: Element) -> ServerEntry:
        properties = (e for e in element.iter() if _name(e) == "property")
        return ServerEntry(
            id=self._text(element, "id", "default"),
            username=self._text(element, "username"),
            password=self._text(element, "password"),
            headers=tuple((self._required(e, "name"), self._text(e, "value")) for e in properties),
        )

    def _proxy(self, element: Element) -> ProxyEntry:
        port = self._text(element, "port", "8080")
        # Digits of other scripts are digits too, and no port.
        if not (port.isascii() and port.isdigit() and 0 < int(port) <= _MOST_PORTS):
            raise _wrong(self._path, f"<port> of a proxy is {port!r}")
        return ProxyEntry(
            id=self._text(element, "id", "default"),
            protocol=self._text(element, "protocol", "http").lower(),
            host=self._required(element, "host"),
            port=int(port),
            active=self._flag(element, "active", otherwise=True),
            username=self._text(element, "username"),
            password=self._text(element, "password"),
            spared=tuple(p for p in re.split(r"[|,\s]+", self._text(element, "nonProxyHosts")) if p),
        )

    def _profile(self, element: Element) -> ProfileEntry:
        activation = _child(element, "activation")
        entries = (
            *_all(element, "repositories", "repository"),
            *_all(element, "pluginRepositories", "pluginRepository"),
        )
        return ProfileEntry(
            id=self._text(element, "id", "default"),
            by_default=activation is not None and self._flag(activation, "activeByDefault", otherwise=False),
            repositories=tuple(self._repository(e) for e in entries),
        )

    def _repository(self, element: Element) -> RepositoryEntry:
        releases = _child(element, "releases")
        return RepositoryEntry(
            id=self._required(element, "id"),
            url=self._required(element, "url"),
            releases=releases is None or self._flag(releases, "enabled", otherwise=True),
        )

    def _text(self, element: Element, name: str, otherwise: str = "") -> str:
        child = _child(element, name)
        return (self._filled(child.text) if child is not None else "") or otherwise

    def _required(self, element: Element, name: str) -> str:
        found = self._text(element, name)
        if not found:
            raise _wrong(self._path, f"<{_name(element)}> without <{name}>")
        return found

    def _flag(self, element: Element, name: str, *, otherwise: bool) -> bool:
        found = self._text(element, name, str(otherwise)).lower()
        if found not in {"true", "false"}:
            raise _wrong(self._path, f"<{name}> is {found!r}, neither true nor false")
        return found == "true"

    def _filled(self, text: str | None) -> str:
        return _VARIABLE.sub(lambda m: self._value(m.group(1), m.group()), (text or "").strip())

    def _value(self, name: str, otherwise: str) -> str:
        return self._env.get("HOME" if name == "user.home" else name.removeprefix("env."), otherwise)


def _name(element: Element) -> str:
    """Return the name without the namespace: files of every version of the schema are alike in what is read."""
    return element.tag.rpartition("}")[2] if isinstance(element.tag, str) else ""


def _children(element: Element | None, name: str) -> Iterator[Element]:
    return (e for e in (element if element is not None else ()) if _name(e) == name)


def _child(element: Element, name: str) -> Element | None:
    return next(_children(element, name), None)


def _all(element: Element, group: str, name: str) -> Iterable[Element]:
    return _children(_child(element, group), name)


def _wrong(path: Path, what: str) -> ConfigError:
    return ConfigError(
        f"the Maven settings {path} cannot be used: {what}",
        remedy="Correct the file, or name another with maven_settings in farm.toml.",
    )
