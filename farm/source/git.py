"""Git sources: a pinned commit → a snapshot with a rebuilt `.git`. No checkout: git never writes or runs a file of it.

The files are read as they are in the repository, object by object: no hooks, no filters (LFS, smudge), no conversion of
line ends, no submodule code.
"""

from __future__ import annotations

import re
from dataclasses import replace
from typing import TYPE_CHECKING

from farm.errors import SourcePinError, SourceUnsafeError
from farm.model.source import SourceSnapshot
from farm.source.fill import Filler
from farm.source.gitfetch import check_remote_tag, fetch_commit, tag_moved
from farm.source.gitrun import GitRepository, ObjectReader
from farm.source.gitstate import GitFolder
from farm.source.gittree import fill_tree, read_commit, read_object
from farm.source.giturl import check_url, download_location
from farm.source.safety import CAPS, Caps, clamp_epoch
from farm.source.submodules import fill_submodules
from farm.source.tree import scan, tree_digest, write_tar

if TYPE_CHECKING:
    from collections.abc import Mapping
    from pathlib import Path

    from farm.model.plan import GitPin
    from farm.store.base import Vault

__all__ = ["take_git"]

_FULL = re.compile(r"^([0-9a-f]{40}|[0-9a-f]{64})$")
_MAX_TAG_CHAIN = 16


def take_git(pin: GitPin, *, vault: Vault, work: Path, sources: Mapping[str, str], caps: Caps = CAPS) -> SourceSnapshot:
    """Fetch the commit, check the tag against it, and put its tree into the vault.

    Args:
        pin: the commit, and the tag that must resolve to it.
        vault: where the snapshot is kept.
        work: an existing scratch folder.
        sources: additional `insteadOf`: prefix of addresses → what stands instead.
        caps: what is taken at most.

    Returns:
        The snapshot.

    Raises:
        SourcePinError: the commit is not a full one, the address is no plain one.
        SourceUnavailableError: the repository cannot be reached or read.
        CommitNotFoundError: it does not have the commit.
        TagMovedError: the tag is another commit, or is gone.
        SourceUnsafeError: what is in the tree cannot be taken.
    """
    check_url(pin.url, local=True)
    if not _FULL.match(pin.commit):
        msg = f"{pin.commit!r} is no full commit of {pin.url}"
        raise SourcePinError(msg)
    repository = GitRepository(work / "repository", sources)
    repository.create(pin.commit)
    if pin.tag:
        check_remote_tag(repository, pin.url, pin.tag, pin.commit)
    fetch_commit(repository, pin.url, pin.commit, pin.tag)
    root = work / "tree"
    root.mkdir()
    shown = f"{pin.url} at {pin.commit[:12]}"
    folder = GitFolder(root / ".git", pin.commit)
    filler = Filler(root, shown, caps)
    with repository.objects() as reader:
        tag_object = _copy_tag(pin, reader, folder)
        commit = read_commit(reader, pin.commit, folder)
        items = fill_tree(reader, commit.tree, filler, folder)
    if commit.has_parents:
        folder.set_shallow()
    folder.set_index(items)
    if pin.submodules:
        fill_submodules(repository, pin.url, pin.commit, items, filler=filler, sources=sources)
    filler.finish()
    if pin.subdirectory and not (root / pin.subdirectory).is_dir():
        msg = f"{shown} has no folder {pin.subdirectory!r}"
        raise SourceUnsafeError(msg)
    entries = scan(root, skip_git=True, caps=caps)
    state = (replace(entry, path=f".git/{entry.path}") for entry in scan(root / ".git"))
    epoch = clamp_epoch(commit.time)
    tar = work / "source.tar"
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


def _copy_tag(pin: GitPin, reader: ObjectReader, folder: GitFolder) -> str | None:
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
