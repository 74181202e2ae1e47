"""Reading a POM as it stands: no parent is fetched, no profile is activated, nothing is run.

Source: the POM reference and the Maven model 4.0.0. Text in which `${…}` names a property of the same POM, or its own
coordinates, is resolved; what comes from elsewhere stays as it is written.
"""

from __future__ import annotations

import re
from dataclasses import dataclass
from html.entities import name2codepoint
from typing import TYPE_CHECKING
from xml.etree.ElementTree import Element, ParseError

from defusedxml import DefusedXmlException
from defusedxml.ElementTree import fromstring

from farm.ecosystems.maven.licenses import spdx_or_text
from farm.errors import FarmError, SourceUnsafeError

if TYPE_CHECKING:
    from collections.abc import Iterator, Mapping

__all__ = ["LIMIT", "Dependency", "Pom", "read_pom"]

LIMIT = 4 * 1024 * 1024
"""Largest POM that is read, in bytes."""
_TEXT = 4096
"""Longest value that is kept: longer ones are cut."""
_PASSES = 8
"""How deep properties may name properties."""
_BUDGET = 16 * 1024 * 1024
"""How many characters properties may expand to in one POM."""
_XML_ENTITIES = frozenset({"amp", "lt", "gt", "quot", "apos"})
_ENTITY = re.compile(rb"&([A-Za-z][A-Za-z0-9]*);")
_PLACE = re.compile(r"\$\{([^${}]{1,200})\}")
_PLUGIN_GROUP = "org.apache.maven.plugins"
_NOT_NEEDED = frozenset({"test", "import"})
"""Scopes of dependencies that whoever uses the artifact has no part in."""


@dataclass(frozen=True)
class Dependency:
    """One `<dependency>`, `<plugin>`, `<extension>` or `<parent>`; empty where the POM says nothing."""

    group: str
    artifact: str
    version: str
    scope: str = ""
    type: str = ""
    optional: bool = False

    def __str__(self) -> str:
        return f"{self.group}:{self.artifact}"


@dataclass(frozen=True)
class Pom:
    """What a POM says of itself."""

    group: str
    artifact: str
    version: str
    """As it is inherited from `<parent>` where the POM has none of its own."""
    packaging: str
    parent: Dependency | None
    description: str
    """In one line."""
    modules: tuple[str, ...]
    """Folders or files, those of all profiles included, in the order of the POM."""
    licenses: tuple[str, ...]
    """SPDX identifiers where name or address is well known, else the name as it stands. Several are a choice."""
    dependencies: tuple[Dependency, ...]
    """The project's own, outside of profiles; versions from its own `<dependencyManagement>` filled in."""
    properties: Mapping[str, str]
    """The project's own, outside of profiles."""
    observations: tuple[str, ...] = ()
    """What the POM leaves open: ranges, LATEST, snapshots, plugins without a version, repositories by plain HTTP."""

    @property
    def requirements(self) -> tuple[str, ...]:
        """What using the artifact needs: `group:artifact:version:scope`, sorted; no version where a parent has it."""
        return tuple(
            sorted(
                f"{d}:{d.version}:{d.scope or 'compile'}{' (optional)' if d.optional else ''}"
                for d in self.dependencies
                if d.scope not in _NOT_NEEDED
            )
        )


def read_pom(data: bytes, label: str, error: type[FarmError] = SourceUnsafeError) -> Pom:
    """Read a POM.

    Args:
        data: its bytes.
        label: what errors call it.
        error: class of the error, by where the POM is from.

    Raises:
        SourceUnsafeError (or `error`): larger than `LIMIT`, no XML, a document type (entities), no POM, no coordinates.
    """
    if len(data) > LIMIT:
        raise error(f"{label} has {len(data)} bytes, more than a POM may have ({LIMIT})")
    try:
        root: Element = fromstring(_ENTITY.sub(_spelt_out, data), forbid_dtd=True)
    except DefusedXmlException as refused:
        raise error(f"{label} has a document type or entities of its own, which are not read: {refused}") from refused
    except (ParseError, ValueError, LookupError) as broken:
        raise error(f"{label} is no readable XML: {broken}") from broken
    if _name(root) != "project":
        raise error(f"{label} is no POM: its root is <{_name(root)[:100]}>")
    try:
        return _Reader(root).pom()
    except ValueError as wrong:
        raise error(f"{label}: {wrong}") from wrong


