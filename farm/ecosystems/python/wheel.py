"""Write a wheel canonically: the same content gives the same bytes, whoever packed it first.

Entries sorted with .dist-info last and RECORD at the very end (as the binary distribution format recommends), one
time, modes 644 or 755, no folders, no extra fields, one deflate level, RECORD rebuilt. Content streams from archive to
archive.
"""

from __future__ import annotations

import hashlib
import time
import zipfile
import zlib
from typing import TYPE_CHECKING

from farm.ecosystems.python.archive import read_all, stream
from farm.ecosystems.python.record import encode_digest, read_record, write_record
from farm.errors import GuardError
from farm.model.base import CHUNK

if TYPE_CHECKING:
    from collections.abc import Iterable, Iterator, Mapping
    from pathlib import Path
    from typing import BinaryIO

    from farm.ecosystems.python.archive import Entry

__all__ = ["COMPRESSOR", "differences", "write_canonical"]

_MODE_PLAIN, _MODE_EXECUTABLE, _REGULAR = 0o644, 0o755, 0o100000
_EXECUTABLE_BITS = 0o111
_UNIX = 3
_Stamp = tuple[int, int, int, int, int, int]
_OLDEST = 315532800
"""1980-01-01, the first time that a zip can hold."""

COMPRESSOR = f"zlib {zlib.ZLIB_RUNTIME_VERSION}, default level"
"""What packed the bytes: another zlib may pack the same content differently, so the evidence names it."""


def write_canonical(
    source: BinaryIO,
    entries: tuple[Entry, ...],
    target: Path,
    *,
    dist_info: str,
    epoch: int,
    replaced: Mapping[str, bytes] | None = None,
    label: str,
) -> None:
    """Write the wheel `source` to `target`.

    Args:
        source: the open wheel, guarded before.
        entries: its directory, as the guards read it.
        target: file to write.
        dist_info: name of its .dist-info folder.
        epoch: time of all entries, seconds since 1970.
        replaced: further or other content by path.
        label: what to call the wheel in errors.

    Raises:
        UnsafeArchiveError: damaged or lying data.
        GuardError: content for a path that is a folder in the wheel.
    """
    own = f"{dist_info}/RECORD"
    files = {entry.name: entry for entry in entries if not entry.folder}
    extra = dict(replaced or {})
    taken = {own, *(entry.name.rstrip("/") for entry in entries if entry.folder)}
    if clash := sorted(taken & extra.keys()):
        raise GuardError(f"{label}: {clash[0]} cannot be written")
    stamp = _stamp(epoch)
    rows: list[tuple[str, str, int]] = []
    with zipfile.ZipFile(target, "x", zipfile.ZIP_DEFLATED, allowZip64=False) as out:
        for name in _order({*files, *extra} - {own}, dist_info):
            mode = _mode(files.get(name))
            content = _chunks(extra[name]) if name in extra else stream(source, files[name], label)
            rows.append((name, *_write(out, _header(name, mode, stamp), content)))
        record = write_record(rows, own)
        _write(out, _header(own, _MODE_PLAIN, stamp), _chunks(record))


def differences(
    source: BinaryIO, entries: tuple[Entry, ...], *, dist_info: str, epoch: int, label: str
) -> tuple[str, ...]:
    """Return in words how a wheel differs from its canonical form, content apart; nothing when it is canonical."""
    own = f"{dist_info}/RECORD"
    files = [entry for entry in entries if not entry.folder]
    names = [*_order({entry.name for entry in files} - {own}, dist_info), own]
    record = read_all(source, next(entry for entry in files if entry.name == own), label)
    rows = read_record(record, own, label)
    stamp = _dos(_stamp(epoch))
    found = {
        "order": [entry.name for entry in files] != names,
        "times": any(entry.time != stamp for entry in files),
        "modes": any(entry.mode != _mode(entry) for entry in files),
        "folders": len(files) != len(entries),
        "extra fields": any(entry.extra for entry in files),
        "stored entries": any(not entry.deflated for entry in files),
        "RECORD": record != write_record([(name, *rows[name]) for name in names[:-1]], own),
    }
    return tuple(word for word, differs in found.items() if differs)


def _order(names: set[str], dist_info: str) -> list[str]:
    return sorted(names, key=lambda name: (name.startswith(f"{dist_info}/"), name))


def _stamp(epoch: int) -> _Stamp:
    moment = time.gmtime(max(epoch, _OLDEST))
    # A zip counts in steps of two seconds.
    return (moment.tm_year, moment.tm_mon, moment.tm_mday, moment.tm_hour, moment.tm_min, min(moment.tm_sec, 59) & ~1)


def _dos(stamp: _Stamp) -> int:
    year, month, day, hour, minute, second = stamp
    return ((year - 1980) << 9 | month << 5 | day) << 16 | hour << 11 | minute << 5 | second // 2


def _write(out: zipfile.ZipFile, header: zipfile.ZipInfo, content: Iterable[bytes]) -> tuple[str, int]:
    hasher, size = hashlib.sha256(), 0
    with out.open(header, "w") as entry:
        for chunk in content:
            hasher.update(chunk)
            size += len(chunk)
            entry.write(chunk)
    return encode_digest(hasher.digest()), size


def _header(name: str, mode: int, stamp: _Stamp) -> zipfile.ZipInfo:
    header = zipfile.ZipInfo(name, stamp)
    header.create_system = _UNIX
    header.compress_type = zipfile.ZIP_DEFLATED
    header.external_attr = (_REGULAR | mode) << 16
    return header


def _mode(entry: Entry | None) -> int:
    return _MODE_EXECUTABLE if entry is not None and entry.mode & _EXECUTABLE_BITS else _MODE_PLAIN


def _chunks(data: bytes) -> Iterator[bytes]:
    for start in range(0, len(data), CHUNK):
        yield data[start : start + CHUNK]
