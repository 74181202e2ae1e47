"""Wheels whose zip is an attack: each must be refused before anything of it is unpacked."""

from __future__ import annotations

import io
import struct
import zipfile
from typing import TYPE_CHECKING

import pytest

from farm.ecosystems.python.archive import read_all, read_directory
from farm.ecosystems.python.guards import guard_wheel
from farm.errors import UnsafeArchiveError
from tests.fixtures_python import plan_of, wheel_files, write_wheel

if TYPE_CHECKING:
    from pathlib import Path


@pytest.mark.parametrize(
    "name",
    [
        "../evil.py",
        "sample/../../evil.py",
        "/etc/evil.py",
        "sample\\..\\evil.py",
        "C:/evil.py",
        "sample//evil.py",
        "./evil.py",
        "sample/evil\n.py",
        "sample/\u202egnp.py",
    ],
)
def test_names_that_leave_the_folder_or_deceive(tmp_path: Path, name: str) -> None:
    files = {name: b"evil", **wheel_files()}
    path = write_wheel(tmp_path, files)
    with pytest.raises(UnsafeArchiveError):
        guard_wheel(path, plan_of("sample", "1.0"))


def test_a_nul_in_a_name(tmp_path: Path) -> None:
    path = write_wheel(tmp_path, {"sample/evilX.py": b"evil", **wheel_files()})
    path.write_bytes(path.read_bytes().replace(b"evilX.py", b"evil\0.py"))
    with pytest.raises(UnsafeArchiveError):
        guard_wheel(path, plan_of("sample", "1.0"))


@pytest.mark.parametrize("mode", [0o120777, 0o020644, 0o010644, 0o060644, 0o140644])
def test_links_and_devices(tmp_path: Path, mode: int) -> None:
    path = tmp_path / "sample-1.0-py3-none-any.whl"
    with zipfile.ZipFile(path, "w") as out:
        for name, data in wheel_files().items():
            out.writestr(name, data)
        link = zipfile.ZipInfo("sample/link")
        link.create_system = 3
        link.external_attr = mode << 16
        out.writestr(link, "/etc/passwd")
    with pytest.raises(UnsafeArchiveError, match="no regular file"):
        guard_wheel(path, plan_of("sample", "1.0"))


@pytest.mark.parametrize(
    "second", ["sample/__init__.py", "Sample/__INIT__.py", "sample/__init__.py/x", "\u017fample/__init__.py"]
)
@pytest.mark.filterwarnings("ignore:Duplicate name")
def test_two_names_for_one_file(tmp_path: Path, second: str) -> None:
    path = write_wheel(tmp_path, wheel_files())
    with zipfile.ZipFile(path, "a") as out:
        out.writestr(second, b"evil")
    with pytest.raises(UnsafeArchiveError, match=r"two entries of one name|file and a folder"):
        guard_wheel(path, plan_of("sample", "1.0"))


def test_data_before_between_and_after(tmp_path: Path) -> None:
    good = write_wheel(tmp_path, wheel_files()).read_bytes()
    bad = tmp_path / "bad" / "sample-1.0-py3-none-any.whl"
    bad.parent.mkdir()
    for data in (b"#!/bin/sh\n" + good, good + b"tail", good + good):
        bad.write_bytes(data)
        with pytest.raises(UnsafeArchiveError):
            guard_wheel(bad, plan_of("sample", "1.0"))


def test_a_comment_that_could_hold_another_archive(tmp_path: Path) -> None:
    path = write_wheel(tmp_path, wheel_files())
    with zipfile.ZipFile(path, "a") as out:
        out.comment = b"PK\5\6" + bytes(18)
    with pytest.raises(UnsafeArchiveError):
        guard_wheel(path, plan_of("sample", "1.0"))


def test_an_entry_that_the_directory_does_not_list(tmp_path: Path) -> None:
    files = wheel_files()
    hidden, shown = io.BytesIO(), io.BytesIO()
    with zipfile.ZipFile(hidden, "w") as out:
        out.writestr("hidden.py", "evil")
    with zipfile.ZipFile(shown, "w") as out:
        for name, data in files.items():
            out.writestr(name, data)
    local = hidden.getvalue()[: hidden.getvalue().index(b"PK\1\2")]
    path = tmp_path / "sample-1.0-py3-none-any.whl"
    path.write_bytes(local + shown.getvalue())
    assert "hidden.py" not in zipfile.ZipFile(path).namelist()
    with pytest.raises(UnsafeArchiveError):
        guard_wheel(path, plan_of("sample", "1.0"))


def test_a_local_name_that_differs_from_the_central_one(tmp_path: Path) -> None:
    path = write_wheel(tmp_path, wheel_files())
    data = path.read_bytes()
    path.write_bytes(data.replace(b"sample/__init__.py", b"sample/__evil__.py", 1))
    with pytest.raises(UnsafeArchiveError, match="different things"):
        guard_wheel(path, plan_of("sample", "1.0"))


def test_an_encrypted_entry(tmp_path: Path) -> None:
    path = write_wheel(tmp_path, wheel_files())
    data = bytearray(path.read_bytes())
    struct.pack_into("<H", data, data.index(b"PK\1\2") + 8, 1)
    path.write_bytes(bytes(data))
    with pytest.raises(UnsafeArchiveError, match="encrypted"):
        guard_wheel(path, plan_of("sample", "1.0"))


@pytest.mark.parametrize("method", [zipfile.ZIP_BZIP2, zipfile.ZIP_LZMA])
def test_a_method_that_installers_need_not_know(tmp_path: Path, method: int) -> None:
    path = tmp_path / "sample-1.0-py3-none-any.whl"
    with zipfile.ZipFile(path, "w", method) as out:
        for name, data in wheel_files().items():
            out.writestr(name, data)
    with pytest.raises(UnsafeArchiveError, match="method"):
        guard_wheel(path, plan_of("sample", "1.0"))


def test_a_zip_bomb(tmp_path: Path) -> None:
    files = wheel_files(files={"sample/zeros": bytes(64 * 1024 * 1024)})
    path = write_wheel(tmp_path, files)
    with pytest.raises(UnsafeArchiveError, match="zip bomb"):
        guard_wheel(path, plan_of("sample", "1.0"))


def test_a_size_that_lies() -> None:
    buffer = io.BytesIO()
    with zipfile.ZipFile(buffer, "w", zipfile.ZIP_DEFLATED) as out:
        out.writestr("a", b"x" * 1000)
    data = bytearray(buffer.getvalue())
    for magic, offset in ((b"PK\3\4", 22), (b"PK\1\2", 24)):
        struct.pack_into("<L", data, data.index(magic) + offset, 10)
    file = io.BytesIO(bytes(data))
    (entry,) = read_directory(file, "x")
    with pytest.raises(UnsafeArchiveError):
        read_all(file, entry, "x")
