"""What is generated from records: `maven-metadata.xml`, `.meta/prefixes.txt`, the list for people. Pure.

`lastUpdated` is the latest upload time of the versions that are listed: the same records give the same bytes
(https://maven.apache.org/repositories/metadata.html). An artifact and a group can share a folder; then they share the
document, and Maven reads of it what it looks for.
"""

from __future__ import annotations

from typing import TYPE_CHECKING, Final, NamedTuple
from xml.sax.saxutils import escape

from farm.ecosystems.maven.naming import NAMING

if TYPE_CHECKING:
    from collections.abc import Iterable, Mapping

__all__ = ["Plugin", "in_order", "maven_metadata", "prefixes"]

_HEADER: Final = "## repository-prefixes/2.0"
_DEPTH: Final = 2
"""Parts of a prefix: as many as the format's users expect at most."""


class Plugin(NamedTuple):
    """A Maven plugin of a group."""

    prefix: str
    artifact: str
    title: str


def in_order(versions: Iterable[str]) -> list[str]:
    """Return versions as Maven orders them; those that Maven finds equal by their text."""
    return sorted(sorted(versions), key=NAMING.version)


def maven_metadata(group: str, artifact: str, versions: Mapping[str, str], plugins: Iterable[Plugin] = ()) -> bytes:
    """Return a `maven-metadata.xml`.

    Args:
        group: groupId of the artifact.
        artifact: artifactId; with `versions` empty, neither is said.
        versions: version → when it was published (RFC 3339).
        plugins: the plugins of the group whose folder this is.
    """
    lines = ['<?xml version="1.0" encoding="UTF-8"?>', "<metadata>"]
    if versions:
        ordered = in_order(versions)
        lines += [
            f"  <groupId>{escape(group)}</groupId>",
            f"  <artifactId>{escape(artifact)}</artifactId>",
            "  <versioning>",
            f"    <latest>{escape(ordered[-1])}</latest>",
            f"    <release>{escape(ordered[-1])}</release>",
            "    <versions>",
            *(f"      <version>{escape(version)}</version>" for version in ordered),
            "    </versions>",
            f"    <lastUpdated>{max(map(_stamp, versions.values()))}</lastUpdated>",
            "  </versioning>",
        ]
    listed = sorted(set(plugins))
    if listed:
        lines.append("  <plugins>")
        for plugin in listed:
            lines += [
                "    <plugin>",
                f"      <name>{escape(plugin.title or plugin.artifact)}</name>",
                f"      <prefix>{escape(plugin.prefix)}</prefix>",
                f"      <artifactId>{escape(plugin.artifact)}</artifactId>",
                "    </plugin>",
            ]
        lines.append("  </plugins>")
    return "\n".join([*lines, "</metadata>", ""]).encode()


def prefixes(names: Iterable[str]) -> bytes:
    """Return the prefixes file (Remote Repository Filtering) for these `groupId:artifactId`.

    With it, Maven does not ask this repository for what cannot be in it.
    """
    found = {"/" + "/".join(_path(name).split("/")[:_DEPTH]) for name in names}
    return "\n".join([_HEADER, *sorted(found), ""]).encode()


def _path(name: str) -> str:
    group, _, artifact = name.partition(":")
    return f"{group.replace('.', '/')}/{artifact}"


def _stamp(time: str) -> str:
    """Return an RFC 3339 time as the metadata has it: `yyyyMMddHHmmss`, UTC."""
    return "".join(character for character in time[:19] if character.isdigit())
