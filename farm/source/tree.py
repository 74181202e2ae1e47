"""A source tree on disk → its entries, its digest, and its deterministic tar.

The digest and the tar depend on nothing but names, kinds, executable bits and contents: not on times, owners, umask or
the order in which a file system lists a folder.
"""

from __future__ import annotations

import hashlib
import os
import stat
import tarfile
from dataclasses import dataclass
from pathlib import Path
from typing import TYPE_CHECKING, Literal

from farm.errors import SourceUnsafeError
from farm.model.base import sha256_bytes, sha256_file
from farm.source.safety import CAPS, Caps

if TYPE_CHECKING:
    from collections.abc import Iterable, Iterator

__all__ = ["Entry", "scan", "tree_digest", "write_tar"]

_EXECUTABLE = 0o755
_PLAIN = 0o644
_MAX_LINKS = 40
"""Links on the way of a link, as Linux counts them (path_resolution(7))."""


@dataclass(frozen=True)
class Entry:
    """One file or symbolic link of a tree."""

    path: str
    """Relative, POSIX; bytes that are not UTF-8 as surrogates (os.fsdecode)."""
    kind: Literal["file", "link"]
    mode: int
    """0o755 or 0o644; of links always 0o777."""
    sha256: str
    """Of the content; of links of the target's text."""
    size: int


def scan(root: Path, *, skip_git: bool = False, caps: Caps = CAPS) -> tuple[Entry, ...]:
    """Read the tree at `root` and return its entries, sorted by path bytes. Empty folders are no entries.

    Args:
        root: the folder.
        skip_git: pass over `.git` at the top (farm's own, of git sources).
        caps: what is taken at most.

    Raises:
        SourceUnsafeError: devices, sockets, pipes; links that are absolute or leave the tree; more than `caps`.
    """
    entries: list[Entry] = []
    total = 0
    for path, relative in _walk(root, skip_git=skip_git):
        status = path.lstat()
        if stat.S_ISLNK(status.st_mode):
            entries.append(_link(path, relative, root))
        elif stat.S_ISREG(status.st_mode):
            total += status.st_size
            if total > caps.tree_bytes:
                msg = f"the source tree is larger than {caps.tree_bytes} bytes"
                raise SourceUnsafeError(msg)
            blob = sha256_file(path)
            mode = _EXECUTABLE if status.st_mode & stat.S_IXUSR else _PLAIN
            entries.append(Entry(relative, "file", mode, blob.sha256, blob.size))
        else:
            msg = f"the source tree holds {relative!r}, which is neither file, folder nor link"
            raise SourceUnsafeError(msg)
        if len(entries) > caps.entries:
            msg = f"the source tree holds more than {caps.entries} entries"
            raise SourceUnsafeError(msg)
    return tuple(sorted(entries, key=_by_path))


def tree_digest(entries: Iterable[Entry]) -> str:
    """Return the SHA-256 (hex) over the entries, in whatever order they come.

    It is over the lines `kind mode sha256 path NUL`, sorted by the bytes of the path; mode in octal.
    """
    hasher = hashlib.sha256()
    for entry in sorted(entries, key=_by_path):
        hasher.update(f"{entry.kind} {entry.mode:o} {entry.sha256} ".encode("ascii"))
        hasher.update(os.fsencode(entry.path) + b"\0")
    return hasher.hexdigest()


def write_tar(root: Path, entries: Iterable[Entry], epoch: int, target: Path) -> None:
    """Write the files of `root` that `entries` name, and the folders around them, to `target` as an uncompressed tar.

    Sorted, every time is `epoch`, owner 0 without names, modes 755 and 644: the same tree gives the same bytes. Files
    stream. (GNU format: one header form for long and non-UTF-8 names, without time stamps of its own.)
    """
    done: set[str] = set()
    # Sorted by parts, so that a folder comes right before what is in it.
    ordered = sorted(entries, key=lambda entry: os.fsencode(entry.path).split(b"/"))
    with tarfile.open(target, "w", format=tarfile.GNU_FORMAT, encoding="utf-8", errors="surrogateescape") as tar:
        for entry in ordered:
            for folder in _folders(entry.path):
                if folder not in done:
                    done.add(folder)
                    tar.addfile(_header(folder, epoch, tarfile.DIRTYPE, _EXECUTABLE))
            if entry.kind == "link":
                header = _header(entry.path, epoch, tarfile.SYMTYPE, 0o777)
                header.linkname = _target(root / entry.path)
                tar.addfile(header)
            else:
                header = _header(entry.path, epoch, tarfile.REGTYPE, entry.mode)
                header.size = entry.size
                with (root / entry.path).open("rb") as stream:
                    tar.addfile(header, stream)


def _header(name: str, epoch: int, kind: bytes, mode: int) -> tarfile.TarInfo:
    header = tarfile.TarInfo(name)
    header.type, header.mode, header.mtime = kind, mode, epoch
    return header


def _folders(path: str) -> Iterator[str]:
    parts = path.split("/")[:-1]
    for end in range(1, len(parts) + 1):
        yield "/".join(parts[:end])


def _by_path(entry: Entry) -> bytes:
    return os.fsencode(entry.path)


def _walk(root: Path, *, skip_git: bool) -> Iterator[tuple[Path, str]]:
    """Yield everything below `root` that is no folder, links not followed."""
    pending: list[tuple[Path, str]] = [(root, "")]
    while pending:
        folder, prefix = pending.pop()
        with os.scandir(folder) as found:
            for item in found:
                if skip_git and not prefix and item.name == ".git":
                    continue
                if item.is_dir(follow_symlinks=False):
                    pending.append((Path(item.path), f"{prefix}{item.name}/"))
                else:
                    yield Path(item.path), f"{prefix}{item.name}"


def _link(path: Path, relative: str, root: Path) -> Entry:
    target = _target(path)
    if not _stays_inside(root, relative, target):
        msg = f"the link {relative!r} leaves the source tree: it points to {target!r}"
        raise SourceUnsafeError(msg)
    data = os.fsencode(target)
    return Entry(relative, "link", 0o777, sha256_bytes(data), len(data))


def _stays_inside(root: Path, relative: str, target: str) -> bool:
    """Walk where a link leads, through other links, and return whether no step is above the root.

    The end alone does not count: `../name/file` comes back here, where the folder is called so, and nowhere else.
    A link to nothing is fine.
    """
    place = relative.split("/")[:-1]
    pending = list(reversed(target.split("/")))
    followed = 0
    if target.startswith("/"):
        return False
    while pending:
        part = pending.pop()
        if part in {"", "."}:
            continue
        if part == "..":
            if not place:
                return False
            place.pop()
            continue
        place.append(part)
        here = root.joinpath(*place)
        if here.is_symlink():
            followed += 1
            text = _target(here)
            if followed > _MAX_LINKS or text.startswith("/"):
                return False
            place.pop()
            pending.extend(reversed(text.split("/")))
    return True


def _target(path: Path) -> str:
    return os.readlink(path)  # noqa: PTH115 - Path.readlink() changes the text (`./x` becomes `x`)
