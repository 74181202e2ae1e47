"""Paths of a Maven repository in the default ("Maven 2") layout: text ↔ coordinates. Pure.

Layout: `group/with/slashes/artifact/version/artifact-version[-classifier].extension`, metadata in
`maven-metadata.xml` at any level, and beside each file its checksums and its signature
(https://maven.apache.org/repositories/layout.html, https://maven.apache.org/repositories/metadata.html).
"""

from __future__ import annotations

import re
from dataclasses import dataclass
from typing import Final, Literal
from urllib.parse import unquote_to_bytes

__all__ = ["CHECKSUMS", "Coordinates", "Kind", "MavenPath", "parse_path", "parse_target"]

Kind = Literal["jar", "pom", "module", "metadata", "checksum", "signature", "file"]
"""module: Gradle's module metadata. file: whatever else lies in a repository (`zip`, `.meta/prefixes.txt`)."""

CHECKSUMS: Final = ("sha1", "md5", "sha256", "sha512")
"""Extensions of checksum files, as hashlib calls the algorithms."""

_SIGNATURES: Final = ("asc", "sigstore.json", "sigstore")
_METADATA: Final = "maven-metadata.xml"
_SNAPSHOT: Final = "SNAPSHOT"
_LONGEST: Final = 1024
_LONGEST_PART: Final = 255
"""What file systems allow for one name: a depot is made of these paths."""
_DEEPEST: Final = 40
_PART: Final = re.compile(r"[A-Za-z0-9._+~@!,=${}-]+")
"""Wider than coordinates may be on purpose: a POM with a property that nobody sets asks for a path with `${…}` in it,
and the answer to that is "not there", as from any repository."""
_TIMESTAMPED: Final = re.compile(r"[0-9]{8}\.[0-9]{6}-[0-9]+")
_DOUBLE: Final = re.compile(r"\.(tar\.[A-Za-z0-9]+)$")
"""Extensions of two parts after a classifier; for others the last dot decides, since classifiers have dots too."""


@dataclass(frozen=True)
class Coordinates:
    """What a file of an artifact is called."""

    group: str
    artifact: str
    version: str
    """As the folder says: a snapshot's base version (`1.0-SNAPSHOT`)."""
    classifier: str = ""
    extension: str = "jar"
    timestamp: str = ""
    """Of a deployed snapshot: what stands in the file's name instead of `SNAPSHOT`."""

    @property
    def snapshot(self) -> bool:
        """Whether the version is one that changes."""
        return self.version.endswith(_SNAPSHOT)

    @property
    def path(self) -> str:
        """The path in a repository, without a leading slash."""
        version = f"{self.version.removesuffix(_SNAPSHOT)}{self.timestamp}" if self.timestamp else self.version
        classifier = f"-{self.classifier}" if self.classifier else ""
        name = f"{self.artifact}-{version}{classifier}.{self.extension}"
        return f"{self.group.replace('.', '/')}/{self.artifact}/{self.version}/{name}"

    def __str__(self) -> str:
        classifier = f":{self.classifier}" if self.classifier else ""
        return f"{self.group}:{self.artifact}:{self.extension}{classifier}:{self.version}"


@dataclass(frozen=True)
class MavenPath:
    """A path that is safe to use below a folder and below an address."""

    text: str
    """Parts joined by single slashes, none at either end, nothing percent-encoded."""
    kind: Kind
    coordinates: Coordinates | None = None
    """None where the path does not follow the layout of artifacts; those of the file that a sidecar is beside."""
    of: str = ""
    """The path of the file that a checksum or a signature is about, empty for other kinds."""
    algorithm: str = ""
    """Of a checksum, as hashlib calls it."""

    @property
    def snapshot(self) -> bool:
        """Whether the path is of a version that changes."""
        return any(part.endswith(_SNAPSHOT) for part in self.text.split("/")[:-1])


def parse_target(target: str) -> MavenPath:
    """Read the target of an HTTP request in origin form (`/org/…`), percent-encoded or not.

    Raises:
        ValueError: no path of a repository; the message says what is wrong with it and does not repeat it.
    """
    if not target.startswith("/"):
        raise ValueError("not an absolute path")
    if "?" in target or "#" in target:
        raise ValueError("a query or a fragment")
    if len(target) > _LONGEST * 3:
        raise ValueError("too long")
    try:
        text = unquote_to_bytes(target).decode("ascii")
    except UnicodeError:
        raise ValueError("not ASCII") from None
    return parse_path(text[1:])


def parse_path(text: str) -> MavenPath:
    """Read a path below the root of a repository, not percent-encoded.

    Raises:
        ValueError: it could leave the folder, or is nothing that a repository holds.
    """
    if len(text) > _LONGEST:
        raise ValueError("too long")
    parts = text.split("/")
    if len(parts) > _DEEPEST:
        raise ValueError("too deep")
    for part in parts:
        if not part:
            raise ValueError("an empty part")
        if part.strip(".") == "":
            raise ValueError("a part of dots alone")
        if len(part) > _LONGEST_PART:
            raise ValueError("a part that is too long")
        if not _PART.fullmatch(part):
            raise ValueError("a character that no path of a repository has")
    found = _coordinates(parts)
    return _sidecar(text) or MavenPath(text=text, kind=_kind(parts[-1], found), coordinates=found)


def _sidecar(text: str) -> MavenPath | None:
    for extensions, kind in ((CHECKSUMS, "checksum"), (_SIGNATURES, "signature")):
        for extension in extensions:
            of = text.removesuffix(f".{extension}")
            if of == text or not of or of.endswith("/"):
                continue
            inner = parse_path(of)
            if kind == "checksum":
                return MavenPath(text=text, kind="checksum", coordinates=inner.coordinates, of=of, algorithm=extension)
            return MavenPath(text=text, kind="signature", coordinates=inner.coordinates, of=of)
    return None


def _kind(name: str, found: Coordinates | None) -> Kind:
    if name == _METADATA:
        return "metadata"
    match found.extension if found is not None else "":
        case "jar":
            return "jar"
        case "pom":
            return "pom"
        case "module":
            return "module"
        case _:
            return "file"


def _coordinates(parts: list[str]) -> Coordinates | None:
    if len(parts) < 4:  # noqa: PLR2004 - group, artifact, version, file
        return None
    *group, artifact, version, name = parts
    # A dot inside a folder of the group would come back as another folder.
    if any("." in part for part in group):
        return None
    timestamp = ""
    rest = name.removeprefix(f"{artifact}-{version}")
    if rest == name and version.endswith(_SNAPSHOT):
        tail = name.removeprefix(f"{artifact}-{version.removesuffix(_SNAPSHOT)}")
        stamp = _TIMESTAMPED.match(tail) if tail != name else None
        if stamp is None:
            return None
        timestamp, rest = stamp.group(), tail[stamp.end() :]
    if rest == name:
        return None
    split = _split(rest)
    if split is None:
        return None
    classifier, extension = split
    return Coordinates(
        group=".".join(group),
        artifact=artifact,
        version=version,
        classifier=classifier,
        extension=extension,
        timestamp=timestamp,
    )


def _split(rest: str) -> tuple[str, str] | None:
    """Return classifier and extension of `-classifier.extension` or `.extension`."""
    if rest.startswith("."):
        return ("", rest[1:]) if rest[1:] else None
    if not rest.startswith("-"):
        return None
    double = _DOUBLE.search(rest)
    dot = double.start() if double else rest.rfind(".")
    classifier, extension = rest[1 : max(dot, 1)], rest[dot + 1 :]
    return (classifier, extension) if dot > 0 and classifier and extension else None