class _Reader:
    """One POM while it is read."""

    def __init__(self, root: Element) -> None:
        self.root = root
        self.budget = _BUDGET
        self.properties = {_name(item): _text(item) for item in _all(root, "properties", "*")}
        parent = _first(root, "parent")
        # A parent's coordinates may not be built from the child's properties, but its version is (`${revision}`).
        self.known: dict[str, str] = {}
        self.parent = None if parent is None else self.dependency(parent)
        above = self.parent or Dependency("", "", "")
        self.artifact = self.own("artifactId")
        self.group = self.own("groupId") or above.group
        self.version = self.own("version") or above.version
        coordinates = {"groupId": self.group, "artifactId": self.artifact, "version": self.version}
        if missing := [name for name, value in coordinates.items() if not value]:
            msg = f"it has no {' and no '.join(missing)}"
            raise ValueError(msg)
        self.known = {
            "project.groupId": self.group,
            "project.artifactId": self.artifact,
            "project.version": self.version,
            "project.parent.groupId": above.group,
            "project.parent.version": above.version,
        }
        self.known |= {name.removeprefix("project."): value for name, value in self.known.items()}
        self.known |= {f"pom.{name}": self.known[f"project.{name}"] for name in ("groupId", "artifactId", "version")}

    def own(self, name: str) -> str:
        return self.resolved(_text(_first(self.root, name)))

    def resolved(self, text: str) -> str:
        for _ in range(_PASSES):
            after = _PLACE.sub(self._value, text)[:_TEXT]
            if after == text:
                break
            text = after
        return text

    def _value(self, place: re.Match[str]) -> str:
        name = place[1]
        value = self.properties.get(name) or self.known.get(name) or place[0]
        self.budget -= len(value)
        if self.budget < 0:
            msg = "its properties expand too far"
            raise ValueError(msg)
        return value

    def dependency(self, item: Element, group: str = "") -> Dependency:
        def value(name: str) -> str:
            return self.resolved(_text(_first(item, name)))

        return Dependency(
            group=value("groupId") or group,
            artifact=value("artifactId"),
            version=value("version"),
            scope=value("scope"),
            type=value("type"),
            optional=value("optional") == "true",
        )

    def pom(self) -> Pom:
        managed = {
            (d.group, d.artifact, d.type or "jar"): d
            for d in map(self.dependency, _all(self.root, "dependencyManagement", "dependencies", "dependency"))
        }
        return Pom(
            group=self.group,
            artifact=self.artifact,
            version=self.version,
            packaging=self.own("packaging") or "jar",
            parent=self.parent,
            description=self.own("description") or self.own("name"),
            modules=tuple(
                self.resolved(_text(module)) for part in self.parts() for module in _all(part, "modules", "module")
            ),
            licenses=tuple(
                dict.fromkeys(
                    found
                    for item in _all(self.root, "licenses", "license")
                    if (found := spdx_or_text(_text(_first(item, "name")), _text(_first(item, "url"))))
                )
            ),
            dependencies=tuple(
                _filled(found, managed.get((found.group, found.artifact, found.type or "jar")))
                for found in map(self.dependency, _all(self.root, "dependencies", "dependency"))
            ),
            properties=self.properties,
            observations=tuple(dict.fromkeys(self.observations())),
        )

    def parts(self) -> Iterator[Element]:
        """Yield the project and each of its profiles: both hold modules, dependencies, plugins and repositories."""
        yield self.root
        yield from _all(self.root, "profiles", "profile")

    def observations(self) -> Iterator[str]:
        if self.parent is not None:
            yield from _open(f"parent {self.parent}", self.parent.version)
        managed = {
            str(self.dependency(item, _PLUGIN_GROUP))
            for part in self.parts()
            for item in _all(part, "build", "pluginManagement", "plugins", "plugin")
            if _text(_first(item, "version"))
        }
        for part in self.parts():
            for item in (
                *_all(part, "dependencies", "dependency"),
                *_all(part, "dependencyManagement", "dependencies", "dependency"),
            ):
                found = self.dependency(item)
                yield from _open(f"dependency {found}", found.version)
            for item in _all(part, "build", "extensions", "extension"):
                found = self.dependency(item)
                yield from _open(f"extension {found}", found.version)
            yield from self.plugins(part, managed)
            yield from self.repositories(part)

    def plugins(self, part: Element, managed: set[str]) -> Iterator[str]:
        used = [*_all(part, "build", "plugins", "plugin"), *_all(part, "reporting", "plugins", "plugin")]
        listed = [(item, False) for item in _all(part, "build", "pluginManagement", "plugins", "plugin")]
        for item, runs in [*((item, True) for item in used), *listed]:
            plugin = self.dependency(item, _PLUGIN_GROUP)
            yield from _open(f"plugin {plugin}", plugin.version)
            # With a parent the version may be there, which only Maven sees.
            if runs and not plugin.version and self.parent is None and str(plugin) not in managed:
                yield f"plugin {plugin} has no version"
            for below in _all(item, "dependencies", "dependency"):
                found = self.dependency(below)
                yield from _open(f"dependency {found} of plugin {plugin}", found.version)

    def repositories(self, part: Element) -> Iterator[str]:
        for holder, name in (("repositories", "repository"), ("pluginRepositories", "pluginRepository")):
            for item in _all(part, holder, name):
                url = self.resolved(_text(_first(item, "url")))
                if url.lower().startswith("http://"):
                    yield f"repository {_text(_first(item, 'id')) or 'without id'} is read by plain HTTP"


