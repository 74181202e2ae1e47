"""Archives made by an attacker whose digest somebody pinned nevertheless."""

from __future__ import annotations

import io
import os
import stat
import tarfile
import zipfile
from typing import TYPE_CHECKING, Literal

import pytest

from farm.errors import SourceUnsafeError
from farm.model.base import sha256_bytes
from farm.model.plan import ArchivePin
from farm.source.safety import Caps
from farm.source.unpack import unpack
from tests.fixtures_source import WHEN, Taker, header, tar_of

if TYPE_CHECKING:
    from pathlib import Path

SMALL = Caps(archive_bytes=1 << 20, tree_bytes=1 << 20, entries=50, metadata_bytes=1 << 16)


def pin_of(data: bytes) -> ArchivePin:
    return ArchivePin(kind="pypi-sdist", name="demo", version="1.0", sha256=sha256_bytes(data))


def outside(tmp_path: Path) -> list[str]:
    scratch = tmp_path / "takes" / "take-1" / "unpacked"
    return sorted(str(p) for p in tmp_path.rglob("evil") if not p.is_relative_to(scratch))


LEAVING = {
    "dot-dot": tar_of(("../evil", b"x")),
    "dot-dot inside": tar_of(("demo/a/../../../evil", b"x")),
    "absolute": tar_of(("/nonexistent/evil", b"x")),
    "only dot-dot": tar_of(header("..", tarfile.DIRTYPE)),
    "link out": tar_of(("demo/a", b""), header("demo/l", tarfile.SYMTYPE, "../../etc/passwd")),
    "absolute link": tar_of(("demo/a", b""), header("demo/l", tarfile.SYMTYPE, "/etc/passwd")),
    "link out by another link": tar_of(
        ("demo/p/q/a", b""),
        header("demo/p/q/top", tarfile.SYMTYPE, "../.."),
        header("demo/l", tarfile.SYMTYPE, "p/q/top/../../evil"),
    ),
    "link to the folder around the only one": tar_of(("demo/a", b""), header("demo/l", tarfile.SYMTYPE, "../demo/a")),
    "write through a link": tar_of(header("demo/d", tarfile.SYMTYPE, "."), ("demo/d/evil", b"x")),
    "write through a link made before": tar_of(header("demo/d", tarfile.SYMTYPE, "/etc"), ("demo/d/evil", b"x")),
    "link below a link": tar_of(
        ("demo/a", b""), header("demo/d", tarfile.SYMTYPE, "x"), header("demo/d/e", tarfile.SYMTYPE, "y")
    ),
    "hard link out": tar_of(("demo/a", b""), header("demo/h", tarfile.LNKTYPE, "../../etc/passwd")),
    "hard link to nothing": tar_of(("demo/a", b""), header("demo/h", tarfile.LNKTYPE, "demo/nothing")),
    "hard link to a link": tar_of(
        header("demo/s", tarfile.SYMTYPE, "/etc/passwd"), header("demo/h", tarfile.LNKTYPE, "demo/s")
    ),
    "device": tar_of(header("demo/null", tarfile.CHRTYPE)),
    "block device": tar_of(header("demo/sda", tarfile.BLKTYPE)),
    "pipe": tar_of(header("demo/pipe", tarfile.FIFOTYPE)),
    "same name twice": tar_of(("demo/a", b"1"), ("demo/a", b"2")),
    "file that is also a link": tar_of(("demo/a", b"1"), header("demo/a", tarfile.SYMTYPE, "b")),
    "file below a file": tar_of(("demo/a", b"1"), ("demo/a/b", b"2")),
    "name too long": tar_of(("demo/" + "x" * 300, b"1")),
    "not an archive": b"#!/bin/sh\nrm -rf /\n" * 100,
    "empty": b"",
    "cut off": tar_of(("demo/a", os.urandom(5000)))[:2000],
    "bad gzip": b"\x1f\x8b" + b"\0" * 600,
    "bad zip": b"PK\x03\x04" + b"\0" * 600,
}


@pytest.mark.parametrize("name", sorted(LEAVING))
def test_archive_is_refused_and_nothing_is_left_outside(name: str, taker: Taker, tmp_path: Path) -> None:
    taker.archive = LEAVING[name]
    with pytest.raises(SourceUnsafeError):
        taker(pin_of(taker.archive))
    assert outside(tmp_path) == []
    assert not taker.vault.records


@pytest.mark.parametrize("mode", ["w:gz", "w:bz2", "w:xz", "w"])
def test_bomb_stops_at_the_cap(mode: Literal["w:gz", "w:bz2", "w:xz", "w"], tmp_path: Path) -> None:
    bomb = tmp_path / "bomb"
    bomb.write_bytes(tar_of(("demo/zeros", bytes(8 << 20)), mode=mode))
    folder = tmp_path / "folder"
    folder.mkdir()
    with pytest.raises(SourceUnsafeError, match="more than 1048576 bytes"):
        unpack(bomb, folder, caps=SMALL)
    written = sum(f.stat().st_size for f in folder.rglob("*") if f.is_file())
    assert written <= 1 << 20


