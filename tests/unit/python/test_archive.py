from __future__ import annotations

import io
import zipfile
import zlib

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from farm.ecosystems.python.archive import Limit, read_all, read_directory, stream
from farm.errors import UnsafeArchiveError
from farm.model.base import CHUNK

NAMES = st.from_regex(r"[a-z]{1,8}(/[a-z]{1,8}){0,3}", fullmatch=True)


def packed(files: dict[str, bytes], method: int = zipfile.ZIP_DEFLATED) -> io.BytesIO:
    buffer = io.BytesIO()
    with zipfile.ZipFile(buffer, "w", method) as out:
        for name, data in files.items():
            out.writestr(name, data)
    return buffer


class Pipe(io.BytesIO):
    """What cannot be rewound makes zipfile write data descriptors."""

    def seekable(self) -> bool:
        return False

    def seek(self, *_: object) -> int:
        raise io.UnsupportedOperation

    def tell(self) -> int:
        raise io.UnsupportedOperation


def streamed(files: dict[str, bytes]) -> io.BytesIO:
    pipe = Pipe()
    with zipfile.ZipFile(pipe, "w", zipfile.ZIP_DEFLATED) as out:
        for name, data in files.items():
            out.writestr(name, data)
    return io.BytesIO(pipe.getvalue())


def content(file: io.BytesIO) -> dict[str, bytes]:
    return {entry.name: read_all(file, entry, "x") for entry in read_directory(file, "x")}


@settings(deadline=None)
@given(st.dictionaries(NAMES, st.binary(max_size=2000), max_size=8), st.booleans())
def test_what_zipfile_writes_is_read_back(files: dict[str, bytes], stored: bool) -> None:  # noqa: FBT001 - drawn
    names = set(files)
    if any(one.startswith(f"{other}/") for one in names for other in names):
        return
    file = packed(files, zipfile.ZIP_STORED if stored else zipfile.ZIP_DEFLATED)
    assert content(file) == files


def test_data_descriptors_and_zip64_local_fields_are_understood() -> None:
    files = {"a/b.py": b"x" * 5000, "c": b""}
    assert content(streamed(files)) == files
    buffer = io.BytesIO()
    with zipfile.ZipFile(buffer, "w") as out, out.open(zipfile.ZipInfo("big"), "w", force_zip64=True) as entry:
        entry.write(b"small")
    assert content(buffer) == {"big": b"small"}


def test_a_large_entry_streams_in_chunks() -> None:
    data = bytes(range(256)) * 4096 * 5
    file = packed({"large": data})
    (entry,) = read_directory(file, "x")
    chunks = list(stream(file, entry, "x"))
    assert b"".join(chunks) == data
    assert max(map(len, chunks)) <= CHUNK


@settings(deadline=None)
@given(st.binary(max_size=300))
def test_random_bytes_are_refused_cleanly(data: bytes) -> None:
    with pytest.raises(UnsafeArchiveError):
        read_directory(io.BytesIO(data), "x")


@settings(deadline=None)
@given(st.data())
def test_a_flipped_byte_never_passes_as_other_content(data: st.DataObject) -> None:
    files = {"a.py": b"print(1)\n" * 20, "b/c.txt": zlib.compress(b"noise" * 50)}
    raw = bytearray(packed(files).getvalue())
    position = data.draw(st.integers(0, len(raw) - 1))
    raw[position] ^= data.draw(st.integers(1, 255))
    try:
        found = content(io.BytesIO(bytes(raw)))
    except UnsafeArchiveError:
        return
    # What passes differs in words that decide nothing (times, modes, versions needed).
    assert found == files


def test_limits_are_limits() -> None:
    file = packed({f"f{number}": b"x" for number in range(5)})
    with pytest.raises(UnsafeArchiveError, match="more than 3 entries"):
        read_directory(file, "x", Limit(entries=3))
    with pytest.raises(UnsafeArchiveError, match="at most 2 are allowed"):
        read_directory(file, "x", Limit(total=2))
    bomb = packed({"zeros": bytes(1_000_000)})
    with pytest.raises(UnsafeArchiveError, match="zip bomb"):
        read_directory(bomb, "x", Limit(ratio_from=1000))
