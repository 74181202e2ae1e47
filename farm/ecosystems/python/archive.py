"""Read a wheel's zip strictly: one way to understand it, or an error.

Zip readers disagree about odd archives (two directories, gaps, local names that differ from the central ones, sizes
that lie), and an attacker lives in the disagreement: what farm inspects must be what every installer unpacks. So the
entries must tile the file without a gap, both headers must say the same, and every stream must end where its header
says. PKWARE APPNOTE 6.3; wheels need neither zip64 nor comments.
"""

from __future__ import annotations

import stat
import struct
import unicodedata
import zlib
from dataclasses import dataclass, replace
from typing import TYPE_CHECKING, BinaryIO

from farm.errors import UnsafeArchiveError
from farm.model.base import CHUNK

if TYPE_CHECKING:
    from collections.abc import Iterator

__all__ = ["Entry", "Limit", "read_all", "read_directory", "stream"]

_END = struct.Struct("<4s4H2LH")
_CENTRAL = struct.Struct("<4s6H3L5H2L")
_LOCAL = struct.Struct("<4s5H3L2H")
_ZIP64 = struct.Struct("<QQ")
_ZIP64_MARK = 0xFFFFFFFF
_END_MAGIC, _CENTRAL_MAGIC, _LOCAL_MAGIC, _DESCRIPTOR_MAGIC = b"PK\5\6", b"PK\1\2", b"PK\3\4", b"PK\7\x08"
_STORED, _DEFLATED = 0, 8
_FLAG_DESCRIPTOR, _FLAG_UTF8 = 0x0008, 0x0800
_FLAGS_ALLOWED = 0x0006 | _FLAG_DESCRIPTOR | _FLAG_UTF8
"""Deflate's level bits, data descriptor, UTF-8 names; everything else is encryption or patch data."""
_UNIX = 3
_MAX_NAME = 1024


@dataclass(frozen=True)
class Limit:
    """What an archive may hold. The defaults are beyond any wheel that is built from source in a sandbox."""

    entries: int = 60_000
    total: int = 2_000_000_000
    directory: int = 64 * 1024**2
    ratio: int = 200
    ratio_from: int = 16 * 1024**2
    """Unpacked size from which the ratio counts: small files of zeros are no bomb."""


@dataclass(frozen=True)
class Entry:
    """One file of the archive."""

    name: str
    size: int
    packed: int
    crc: int
    method: int
    mode: int
    """Unix permission bits, 0 when the writer gave none."""
    folder: bool
    time: int
    """DOS date and time, as in the header."""
    extra: bool
    """Whether the headers carry extra fields."""
    offset: int
    """Of the local header."""
    data: int
    """Of the first packed byte."""

    @property
    def deflated(self) -> bool:
        """Whether the content is compressed."""
        return self.method == _DEFLATED


def read_directory(file: BinaryIO, label: str, limit: Limit | None = None) -> tuple[Entry, ...]:
    """Read and check the structure of the zip in `file` (seekable): headers, names, sizes; no content.

    Returns:
        The entries in the order in which they lie in the file.

    Raises:
        UnsafeArchiveError: anything that readers could understand differently, or that leaves the target folder.
    """
    limit = limit or Limit()
    try:
        listed, start = _central(file, label, limit)
        entries = _laid_out(file, listed, start, label)
    except struct.error as error:
        raise UnsafeArchiveError(f"{label}: damaged zip structure: {error}") from error
    _check_names(entries, label)
    _check_sizes(entries, label, limit)
    return entries


def stream(file: BinaryIO, entry: Entry, label: str) -> Iterator[bytes]:
    """Yield the content of `entry` in chunks; it is exactly as long as stated and its CRC is right, or an error.

    Raises:
        UnsafeArchiveError: damaged or lying data.
    """
    crc = total = 0
    for chunk in _inflate(file, entry, label):
        total += len(chunk)
        if total > entry.size:
            break
        crc = zlib.crc32(chunk, crc)
        yield chunk
    if total != entry.size or crc != entry.crc:
        raise UnsafeArchiveError(f"{label}: {entry.name} does not unpack to what its header says")


def read_all(file: BinaryIO, entry: Entry, label: str, limit: int = 16 * 1024**2) -> bytes:
    """Return the content of a small entry.

    Raises:
        UnsafeArchiveError: larger than `limit`, damaged or lying data.
    """
    if entry.size > limit:
        raise UnsafeArchiveError(f"{label}: {entry.name} has {entry.size} bytes, at most {limit} are read")
    return b"".join(stream(file, entry, label))