def test_zip_bomb_that_lies_about_its_size_stops(tmp_path: Path) -> None:
    buffer = io.BytesIO()
    with zipfile.ZipFile(buffer, "w", zipfile.ZIP_DEFLATED) as archive:
        archive.writestr("demo/zeros", bytes(8 << 20))
    (tmp_path / "bomb").write_bytes(buffer.getvalue())
    folder = tmp_path / "folder"
    folder.mkdir()
    with pytest.raises(SourceUnsafeError, match="more than"):
        unpack(tmp_path / "bomb", folder, caps=SMALL)


def test_too_many_entries(tmp_path: Path) -> None:
    (tmp_path / "many").write_bytes(tar_of(*((f"demo/{n}", b"") for n in range(60))))
    folder = tmp_path / "folder"
    folder.mkdir()
    with pytest.raises(SourceUnsafeError, match="more than 50 entries"):
        unpack(tmp_path / "many", folder, caps=SMALL)


@pytest.mark.parametrize("kind", [tarfile.XHDTYPE, tarfile.GNUTYPE_LONGNAME])
def test_giant_header_is_not_read_into_memory(kind: bytes, tmp_path: Path) -> None:
    info = header("x", kind)
    info.size = 3 << 30
    (tmp_path / "header").write_bytes(info.tobuf(tarfile.GNU_FORMAT) + bytes(1 << 20))
    folder = tmp_path / "folder"
    folder.mkdir()
    with pytest.raises(SourceUnsafeError, match="a header of"):
        unpack(tmp_path / "header", folder, caps=Caps())


def test_sparse_file_that_claims_a_terabyte(tmp_path: Path) -> None:
    sparse = header("demo/sparse", tarfile.GNUTYPE_SPARSE)
    data = bytearray(sparse.tobuf(tarfile.GNU_FORMAT))
    data[483:495] = b"77777777777\0"  # the real size field of the old GNU sparse header
    data[148:156] = b"        "
    data[148:156] = f"{sum(data[:512]):06o}\0 ".encode()
    (tmp_path / "sparse").write_bytes(bytes(data) + bytes(1024))
    folder = tmp_path / "folder"
    folder.mkdir()
    with pytest.raises(SourceUnsafeError):
        unpack(tmp_path / "sparse", folder, caps=SMALL)


@pytest.mark.parametrize(
    ("name", "mode", "content"),
    [
        ("../evil", 0o100644, b"x"),
        ("/tmp/evil", 0o100644, b"x"),  # noqa: S108 - the attack
        ("demo/l", 0o120777, b"/etc/passwd"),
        ("demo/l", 0o120777, b"../../evil"),
        ("demo/dev", stat.S_IFCHR | 0o644, b""),
        ("demo/pipe", stat.S_IFIFO | 0o644, b""),
    ],
)
def test_zip_entries_that_leave(name: str, mode: int, content: bytes, taker: Taker, tmp_path: Path) -> None:
    buffer = io.BytesIO()
    with zipfile.ZipFile(buffer, "w") as archive:
        archive.writestr(zipfile.ZipInfo("demo/a"), b"")
        info = zipfile.ZipInfo(name)
        info.external_attr = mode << 16
        archive.writestr(info, content)
    taker.archive = buffer.getvalue()
    with pytest.raises(SourceUnsafeError):
        taker(pin_of(taker.archive))
    assert outside(tmp_path) == []


def test_encrypted_zip(taker: Taker) -> None:
    buffer = io.BytesIO()
    with zipfile.ZipFile(buffer, "w") as archive:
        archive.writestr("demo/a", b"secret")
    data = bytearray(buffer.getvalue())
    for signature, offset in ((b"PK\x03\x04", 6), (b"PK\x01\x02", 8)):
        data[data.index(signature) + offset] |= 1
    taker.archive = bytes(data)
    with pytest.raises(SourceUnsafeError, match="encrypted"):
        taker(pin_of(taker.archive))


def test_setuid_and_world_writable_bits_do_not_survive(taker: Taker) -> None:
    def bits(member: tarfile.TarInfo) -> None:
        member.mode = 0o6777

    taker.archive = tar_of(("demo/suid", b"x"), change=bits)
    snapshot = taker(pin_of(taker.archive))
    assert (taker.unpacked(snapshot) / "suid").stat().st_mode & 0o7777 == 0o755


def test_times_far_away_are_clamped(taker: Taker) -> None:
    def future(member: tarfile.TarInfo) -> None:
        member.mtime = WHEN * 1000

    taker.archive = tar_of(("demo/a", b"x"), change=future)
    assert taker(pin_of(taker.archive)).epoch < 2**33
