"""Files into the sandbox and out of it: tars are unpacked, `/out` is sent."""

from __future__ import annotations

import os
import shutil
import stat
import tarfile
from pathlib import Path
from typing import TYPE_CHECKING, Any

from farm.sandbox.guest.wire import send

if TYPE_CHECKING:
    from collections.abc import Iterator
    from typing import BinaryIO

CHUNK = 256 * 1024


def unpack(archive: str, target: str) -> None:
    """Unpack the tar at `archive` below `target`: files, folders and symbolic links only, nothing through a link.

    Raises:
        ValueError: an entry that leaves the target, a device, a name given twice.
        OSError, tarfile.TarError: unreadable archive, full file system.
    """
    root = Path(target)
    folders, links, hard = {root}, [], []
    with tarfile.open(archive, "r:*") as tar:
        for member in tar:
            path = _inside(root, member.name)
            if path == root:
                continue
            _folder(path.parent, folders)
            if member.isdir():
                _folder(path, folders)
            elif member.issym():
                links.append((path, member.linkname))
            elif member.islnk():
                hard.append((path, _inside(root, member.linkname)))
            elif member.isreg():
                _write(tar, member, path)
            else:
                msg = f"{member.name} is neither a file, a folder nor a link"
                raise ValueError(msg)
    for path, origin in hard:
        os.link(origin, path, follow_symlinks=False)
    # Links come last, so that nothing was ever written through one.
    for path, pointed in links:
        path.symlink_to(pointed)


def _inside(root: Path, name: str) -> Path:
    parts = [part for part in name.split("/") if part not in {"", "."}]
    if name.startswith("/") or ".." in parts:
        msg = f"{name} leaves the folder"
        raise ValueError(msg)
    return root.joinpath(*parts)


def _folder(path: Path, known: set[Path]) -> None:
    if path not in known:
        _folder(path.parent, known)
        path.mkdir(mode=0o755, exist_ok=True)
        known.add(path)


def _write(tar: tarfile.TarFile, member: tarfile.TarInfo, path: Path) -> None:
    source = tar.extractfile(member)
    if source is None:
        msg = f"{member.name} has no content"
        raise ValueError(msg)
    with source, path.open("xb") as out:
        shutil.copyfileobj(source, out, CHUNK)
    path.chmod(0o755 if member.mode & 0o100 else 0o644)
    os.utime(path, (member.mtime, member.mtime))


def send_output(out: BinaryIO, root: Path) -> int:
    """Send everything below `root`, sorted, links as links; return the number of entries."""
    count = 0
    for path in _walk(root):
        state = path.lstat()
        name = os.fsencode(path.relative_to(root)).decode("utf-8", "backslashreplace")
        entry: dict[str, Any] = {"path": name, "kind": _kind(state.st_mode), "size": 0, "executable": False}
        count += 1
        if entry["kind"] == "link":
            entry["target"] = os.fsencode(path.readlink()).decode("utf-8", "backslashreplace")
        if entry["kind"] != "file":
            send(out, b"E", entry)
            continue
        path.chmod(state.st_mode | 0o400)
        with path.open("rb") as stream:
            entry.update(size=state.st_size, executable=bool(state.st_mode & 0o100))
            send(out, b"E", entry)
            shutil.copyfileobj(stream, out, CHUNK)
    return count


def _walk(folder: Path) -> Iterator[Path]:
    folder.chmod(0o755)
    for path in sorted(folder.iterdir()):
        yield path
        if path.is_dir() and not path.is_symlink():
            yield from _walk(path)


def _kind(mode: int) -> str:
    for test, word in ((stat.S_ISREG, "file"), (stat.S_ISDIR, "folder"), (stat.S_ISLNK, "link")):
        if test(mode):
            return word
    return "special"
