"""What the publisher itself reads of a POM and of a plugin's descriptor, to hold them against where they lie.

A POM that inherits its groupId or version takes them from `<parent>` (https://maven.apache.org/pom.html#Inheritance);
properties are not put in: what is published must say what it is.
"""

from __future__ import annotations

import zipfile
import zlib
from typing import TYPE_CHECKING, Final, NamedTuple

from defusedxml import DefusedXmlException
from defusedxml.ElementTree import ParseError, fromstring

from farm.errors import VerificationError

if TYPE_CHECKING:
    from pathlib import Path
    from xml.etree.ElementTree import Element

__all__ = ["Pom", "goal_prefix", "read_pom"]

_LIMIT: Final = 8 * 1024 * 1024
_DESCRIPTOR: Final = "META-INF/maven/plugin.xml"


class Pom(NamedTuple):
    """What a POM says about itself."""

    group: str
    artifact: str
    version: str
    packaging: str
    title: str
    """`<name>`, empty when there is none."""


def read_pom(path: Path, filename: str) -> Pom:
    """Read the coordinates of a POM, inheritance from `<parent>` included.

    Raises:
        VerificationError: unreadable, no POM, or an element that may be there once is there twice.
    """
    root = _parse(_read(path, filename), filename, "project")
    parent = _only(root, "parent", filename)
    inherited = {tag: _text(parent, tag, filename) if parent is not None else "" for tag in ("groupId", "version")}
    return Pom(
        group=_text(root, "groupId", filename) or inherited["groupId"],
        artifact=_text(root, "artifactId", filename),
        version=_text(root, "version", filename) or inherited["version"],
        packaging=_text(root, "packaging", filename) or "jar",
        title=" ".join(_text(root, "name", filename).split()),
    )


def goal_prefix(path: Path, filename: str, pom: Pom) -> str:
    """Return the prefix that goals of a plugin are called by, from the descriptor in its jar.

    Raises:
        VerificationError: no readable jar, no descriptor, or one of another plugin.
    """
    root = _parse(_inside(path, filename), f"{_DESCRIPTOR} of {filename}", "plugin")
    said = tuple(_text(root, tag, filename) for tag in ("groupId", "artifactId", "version"))
    if said != (pom.group, pom.artifact, pom.version):
        raise VerificationError(f"{filename}: its {_DESCRIPTOR} is of {':'.join(said)}")
    prefix = _text(root, "goalPrefix", filename)
    if not prefix or not prefix.isprintable():
        raise VerificationError(f"{filename}: its {_DESCRIPTOR} has no goalPrefix")
    return prefix


def _read(path: Path, filename: str) -> bytes:
    with path.open("rb") as stream:
        data = stream.read(_LIMIT + 1)
    if len(data) > _LIMIT:
        raise VerificationError(f"{filename} is larger than {_LIMIT} bytes")
    return data


def _inside(path: Path, filename: str) -> bytes:
    try:
        with zipfile.ZipFile(path) as jar:
            found = [entry for entry in jar.infolist() if entry.filename == _DESCRIPTOR]
            if len(found) != 1 or found[0].file_size > _LIMIT:
                raise VerificationError(
                    f"{filename}: a Maven plugin has exactly one {_DESCRIPTOR} below 8 MiB, this has {len(found)}"
                )
            with jar.open(found[0]) as stream:
                # The size in the directory is a claim; this is the cap.
                return stream.read(_LIMIT)
    except (zipfile.BadZipFile, zlib.error, NotImplementedError, RuntimeError, EOFError, OSError) as error:
        raise VerificationError(f"{filename} is not a readable jar: {error}") from error


def _parse(data: bytes, name: str, expected: str) -> Element:
    try:
        root: Element = fromstring(data, forbid_dtd=True)
    except (ParseError, DefusedXmlException, ValueError, LookupError, RecursionError) as error:
        raise VerificationError(f"{name} is no readable XML: {error!r}") from error
    if _tag(root) != expected:
        raise VerificationError(f"{name} is no <{expected}> document")
    return root


def _tag(element: Element) -> str:
    # Old POMs have no namespace, and Maven reads them.
    return str(element.tag).rpartition("}")[2]


def _only(parent: Element, tag: str, name: str) -> Element | None:
    found = [child for child in parent if _tag(child) == tag]
    if len(found) > 1:
        raise VerificationError(f"{name} has <{tag}> {len(found)} times: readers differ on which counts")
    return found[0] if found else None


def _text(parent: Element, tag: str, name: str) -> str:
    found = _only(parent, tag, name)
    if found is None:
        return ""
    if len(found):
        raise VerificationError(f"{name}: <{tag}> holds elements where text belongs")
    return (found.text or "").strip()