def _filled(found: Dependency, managed: Dependency | None) -> Dependency:
    if managed is None:
        return found
    return Dependency(
        group=found.group,
        artifact=found.artifact,
        version=found.version or managed.version,
        scope=found.scope or managed.scope,
        type=found.type,
        optional=found.optional or managed.optional,
    )


def _open(what: str, version: str) -> Iterator[str]:
    """Say what of a version depends on the day."""
    if version.upper() in {"LATEST", "RELEASE"}:
        yield f"{what} has the version {version}"
    elif version.upper().endswith("-SNAPSHOT"):
        yield f"{what} is a snapshot: {version}"
    elif version.startswith(("[", "(")) and "," in version:
        yield f"{what} has a range of versions: {version}"


def _spelt_out(entity: re.Match[bytes]) -> bytes:
    """Maven's parser knows the entities of HTML without a document type (`&oslash;` in the name of a developer)."""
    name = entity[1].decode("ascii")
    if name in _XML_ENTITIES or name not in name2codepoint:
        return entity[0]
    return b"&#%d;" % name2codepoint[name]


def _name(element: Element) -> str:
    """Return the name of an element without its namespace: POMs are written with and without one."""
    return str(element.tag).rpartition("}")[2]


def _all(element: Element, *path: str) -> list[Element]:
    """Return the elements below `element` by a path of names."""
    found = [element]
    for name in path:
        found = [child for holder in found for child in holder if name in {"*", _name(child)}]
    return found


def _first(element: Element, name: str) -> Element | None:
    return next((child for child in element if _name(child) == name), None)


def _text(element: Element | None) -> str:
    """Return the text of an element in one line, fit for evidence."""
    words = " ".join(((element.text if element is not None else "") or "").split())
    return "".join(c for c in words if c.isprintable())[:_TEXT]