def _inflate(file: BinaryIO, entry: Entry, label: str) -> Iterator[bytes]:
    file.seek(entry.data)
    left = entry.packed
    if entry.method == _STORED:
        while left and (chunk := file.read(min(CHUNK, left))):
            left -= len(chunk)
            yield chunk
        return
    inflater = zlib.decompressobj(-zlib.MAX_WBITS)
    try:
        while left and (packed := file.read(min(CHUNK, left))):
            left -= len(packed)
            while packed and not inflater.eof:
                # Never more than one chunk at a time in memory, however well it was packed.
                yield inflater.decompress(packed, CHUNK)
                packed = inflater.unconsumed_tail
        while not inflater.eof and (rest := inflater.decompress(inflater.unconsumed_tail, CHUNK)):
            yield rest
    except zlib.error as error:
        raise UnsafeArchiveError(f"{label}: {entry.name} cannot be unpacked: {error}") from error
    if left or inflater.unused_data or not inflater.eof:
        raise UnsafeArchiveError(f"{label}: {entry.name} does not end where its header says")


def _central(file: BinaryIO, label: str, limit: Limit) -> tuple[list[Entry], int]:
    size = file.seek(0, 2)
    if size < _END.size:
        raise UnsafeArchiveError(f"{label}: no zip archive")
    file.seek(size - _END.size)
    magic, disk, start_disk, here, count, length, start, comment = _END.unpack(file.read(_END.size))
    if magic != _END_MAGIC or comment:
        raise UnsafeArchiveError(f"{label}: no zip archive, or data after its end")
    if disk or start_disk or here != count or start + length != size - _END.size:
        raise UnsafeArchiveError(f"{label}: its zip directory does not lie where its end record says")
    if count > limit.entries or length > limit.directory:
        raise UnsafeArchiveError(f"{label}: more than {limit.entries} entries, or a zip directory that is too large")
    file.seek(start)
    directory = file.read(length)
    entries: list[Entry] = []
    position = 0
    while position < length:
        entry, position = _central_entry(directory, position, label)
        entries.append(entry)
    if len(entries) != count or position != length:
        raise UnsafeArchiveError(f"{label}: its zip directory does not hold the {count} entries that it states")
    return entries, start


def _central_entry(directory: bytes, position: int, label: str) -> tuple[Entry, int]:
    fields = _CENTRAL.unpack_from(directory, position)
    (magic, made, _, flags, method, clock, date, crc, packed, size) = fields[:10]
    (name_length, extra_length, comment_length, disk, _, attributes, offset) = fields[10:]
    at = position + _CENTRAL.size
    raw = directory[at : at + name_length]
    name = _name(raw, flags, label)
    if magic != _CENTRAL_MAGIC or disk or comment_length:
        raise UnsafeArchiveError(f"{label}: damaged or commented directory entry {name!r}")
    if flags & ~_FLAGS_ALLOWED:
        raise UnsafeArchiveError(f"{label}: {name} is encrypted, patched or of an unknown kind (flags {flags:#06x})")
    if method not in {_STORED, _DEFLATED}:
        raise UnsafeArchiveError(f"{label}: {name} is packed with method {method}; wheels use 0 and 8")
    if _ZIP64_MARK in {packed, size, offset}:
        raise UnsafeArchiveError(f"{label}: {name} is 4 GiB or larger")
    unix = attributes >> 16 if made >> 8 == _UNIX else 0
    folder = name.endswith("/")
    kind = stat.S_IFMT(unix)
    if kind not in {0, stat.S_IFDIR if folder else stat.S_IFREG} or (folder and size):
        raise UnsafeArchiveError(f"{label}: {name} is no regular file (link, device or folder with content)")
    entry = Entry(
        name=name,
        size=size,
        packed=packed,
        crc=crc,
        method=method,
        mode=stat.S_IMODE(unix),
        folder=folder,
        time=date << 16 | clock,
        extra=bool(extra_length),
        offset=offset,
        data=0,
    )
    return entry, at + name_length + extra_length


def _laid_out(file: BinaryIO, listed: list[Entry], start: int, label: str) -> tuple[Entry, ...]:
    """Return the entries in file order; they tile the file from its first byte to the directory at `start`."""
    entries: list[Entry] = []
    position = 0
    for central in sorted(listed, key=lambda e: e.offset):
        if central.offset != position:
            break
        entry, position = _with_data(file, central, label)
        entries.append(entry)
    if position != start or len(entries) != len(listed):
        raise UnsafeArchiveError(f"{label}: data that belongs to no entry, or entries that overlap, at {position}")
    return tuple(entries)


