from __future__ import annotations

import io
import stat
import struct
import zipfile
from contextlib import suppress
from typing import TYPE_CHECKING

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from farm.ecosystems.maven.jar import JarFacts, read_jar
from farm.errors import UnsafeArchiveError
from tests.fixtures_maven_repository import jar

if TYPE_CHECKING:
    from pathlib import Path

PROPERTIES = "META-INF/maven/org.x/shaded/pom.properties"


def read(folder: Path, data: bytes) -> JarFacts:
    path = folder / "archive"
    path.write_bytes(data)
    return read_jar(path, "sample-1.0.jar")


def test_what_is_in_a_jar(tmp_path: Path) -> None:
    facts = read(
        tmp_path,
        jar(
            {
                "META-INF/": "",
                "META-INF/MANIFEST.MF": (
                    "Manifest-Version: 1.0\r\nCreated-By: a very lo\r\n ng name\r\n\r\nName: x\r\nA: b\r\n"
                ),
                PROPERTIES: "#x\r\ngroupId=org.x\nartifactId=shaded\nversion=2.0\n",
                "META-INF/maven/org.y/z/pom.properties": "version=3\n",
                "a/B.class": "x",
            }
        ),
    )
    assert facts.projects == (("org.x", "shaded", "2.0"), ("org.y", "z", "3"))
    assert facts.manifest == {"Manifest-Version": "1.0", "Created-By": "a very long name"}
    assert facts.classes == 1


def test_an_empty_jar(tmp_path: Path) -> None:
    assert read(tmp_path, jar({})) == JarFacts((), {}, 0)


@pytest.mark.parametrize(
    "name",
    ["../evil.class", "a/../../evil", "/etc/passwd", "a\\..\\evil", "C:/x", "c:x", "a//b", "./a", "a/./b", "..", "//x"],
)
def test_an_entry_that_leaves_the_jar(tmp_path: Path, name: str) -> None:
    with pytest.raises(UnsafeArchiveError, match="leaves the archive"):
        read(tmp_path, jar({"a": "", name: "x"}))


def test_a_name_that_ends_early(tmp_path: Path) -> None:
    data = jar({"good.class/evil": "x"}).replace(b"good.class/evil", b"good.class\0evil")
    with pytest.raises(UnsafeArchiveError, match="leaves the archive"):
        read(tmp_path, data)


@pytest.mark.filterwarnings("ignore:Duplicate name")
def test_an_entry_that_comes_twice(tmp_path: Path) -> None:
    sink = io.BytesIO()
    with zipfile.ZipFile(sink, "w") as archive:
        archive.writestr("A.class", "one")
        archive.writestr("A.class", "two")
    with pytest.raises(UnsafeArchiveError, match="twice"):
        read(tmp_path, sink.getvalue())


@pytest.mark.parametrize("kind", [stat.S_IFLNK, stat.S_IFIFO, stat.S_IFCHR])
def test_an_entry_that_is_no_file(tmp_path: Path, kind: int) -> None:
    sink = io.BytesIO()
    with zipfile.ZipFile(sink, "w") as archive:
        entry = zipfile.ZipInfo("link")
        entry.external_attr = (kind | 0o777) << 16
        archive.writestr(entry, "/etc/passwd")
    with pytest.raises(UnsafeArchiveError, match="is no file"):
        read(tmp_path, sink.getvalue())


def test_an_encrypted_entry(tmp_path: Path) -> None:
    data = bytearray(jar({"A.class": "x"}))
    for header, offset in ((b"PK\x03\x04", 6), (b"PK\x01\x02", 8)):
        data[data.index(header) + offset] |= 1
    with pytest.raises(UnsafeArchiveError, match="encrypted"):
        read(tmp_path, bytes(data))


def test_sizes_beyond_reason(tmp_path: Path) -> None:
    data = bytearray(jar({"a": "x", "b": "x", "c": "x"}))
    place = -1
    while (place := data.find(b"PK\x01\x02", place + 1)) >= 0:
        struct.pack_into("<I", data, place + 24, 0xFFFFFFF0)
    with pytest.raises(UnsafeArchiveError, match="more than an archive may"):
        read(tmp_path, bytes(data))


def test_a_bomb_in_what_is_read_is_cut(tmp_path: Path) -> None:
    sink = io.BytesIO()
    with zipfile.ZipFile(sink, "w", zipfile.ZIP_DEFLATED) as archive:
        archive.writestr("META-INF/MANIFEST.MF", "A: " + "x" * 20_000_000)
    assert len(read(tmp_path, sink.getvalue()).manifest["A"]) < 2_000_000


@pytest.mark.parametrize("data", [b"", b"no zip", b"PK\x03\x04" + bytes(40), jar({"a": "x"})[:-5]])
def test_what_cannot_be_read(tmp_path: Path, data: bytes) -> None:
    with pytest.raises(UnsafeArchiveError, match=r"sample-1\.0\.jar cannot be read"):
        read(tmp_path, data)


def test_a_manifest_in_an_unknown_compression(tmp_path: Path) -> None:
    data = bytearray(jar({"META-INF/MANIFEST.MF": "A: b"}))
    for header, offset in ((b"PK\x03\x04", 8), (b"PK\x01\x02", 10)):
        struct.pack_into("<H", data, data.index(header) + offset, 14)  # LZMA, whose data this is not
    with pytest.raises(UnsafeArchiveError):
        read(tmp_path, bytes(data))


@settings(deadline=None)  # other work on the machine is no failure
@given(position=st.integers(0, 10_000), byte=st.integers(0, 255))
def test_any_damage_is_read_or_refused(tmp_path_factory: pytest.TempPathFactory, position: int, byte: int) -> None:
    data = bytearray(jar({"META-INF/MANIFEST.MF": "A: b\n", PROPERTIES: "version=1\n", "a/B.class": "x"}))
    data[position % len(data)] = byte
    with suppress(UnsafeArchiveError):
        read(tmp_path_factory.getbasetemp(), bytes(data))
