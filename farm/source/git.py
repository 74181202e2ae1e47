"""Git sources: a pinned commit → a snapshot with a rebuilt `.git`. No checkout: git never writes or runs a file of it.

The files are read as they are in the repository, object by object: no hooks, no filters (LFS, smudge), no conversion of
line ends, no submodule code.
"""

from __future__ import annotations

import re
import tempfile
from dataclasses import replace
from pathlib import Path
from typing import TYPE_CHECKING

from farm import log
from farm.errors import FarmError, SourcePinError, SourceUnsafeError, StoreUnavailableError
from farm.model.source import SourceSnapshot
from farm.source.fill import Filler
from farm.source.gitfetch import check_remote_tag, fetch_commit, tag_moved
from farm.source.gitloose import loose_objects
from farm.source.gitrun import GitRepository
from farm.source.gitstate import GitFolder
from farm.source.gittree import fill_tree, read_commit, read_object
from farm.source.giturl import check_url, download_location
from farm.source.safety import CAPS, Caps, clamp_epoch
from farm.source.submodules import fill_submodules
from farm.source.tree import scan, tree_digest, write_tar

if TYPE_CHECKING:
    from collections.abc import Callable, Mapping

    from farm.model.plan import GitPin
    from farm.source.gitstate import IndexEntry
    from farm.source.gittree import Objects
    from farm.store.base import Vault

__all__ = ["take_git"]

_FULL = re.compile(r"[0-9a-f]{40}|[0-9a-f]{64}")
_MAX_TAG_CHAIN = 16

_log = log.get(__name__)


def take_git(
    pin: GitPin,
    *,
    vault: Vault,
    work: Path,
    sources: Mapping[str, str],
    known: SourceSnapshot | None = None,
    caps: Caps = CAPS,
) -> SourceSnapshot:
    """Get the commit, check the tag against it, and put its tree into the vault.

    Args:
        pin: the commit, and the tag that must resolve to it.
        vault: where the snapshot is kept.
        work: an existing scratch folder.
        sources: additional `insteadOf`: prefix of addresses → what stands instead.
        known: what the vault says that this pin gave before. It is made again from the objects in its tar, each of
            which must hash to its id, from the pinned commit down; only when that gives `known` nothing is fetched.
        caps: what is taken at most.

    Returns:
        The snapshot, made from the objects in this call.

    Raises:
        SourcePinError: the commit is not a full one, the address is no plain one.
        SourceUnavailableError: the repository cannot be reached or read.
        CommitNotFoundError: it does not have the commit.
        TagMovedError: the tag is another commit, or is gone.
        SourceUnsafeError: what is in the tree cannot be taken.
    """
    check_url(pin.url, local=True)
    if not _FULL.fullmatch(pin.commit):
        msg = f"{pin.commit!r} is no full commit of {pin.url}"
        raise SourcePinError(msg)
    # The files of submodules are in the snapshot, their objects are not: only where they are from can prove them.
    if known is not None and not pin.submodules and _again(pin, known, vault, work, caps) == known:
        return known
    repository = GitRepository(work / "repository", sources, pin.url)
    repository.create(pin.commit)
    if pin.tag:
        check_remote_tag(repository, pin.url, pin.tag, pin.commit)
    fetch_commit(repository, pin.url, pin.commit, pin.tag)

    def submodules(items: tuple[IndexEntry, ...], filler: Filler) -> None:
        if pin.submodules:
            fill_submodules(repository, pin.url, pin.commit, items, filler=filler, sources=sources)

    with repository.objects() as reader:
        return _snapshot(pin, reader, _filler(pin, work, caps), vault, submodules)


def _again(pin: GitPin, known: SourceSnapshot, vault: Vault, work: Path, caps: Caps) -> SourceSnapshot | None:
    """Make the snapshot of `pin` from the objects that the vault keeps in the tar of `known`; None when that fails."""
    with tempfile.TemporaryDirectory(prefix="again-", dir=work) as name:
        folder = Path(name)
        tar = folder / "known.tar"
        filler = _filler(pin, folder, caps)
        try:
            vault.fetch(known.archive, tar)
            with loose_objects(tar, len(pin.commit), filler) as reader:
                return _snapshot(pin, reader, filler, vault)
        except StoreUnavailableError:
            raise
        except FarmError as error:
            _log.warning("the snapshot in the vault does not prove its pin; fetching the source", reason=error.message)
            return None


def _filler(pin: GitPin, work: Path, caps: Caps) -> Filler:
    root = work / "tree"
    root.mkdir()
    return Filler(root, f"{pin.url} at {pin.commit[:12]}", caps)


def _snapshot(
    pin: GitPin,
    reader: Objects,
    filler: Filler,
    vault: Vault,
    submodules: Callable[[tuple[IndexEntry, ...], Filler], None] | None = None,
) -> SourceSnapshot:
    """Make the snapshot of `pin` from the objects of `reader` in the empty folder of `filler`."""
    root = filler.folder
    folder = GitFolder(root / ".git", pin.commit)
    tag_object = _copy_tag(pin, reader, folder)
    commit = read_commit(reader, pin.commit, folder)
    items = fill_tree(reader, commit.tree, filler, folder)
    if commit.has_parents:
        folder.set_shallow()
    folder.set_index(items)
    if submodules is not None:
        submodules(items, filler)
    filler.finish()
    if pin.subdirectory and not (root / pin.subdirectory).is_dir():
        raise filler.refuse(f"it has no folder {pin.subdirectory!r}")
    entries = scan(root, skip_git=True, caps=filler.caps)
    state = (replace(entry, path=f".git/{entry.path}") for entry in scan(root / ".git"))
    epoch = clamp_epoch(commit.time)
    tar = root.with_name("source.tar")
    write_tar(root, (*entries, *state), epoch, tar)
    return SourceSnapshot(
        strength="git",
        uri=download_location(pin.url, pin.commit, pin.tag),
        tree_digest=tree_digest(entries),
        archive=vault.put_file(tar),
        commit=pin.commit,
        git_tree=commit.tree,
        tag=pin.tag,
        tag_object=tag_object,
        epoch=epoch,
        subdirectory=pin.subdirectory,
        files=len(entries),
        size=sum(entry.size for entry in entries),
    )


def _copy_tag(pin: GitPin, reader: Objects, folder: GitFolder) -> str | None:
    """Copy the tag objects (a tag can point to a tag) and the reference; return the id of the outermost, if any.

    Raises:
        TagMovedError: the tag that was fetched is not the pinned commit.
    """
    if not pin.tag:
        folder.set_reference(None, pin.commit)
        return None
    current, chain = f"refs/tags/{pin.tag}", list[str]()
    for _ in range(_MAX_TAG_CHAIN):
        found = reader.open(current)
        if found is None:
            raise tag_moved(pin.url, pin.tag, pin.commit, None)
        if found.kind != "tag":
            if found.id != pin.commit:
                raise tag_moved(pin.url, pin.tag, pin.commit, found.id)
            folder.set_reference(pin.tag, chain[0] if chain else found.id)
            return chain[0] if chain else None
        chain.append(found.id)
        text = read_object(reader, found.id, "tag", folder)
        current = text.split(b"\n", 1)[0].removeprefix(b"object ").decode("ascii", "replace")
    msg = f"the tag {pin.tag} of {pin.url} points to tags without end"
    raise SourceUnsafeError(msg)