def _name(raw: bytes, flags: int, label: str) -> str:
    try:
        return raw.decode("utf-8" if flags & _FLAG_UTF8 else "ascii")
    except UnicodeDecodeError as error:
        raise UnsafeArchiveError(f"{label}: entry name {raw[:80]!r} is not in the encoding it claims") from error


def _with_data(file: BinaryIO, entry: Entry, label: str) -> tuple[Entry, int]:
    """Hold the local header against the central one.

    Returns:
        The entry with the place of its data, and where the next one must begin.
    """
    file.seek(entry.offset)
    fields = _LOCAL.unpack(file.read(_LOCAL.size))
    (magic, _, flags, method, clock, date, crc, packed, size, name_length, extra_length) = fields
    name = _name(file.read(name_length), flags, label)
    extra = file.read(extra_length)
    if _ZIP64_MARK in {packed, size}:
        size, packed = _zip64_sizes(extra)
    data = entry.offset + _LOCAL.size + name_length + extra_length
    end = data + entry.packed
    if flags & _FLAG_DESCRIPTOR:
        length = _descriptor_length(file, entry, end)
        sizes = length > 0
        end += length
    else:
        sizes = (crc, packed, size) == (entry.crc, entry.packed, entry.size)
    same = (magic, name, method, date << 16 | clock) == (_LOCAL_MAGIC, entry.name, entry.method, entry.time)
    if not same or not sizes:
        raise UnsafeArchiveError(f"{label}: the two headers of {entry.name} (local: {name!r}) say different things")
    return replace(entry, data=data, extra=entry.extra or bool(extra)), end


def _zip64_sizes(extra: bytes) -> tuple[int, int]:
    """Return size and packed size from a zip64 extra field, which some writers put even into small local headers."""
    position = 0
    while position + 4 <= len(extra):
        kind, length = struct.unpack_from("<HH", extra, position)
        if kind == 1 and length >= _ZIP64.size:
            size, packed = _ZIP64.unpack_from(extra, position + 4)
            return size, packed
        position += 4 + length
    return -1, -1


def _descriptor_length(file: BinaryIO, entry: Entry, position: int) -> int:
    """Return the length of the data descriptor at `position`, 0 when there is none with the right values."""
    file.seek(position)
    found = file.read(24)
    for layout in ("<LLL", "<LQQ"):
        plain = struct.pack(layout, entry.crc, entry.packed, entry.size)
        for form in (_DESCRIPTOR_MAGIC + plain, plain):
            if found.startswith(form):
                return len(form)
    return 0


def _check_names(entries: tuple[Entry, ...], label: str) -> None:
    seen: dict[str, str] = {}
    folders: set[str] = set()
    for entry in entries:
        name = entry.name
        _check_name(name, label)
        # Two names that one file system takes for the same overwrite each other when they are unpacked there.
        key = unicodedata.normalize("NFKC", name.rstrip("/")).casefold()
        if key in seen:
            raise UnsafeArchiveError(f"{label}: two entries of one name: {seen[key]!r} and {name!r}")
        seen[key] = name
        folders.update("/".join(key.split("/")[:depth]) for depth in range(1, key.count("/") + 1))
    for key, name in seen.items():
        if key in folders and not name.endswith("/"):
            raise UnsafeArchiveError(f"{label}: {name!r} is a file and a folder")


def _check_name(name: str, label: str) -> None:
    parts = name.removesuffix("/").split("/")
    bad = (
        not name
        or len(name) > _MAX_NAME
        or "\\" in name
        or ":" in parts[0]
        or any(part in {"", ".", ".."} for part in parts)
        or any(unicodedata.category(char) in {"Cc", "Cf", "Cs"} for char in name)
    )
    if bad:
        raise UnsafeArchiveError(
            f"{label}: entry name {name[:200]!r} is absolute, leaves the folder or holds characters that no file needs"
        )


def _check_sizes(entries: tuple[Entry, ...], label: str, limit: Limit) -> None:
    total = sum(entry.size for entry in entries)
    packed = sum(entry.packed for entry in entries)
    if total > limit.total:
        raise UnsafeArchiveError(f"{label}: unpacks to {total} bytes, at most {limit.total} are allowed")
    if total > limit.ratio_from and total > limit.ratio * max(packed, 1):
        raise UnsafeArchiveError(f"{label}: unpacks to {total} bytes from {packed}: a zip bomb")
