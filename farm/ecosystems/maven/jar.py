"""Looking into a jar without unpacking it: is it safe, which Maven projects are in it. Nothing is written."""

from __future__ import annotations

import lzma
import re
import struct
import zipfile
import zlib
from dataclasses import dataclass
from typing import TYPE_CHECKING

from farm.errors import UnsafeArchiveError

if TYPE_CHECKING:
    from pathlib import Path

__all__ = ["JarFacts", "read_jar"]

_ENTRIES = 500_000
_SMALL = 1024 * 1024
_UNPACKED = 8 * 1024**3
_PROJECTS = 5000
_DESCRIPTION = 64 * 1024
"""What is read of one `pom.properties`; the usual one has a hundred bytes."""
_WORD = 512
"""Longest part of coordinates that is kept: with the two above, what a jar can take of the memory of whoever reads."""
_PROPERTIES = re.compile(r"META-INF/maven/([^/]+)/([^/]+)/pom\.properties")
_UNREADABLE = (
    zipfile.BadZipFile, zlib.error, lzma.LZMAError, struct.error, EOFError, NotImplementedError, RuntimeError,
    ValueError, OSError,
)  # fmt: skip


@dataclass(frozen=True)
class JarFacts:
    """What a jar says of itself."""

    projects: tuple[tuple[str, str, str], ...]
    """(group, artifact, version) of every `pom.properties` inside, sorted."""
    manifest: dict[str, str]
    """The main attributes of the manifest."""
    classes: int


def read_jar(path: Path, name: str) -> JarFacts:
    """Read a jar (or another zip).

    Args:
        path: the file.
        name: what errors call it.

    Raises:
        UnsafeArchiveError: unreadable, encrypted, entries that are absolute, leave the folder, come twice, or are
            links; more than a jar can have.
    """
    try:
        with zipfile.ZipFile(path) as jar:
            entries = jar.infolist()
            _check(entries, name)
            described = [entry for entry in entries if _PROPERTIES.fullmatch(entry.filename)]
            if len(described) > _PROJECTS:
                raise UnsafeArchiveError(f"{name} says that it holds {len(described)} projects")
            projects = sorted(_project(jar, entry) for entry in described)
            manifest = next((e for e in entries if e.filename.upper() == "META-INF/MANIFEST.MF"), None)
            return JarFacts(
                projects=tuple(projects),
                manifest=_attributes(_read(jar, manifest)) if manifest else {},
                classes=sum(entry.filename.endswith(".class") for entry in entries),
            )
    except _UNREADABLE as error:
        msg = f"{name} cannot be read as an archive: {error}"
        raise UnsafeArchiveError(msg) from error


def _check(entries: list[zipfile.ZipInfo], name: str) -> None:
    if len(entries) > _ENTRIES or sum(entry.file_size for entry in entries) > _UNPACKED:
        raise UnsafeArchiveError(f"{name} holds more than an archive may")
    seen: set[str] = set()
    for entry in entries:
        # What stands in the file, not what zipfile makes of it: another reader may not stop at a NUL.
        text = entry.orig_filename
        parts = text.rstrip("/").split("/")
        odd = not text or text.startswith("/") or "\\" in text or "\0" in text or {"", ".", ".."} & set(parts)
        if odd or re.match(r"[A-Za-z]:", text):
            raise UnsafeArchiveError(f"{name} has an entry that leaves the archive: {text!r}")
        if text in seen:
            raise UnsafeArchiveError(f"{name} has the entry {text!r} twice")
        seen.add(text)
        kind = (entry.external_attr >> 16) & 0o170000
        if kind not in {0, 0o100000, 0o040000}:
            raise UnsafeArchiveError(f"{name} has an entry that is no file: {text!r}")
        if entry.flag_bits & 0x1:
            raise UnsafeArchiveError(f"{name} has an encrypted entry: {text!r}")


def _read(jar: zipfile.ZipFile, entry: zipfile.ZipInfo, limit: int = _SMALL) -> bytes:
    with jar.open(entry) as stream:
        return stream.read(limit)


def _project(jar: zipfile.ZipFile, entry: zipfile.ZipInfo) -> tuple[str, str, str]:
    lines = _read(jar, entry, _DESCRIPTION).decode("utf-8", errors="replace").splitlines()
    values = dict(line.split("=", 1) for line in lines if "=" in line and not line.startswith("#"))
    found = _PROPERTIES.fullmatch(entry.filename)
    group, artifact = (found[1], found[2]) if found else ("", "")
    return (
        values.get("groupId", group).strip()[:_WORD],
        values.get("artifactId", artifact).strip()[:_WORD],
        values.get("version", "").strip()[:_WORD],
    )


def _attributes(data: bytes) -> dict[str, str]:
    """Read the main section of a manifest (JAR file specification): 72-byte lines, continued by a space."""
    text = data.decode("utf-8", errors="replace").replace("\r\n", "\n").replace("\n ", "")
    main = text.split("\n\n", 1)[0]
    return dict(line.split(": ", 1) for line in main.splitlines() if ": " in line)
