"""Git objects out of the tar of a snapshot: what the vault keeps of a git source, read as if git gave it.

Nobody vouches for that tar: whoever reads these objects checks each against its id, from the pinned commit down.
"""

from __future__ import annotations

import re
import tarfile
import zlib
from contextlib import contextmanager
from typing import TYPE_CHECKING, BinaryIO, cast

from farm.errors import SourceUnavailableError
from farm.model.base import CHUNK
from farm.source.gitrun import GitObject
from farm.source.unpack import Bounded

if TYPE_CHECKING:
    from collections.abc import Iterator
    from pathlib import Path

    from farm.source.fill import Filler, Readable

__all__ = ["LooseObjects", "loose_objects"]

_HEADER = re.compile(rb"(blob|tree|commit|tag) (\d{1,18})\0")
_HEADER_SIZE = 32
_REFERENCE_SIZE = 100
_FOLDER = ".git/"


class LooseObjects:
    """Gives the loose objects of a tar (`farm.source.gittree.Objects`)."""

    def __init__(self, tar: tarfile.TarFile, digits: int) -> None:
        self._tar = tar
        self._id = re.compile(rf"[0-9a-f]{{{digits}}}")
        self._members = {m.name: m for m in tar if m.name.startswith(_FOLDER) and m.isreg() and not m.issparse()}

    def open(self, name: str) -> GitObject | None:
        """Return the object called `name` (an id or a reference), None for none."""
        if not self._id.fullmatch(name):
            reference = self._stream(name)
            name = "" if reference is None else reference.read(_REFERENCE_SIZE).decode("ascii", "replace").strip()
        stream = self._stream(f"objects/{name[:2]}/{name[2:]}") if self._id.fullmatch(name) else None
        if stream is None:
            return None
        content = _Inflated(stream)
        header = _HEADER.match(content.peek(_HEADER_SIZE))
        if header is None:
            msg = f"the object {name} of the snapshot has no header"
            raise SourceUnavailableError(msg)
        content.read(header.end())
        return GitObject(name, header[1].decode("ascii"), int(header[2]), content)

    def _stream(self, name: str) -> Readable | None:
        member = self._members.get(_FOLDER + name)
        return None if member is None else self._tar.extractfile(member)


@contextmanager
def loose_objects(tar: Path, digits: int, filler: Filler) -> Iterator[LooseObjects]:
    """Give the objects in the snapshot `tar`.

    Args:
        tar: the file.
        digits: of the ids: 40 or 64.
        filler: its caps hold for the tar too.

    Raises:
        SourceUnavailableError: it cannot be read, at whatever moment.
    """
    try:
        with tar.open("rb") as stream:
            bounded = cast("BinaryIO", Bounded(stream, filler))
            with tarfile.open(fileobj=bounded, mode="r:", errors="surrogateescape") as opened:
                yield LooseObjects(opened, digits)
    except (tarfile.TarError, zlib.error, ValueError, RecursionError) as error:
        msg = f"the snapshot cannot be read: {error}"
        raise SourceUnavailableError(msg) from error


class _Inflated:
    """Reads a zlib stream, never further than asked: a few bytes can stand for very many."""

    def __init__(self, stream: Readable) -> None:
        self._stream = stream
        self._inflater = zlib.decompressobj()
        self._ahead = b""

    def peek(self, size: int) -> bytes:
        """Return up to `size` bytes, which the next `read` gives again."""
        self._ahead = self.read(size)
        return self._ahead

    def read(self, size: int = -1, /) -> bytes:
        """Return `size` bytes, fewer at the end only."""
        if size < 0:
            msg = "an object is read in pieces"
            raise ValueError(msg)
        data, self._ahead = bytearray(self._ahead[:size]), self._ahead[size:]
        while len(data) < size:
            packed = self._inflater.unconsumed_tail or self._stream.read(CHUNK)
            if not packed or self._inflater.eof:
                break
            data += self._inflater.decompress(packed, size - len(data))
        return bytes(data)
