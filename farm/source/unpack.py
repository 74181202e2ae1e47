"""Unpacking an archive that nobody vouches for: tar (plain, gzip, bzip2, xz) and zip, into an empty folder.

Stricter than `tarfile.data_filter`, which later patch releases of Python 3.11 have and earlier ones have not; the rules
are those of `Filler`.
"""

from __future__ import annotations

import bz2
import calendar
import errno
import gzip
import io
import lzma
import os
import stat
import tarfile
import tempfile
import zipfile
import zlib
from contextlib import contextmanager
from typing import TYPE_CHECKING, BinaryIO

from farm.errors import SourceUnsafeError
from farm.model.base import CHUNK
from farm.source.fill import Filler
from farm.source.safety import CAPS, Caps

if TYPE_CHECKING:
    from collections.abc import Iterator
    from pathlib import Path

__all__ = ["Bounded", "unpack"]

_MAGIC_ZIP = b"PK\x03\x04"
_MAGIC_GZIP = b"\x1f\x8b"
_MAGIC_BZIP2 = b"BZh"
_MAGIC_XZ = b"\xfd7zXZ\x00"

_UNREADABLE = (tarfile.TarError, zipfile.BadZipFile, zlib.error, lzma.LZMAError, EOFError, NotImplementedError)
"""What the readers of the standard library raise for broken or unknown content (besides OSError and ValueError)."""
_NAME_ERRORS = frozenset({errno.ENAMETOOLONG, errno.EEXIST, errno.ENOTDIR, errno.EISDIR, errno.EINVAL, errno.ELOOP})


def unpack(archive: Path, folder: Path, *, name: str = "", caps: Caps = CAPS) -> int:
    """Unpack `archive` into the empty `folder`.

    Args:
        archive: the file; its kind is seen from its content.
        folder: an existing empty folder.
        name: what errors call the archive; default: its file name.
        caps: what is taken at most.

    Returns:
        The newest modification time of a file in the archive, in seconds (0 when it has none).

    Raises:
        SourceUnsafeError: entries that are absolute, leave the tree, are devices or pipes, come twice, or lie below a
            link; encrypted or unreadable content; more than `caps`.
    """
    shown = name or archive.name
    target = Filler(folder, shown, caps)
    try:
        with archive.open("rb") as stream:
            magic = stream.read(8)
            stream.seek(0)
            if magic.startswith(_MAGIC_ZIP):
                _unpack_zip(stream, target)
            else:
                with _plain(stream, magic, target) as plain:
                    _unpack_tar(plain, target)
        target.finish()
    except _UNREADABLE as error:
        msg = f"{shown}: the archive cannot be read: {error}"
        raise SourceUnsafeError(msg) from error
    except OSError as error:
        if isinstance(error, gzip.BadGzipFile) or error.errno is None or error.errno in _NAME_ERRORS:
            msg = f"{shown}: the archive cannot be unpacked: {error.strerror or error}"
            raise SourceUnsafeError(msg) from error
        raise
    return target.newest


def _unpack_tar(stream: BinaryIO, target: Filler) -> None:
    bounded = Bounded(stream, target)
    with tarfile.open(fileobj=bounded, mode="r:", errors="surrogateescape") as tar:
        for member in tar:
            if member.name in {".", "./", ""} and member.isdir():
                continue
            name = target.count(member.name)
            if member.isdir():
                target.add_folder(name)
            elif member.issym():
                target.add_link(name, member.linkname, member.mtime)
            elif member.islnk():
                target.add_hard_link(name, member.linkname, member.mtime)
            elif member.isreg() and not member.issparse():
                content = tar.extractfile(member)
                if content is None:
                    raise target.refuse(f"the entry {name!r} has no content")
                with content:
                    target.add_file(name, content, member.mtime, executable=bool(member.mode & stat.S_IXUSR))
            else:
                raise target.refuse(f"the entry {name!r} is neither file, folder nor link")


def _unpack_zip(stream: BinaryIO, target: Filler) -> None:
    with zipfile.ZipFile(stream) as archive:
        for member in archive.infolist():
            name = target.count(member.filename)
            encrypted = 0x1
            if member.flag_bits & encrypted:
                raise target.refuse(f"the entry {name!r} is encrypted")
            kind = stat.S_IFMT(member.external_attr >> 16)
            # A time of day without a zone: taken as UTC, so that it is the same everywhere.
            modified = calendar.timegm((*member.date_time, 0, 0, 0))
            if member.is_dir():
                target.add_folder(name)
            elif kind == stat.S_IFLNK:
                with archive.open(member) as content:
                    text = content.read(target.caps.metadata_bytes)
                target.add_link(name, os.fsdecode(text), modified)
            elif kind in {0, stat.S_IFREG}:
                with archive.open(member) as content:
                    executable = bool((member.external_attr >> 16) & stat.S_IXUSR)
                    target.add_file(name, content, modified, executable=executable)
            else:
                raise target.refuse(f"the entry {name!r} is neither file, folder nor link")


@contextmanager
def _plain(stream: BinaryIO, magic: bytes, target: Filler) -> Iterator[BinaryIO]:
    """Give the archive without its compression.

    It is a file on disk, since `tarfile` goes back a byte at times: a compressed stream would begin again each time.
    """
    reader = _decompressor(stream, magic)
    if reader is None:
        yield stream
        return
    most = target.caps.tree_bytes + target.caps.entries * 2 * tarfile.BLOCKSIZE
    size = 0
    with reader, tempfile.TemporaryFile(dir=target.folder.parent) as output:
        while chunk := reader.read(CHUNK):
            size += len(chunk)
            if size > most:
                raise target.refuse(f"it unpacks to more than {target.caps.tree_bytes} bytes")
            output.write(chunk)
        output.seek(0)
        yield output


def _decompressor(stream: BinaryIO, magic: bytes) -> gzip.GzipFile | bz2.BZ2File | lzma.LZMAFile | None:
    if magic.startswith(_MAGIC_GZIP):
        return gzip.GzipFile(fileobj=stream)
    if magic.startswith(_MAGIC_BZIP2):
        return bz2.BZ2File(stream)
    if magic.startswith(_MAGIC_XZ):
        return lzma.LZMAFile(stream)
    return None


class Bounded(io.RawIOBase):
    """A reader for `tarfile`, which reads long names and PAX headers at once, at whatever length the archive says."""

    def __init__(self, stream: BinaryIO, target: Filler) -> None:
        super().__init__()
        self.stream = stream
        self.target = target

    def read(self, size: int = -1) -> bytes:
        """Return up to `size` bytes; refuse to read more at once than a header may have."""
        if size < 0 or size > max(self.target.caps.metadata_bytes, CHUNK):
            raise self.target.refuse(f"a header of {size} bytes")
        return self.stream.read(size)

    def seek(self, offset: int, whence: int = io.SEEK_SET) -> int:
        """Go to a place."""
        return self.stream.seek(offset, whence)

    def tell(self) -> int:
        """Return the place."""
        return self.stream.tell()
