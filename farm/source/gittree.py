"""The tree of a commit → files on disk, object by object, counted as they come (few trees can name many files)."""

from __future__ import annotations

import os
import re
from dataclasses import dataclass
from typing import TYPE_CHECKING, Protocol

from farm.errors import SourceUnavailableError, SourceUnsafeError
from farm.source.gitstate import IndexEntry, ObjectCopy

if TYPE_CHECKING:
    from farm.source.fill import Filler
    from farm.source.gitrun import GitObject
    from farm.source.gitstate import GitFolder

__all__ = ["GITLINK", "Commit", "Objects", "fill_tree", "read_commit", "read_object"]

TREE = 0o040000
LINK = 0o120000
GITLINK = 0o160000
"""Mode of a submodule."""
_EXECUTABLE = 0o100755
_MODES = {0o100644: 0o100644, 0o100664: 0o100644, _EXECUTABLE: _EXECUTABLE}
"""Modes of files in trees (group-writable ones are old) → as git has them today."""
_SMALL = 16 * 1024 * 1024
"""Bytes of a tree, commit, tag or link target: read at once."""


class Objects(Protocol):
    """Where objects come from: git, or the snapshot that was made of what git gave. Neither is believed."""

    def open(self, name: str) -> GitObject | None:
        """Return the object called `name` (an id or a reference), None for none. Ends the one opened before."""
        ...


@dataclass(frozen=True)
class Commit:
    """What farm needs to know of a commit."""

    tree: str
    has_parents: bool
    time: int
    """When it was committed, in seconds."""


def read_commit(reader: Objects, commit: str, folder: GitFolder | None) -> Commit:
    """Read a commit object, copied into `folder` where one is given.

    Raises:
        SourceUnavailableError: missing, or without tree or date.
    """
    head = read_object(reader, commit, "commit", folder).split(b"\n\n", 1)[0]
    tree = re.search(rb"^tree ([0-9a-f]+)$", head, re.MULTILINE)
    committer = re.search(rb"^committer .*> (-?\d+) [+-]\d+$", head, re.MULTILINE)
    if tree is None or committer is None:
        msg = f"the commit {commit} has no tree or no date"
        raise SourceUnavailableError(msg)
    has_parents = re.search(rb"^parent ", head, re.MULTILINE) is not None
    return Commit(tree[1].decode("ascii"), has_parents, int(committer[1]))


def fill_tree(
    reader: Objects, tree: str, filler: Filler, folder: GitFolder | None, prefix: str = ""
) -> tuple[IndexEntry, ...]:
    """Write the files of `tree` below `prefix`, and the objects into `folder` where one is given.

    Returns:
        Every file, link and submodule, as the index lists them. Submodules are not written.

    Raises:
        SourceUnavailableError: an object is missing or is not what its id says.
        SourceUnsafeError: names that leave the tree, unknown modes, more than the filler's caps.
    """
    entries: list[IndexEntry] = []
    pending = [(prefix, tree)]
    while pending:
        path, object_id = pending.pop()
        for mode, name, child in _parse(read_object(reader, object_id, "tree", folder), len(object_id) // 2, filler):
            full = filler.count(path + _checked(name, filler))
            if mode == TREE:
                pending.append((f"{full}/", child))
                continue
            if mode == GITLINK:
                entries.append(IndexEntry(os.fsencode(full), mode, child))
                continue
            if mode == LINK:
                filler.add_link(full, os.fsdecode(read_object(reader, child, "blob", folder)), 0)
            elif mode in _MODES:
                _write_file(reader, child, full, filler, folder, executable=_MODES[mode] == _EXECUTABLE)
            else:
                raise filler.refuse(f"the entry {full!r} has the unknown mode {mode:o}")
            entries.append(IndexEntry(os.fsencode(full), _MODES.get(mode, mode), child))
    return tuple(entries)


def read_object(reader: Objects, object_id: str, kind: str, folder: GitFolder | None) -> bytes:
    """Return the content of a small object, copied into `folder` on the way.

    Raises:
        SourceUnavailableError: missing, of another kind, or not what its id says.
        SourceUnsafeError: too large.
    """
    found = _open(reader, object_id, kind)
    if found.size > _SMALL:
        msg = f"the {kind} {object_id} has {found.size} bytes"
        raise SourceUnsafeError(msg)
    if folder is None or folder.has_object(object_id):
        return found.read()
    with folder.object_path(object_id).open("wb") as output:
        return ObjectCopy(found, object_id, output).read()


def _write_file(
    reader: Objects, object_id: str, path: str, filler: Filler, folder: GitFolder | None, *, executable: bool
) -> None:
    found = _open(reader, object_id, "blob")
    if folder is None or folder.has_object(object_id):
        filler.add_file(path, found, 0, executable=executable)
        return
    with folder.object_path(object_id).open("wb") as output:
        filler.add_file(path, ObjectCopy(found, object_id, output), 0, executable=executable)


def _open(reader: Objects, object_id: str, kind: str) -> GitObject:
    found = reader.open(object_id)
    if found is None or found.kind != kind:
        msg = f"the repository lacks the {kind} {object_id}"
        raise SourceUnavailableError(msg)
    return found


def _parse(data: bytes, id_size: int, filler: Filler) -> list[tuple[int, str, str]]:
    """Return (mode, name, id) of each entry of a tree object."""
    result, position = [], 0
    try:
        while position < len(data):
            space = data.index(b" ", position)
            end = data.index(b"\0", space)
            after = end + 1 + id_size
            name, object_id = data[space + 1 : end], data[end + 1 : after].hex()
            if len(object_id) != id_size * 2:
                raise filler.refuse("a tree of the repository ends in the middle")
            result.append((int(data[position:space], 8), os.fsdecode(name), object_id))
            position = after
    except ValueError:
        raise filler.refuse("a tree of the repository cannot be read") from None
    return result


def _checked(name: str, filler: Filler) -> str:
    if not name or "/" in name or name in {".", ".."} or name.casefold() == ".git":
        raise filler.refuse(f"a tree of the repository has an entry called {name!r}")
    return name
