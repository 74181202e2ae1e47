"""Git sources: a pinned commit → a snapshot with a rebuilt `.git`. No checkout: git never writes or runs a file of it.

The files are read as they are in the repository, object by object: no hooks, no filters (LFS, smudge), no conversion of
line ends, no submodule code.
"""

from __future__ import annotations

import os
import re
from dataclasses import dataclass
from typing import TYPE_CHECKING

from farm import log
from farm.errors import CommitNotFoundError, SourcePinError, SourceUnavailableError, SourceUnsafeError, TagMovedError
from farm.model.source import SourceSnapshot
from farm.source.fill import Filler
from farm.source.gitrun import GitRepository, ObjectReader
from farm.source.gitstate import GitFolder, IndexEntry, ObjectCopy
from farm.source.giturl import check_url, download_location
from farm.source.gittree import GITLINK, LINK, TreeItem, list_tree
from farm.source.safety import CAPS, Caps, clamp_epoch
from farm.source.submodules import fill_submodules
from farm.source.tree import scan, tree_digest, write_tar

if TYPE_CHECKING:
    from collections.abc import Iterable, Mapping
    from pathlib import Path

    from farm.model.plan import GitPin
    from farm.store.base import Vault

__all__ = ["take_git"]

_FULL = re.compile(r"^([0-9a-f]{40}|[0-9a-f]{64})$")
_SHA1_DIGITS = 40
_FETCH = ("fetch", "--quiet", "--no-tags", "--no-recurse-submodules", "--no-write-fetch-head", "--no-auto-maintenance")
_MAX_TEXT = 1024 * 1024
"""Bytes of a commit or tag object."""

_log = log.get(__name__)


@dataclass(frozen=True)
class _Commit:
    tree: str
    parents: bool
    time: int


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
    if not _FULL.match(pin.commit):
        msg = f"{pin.commit!r} is no full commit of {pin.url}"
        raise SourcePinError(msg)
    check_url(pin.url, local=True)
    repository = GitRepository(work / "repository", sources)
    repository.create("sha1" if len(pin.commit) == _SHA1_DIGITS else "sha256")
    if pin.tag:
        _check_remote_tag(repository, pin.url, pin.tag, pin.commit)
    fetch_commit(repository, pin.url, pin.commit, pin.tag)
    root = work / "tree"
    root.mkdir()
    return _snapshot(pin, repository, root, vault, sources, caps)


def fetch_commit(repository: GitRepository, url: str, commit: str, tag: str | None) -> None:
    """Get the commit into `repository`: alone where the server gives it alone, else with all of the history.

    Raises:
        SourceUnavailableError, CommitNotFoundError.
    """
    wanted = f"+refs/tags/{tag}:refs/tags/{tag}" if tag else commit
    status, _, errors = repository.try_run(*_FETCH, "--depth=1", "--", url, wanted)
    if status != 0:
        _log.info("the server does not give the commit alone; fetching the whole history", reason=errors[-200:])
        repository.run(*_FETCH, "--", url, "+refs/heads/*:refs/remotes/origin/*", "+refs/tags/*:refs/tags/*")
    status, _, _ = repository.try_run("cat-file", "-e", f"{commit}^{{commit}}")
    if status != 0:
        msg = f"{url} has no commit {commit}"
        raise CommitNotFoundError(msg, details={"url": url, "commit": commit})


def _check_remote_tag(repository: GitRepository, url: str, tag: str, commit: str) -> None:
    """Ask the server what the tag is. (The fetched tag is checked again: the two could differ.)"""
    name = f"refs/tags/{tag}"
    listed: dict[str, str] = {}
    for line in repository.run("ls-remote", "--quiet", "--", url, name, f"{name}^{{}}").decode().splitlines():
        found, _, reference = line.partition("\t")
        listed[reference] = found
    now = listed.get(f"{name}^{{}}") or listed.get(name)
    if now != commit:
        raise _moved(url, tag, commit, now)


def _moved(url: str, tag: str, commit: str, now: str | None) -> TagMovedError:
    if now is None:
        msg = f"the tag {tag} is not (or no longer) in {url}; the recipe expects it at {commit}"
    else:
        msg = f"the tag {tag} of {url} is at {now}; the recipe pins {commit}"
    return TagMovedError(msg, details={"tag": tag, "expected": commit, "found": now or ""})


def _snapshot(
    pin: GitPin, repository: GitRepository, root: Path, vault: Vault, sources: Mapping[str, str], caps: Caps
) -> SourceSnapshot:
    shown = f"{pin.url} at {pin.commit[:12]}"
    folder = GitFolder(root / ".git", pin.commit)
    filler = Filler(root, shown, caps)
    with repository.objects() as reader:
        tag_object = _copy_tag(pin, reader, folder)
        commit = _parse_commit(_copy_text(reader, pin.commit, folder), shown)
        items = list_tree(repository, pin.commit, shown, caps)
        _fill(items, reader, filler, folder)
    if commit.parents:
        folder.set_shallow()
    if pin.submodules:
        fill_submodules(pin.url, pin.commit, items, repository, filler, sources, fetch_commit)
    filler.finish()
    if pin.subdirectory and not (root / pin.subdirectory).is_dir():
        msg = f"{shown} has no folder {pin.subdirectory!r}"
        raise SourceUnsafeError(msg)
    entries = scan(root, skip_git=True, caps=caps)
    epoch = clamp_epoch(commit.time)
    tar = root.parent / "source.tar"
    write_tar(root, (*entries, *scan(root / ".git", caps=caps, prefix=".git/")), epoch, tar)
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
    """Copy the tag objects (a tag can point to a tag) and the reference; return the id of the outermost, if any."""
    if not pin.tag:
        folder.set_tag(None, pin.commit)
        return None
    current = f"refs/tags/{pin.tag}"
    chain: list[str] = []
    while True:
        found = reader.identify(current)
        if found is None:
            raise _moved(pin.url, pin.tag, pin.commit, None)
        current, kind = found
        if kind != "tag":
            break
        chain.append(current)
        text = _copy_text(reader, current, folder)
        current = text.split(b"\n", 1)[0].removeprefix(b"object ").decode("ascii", "replace")
    if current != pin.commit:
        raise _moved(pin.url, pin.tag, pin.commit, current)
    folder.set_tag(pin.tag, chain[0] if chain else pin.commit)
    return chain[0] if chain else None


def _copy_text(reader: ObjectReader, object_id: str, folder: GitFolder) -> bytes:
    """Copy a commit or tag object and return its content."""
    found = reader.open(object_id)
    if found is None or found.size > _MAX_TEXT:
        msg = f"the object {object_id} is missing or larger than {_MAX_TEXT} bytes"
        raise SourceUnavailableError(msg)
    with folder.object_path(object_id).open("wb") as output:
        return ObjectCopy(found, object_id, output).read()


def _parse_commit(text: bytes, shown: str) -> _Commit:
    head = text.split(b"\n\n", 1)[0]
    tree = re.search(rb"^tree ([0-9a-f]+)$", head, re.MULTILINE)
    committer = re.search(rb"^committer .*> (-?\d+) [+-]\d+$", head, re.MULTILINE)
    if tree is None or committer is None:
        msg = f"{shown}: the commit has no tree or no date"
        raise SourceUnavailableError(msg)
    return _Commit(tree[1].decode(), re.search(rb"^parent ", head, re.MULTILINE) is not None, int(committer[1]))


def _fill(items: Iterable[TreeItem], reader: ObjectReader, filler: Filler, folder: GitFolder | None) -> None: ...
