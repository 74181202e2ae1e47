"""Submodules, where a recipe asks for them: at the commits that the tree names, from addresses that are plain ones."""

from __future__ import annotations

import os
from typing import TYPE_CHECKING

from farm.errors import SourcePinError, SourceUnsafeError
from farm.source.gitfetch import fetch_commit
from farm.source.gitrun import GitRepository
from farm.source.gittree import GITLINK, fill_tree, read_commit
from farm.source.giturl import check_url, relative_url

if TYPE_CHECKING:
    from collections.abc import Iterable, Mapping

    from farm.source.fill import Filler
    from farm.source.gitstate import IndexEntry

__all__ = ["fill_submodules"]

_MAX_SUBMODULES = 100
_FILE = ".gitmodules"


def fill_submodules(
    repository: GitRepository,
    url: str,
    commit: str,
    entries: Iterable[IndexEntry],
    *,
    filler: Filler,
    sources: Mapping[str, str],
) -> None:
    """Write the trees of all submodules, and of theirs, to where they belong.

    Args:
        repository: has `commit`.
        url: where it is from; relative addresses start there.
        commit: whose `.gitmodules` counts.
        entries: its files and submodules.
        filler: where the files go.
        sources: additional `insteadOf`.

    Raises:
        SourceUnsafeError: an address that is none for git (an option, a command, a path of this host, with
            credentials), a submodule without one, or too many.
        SourceUnavailableError, CommitNotFoundError: as for the repository itself.
    """
    pending = [(repository, url, commit, "", tuple(entries))]
    count = 0
    while pending:
        parent, base, revision, prefix, items = pending.pop()
        links = [item for item in items if item.mode == GITLINK]
        addresses = _addresses(parent, revision) if links else {}
        for link in links:
            count += 1
            if count > _MAX_SUBMODULES:
                raise filler.refuse(f"more than {_MAX_SUBMODULES} submodules")
            path = os.fsdecode(link.path)
            target = _address(addresses.get(path.removeprefix(prefix), ""), base, path)
            child = GitRepository(repository.path.parent / f"submodule-{count}", sources, target)
            child.create(link.object_id)
            fetch_commit(child, target, link.object_id)
            with child.objects() as reader:
                tree = read_commit(reader, link.object_id, None).tree
                inner = fill_tree(reader, tree, filler, None, f"{path}/")
            pending.append((child, target, link.object_id, f"{path}/", inner))


def _addresses(repository: GitRepository, commit: str) -> dict[str, str]:
    """Return path → address, as the commit's `.gitmodules` has them (git reads it: it is a git configuration)."""
    status, output, _ = repository.try_run("config", "--blob", f"{commit}:{_FILE}", "--null", "--list")
    if status != 0:
        return {}
    values: dict[str, dict[str, str]] = {}
    for item in output.decode("utf-8", "surrogateescape").split("\0"):
        key, _, value = item.partition("\n")
        section, _, rest = key.partition(".")
        name, _, variable = rest.rpartition(".")
        if section == "submodule" and variable in {"path", "url"}:
            values.setdefault(name, {})[variable] = value
    return {entry["path"]: entry["url"] for entry in values.values() if "path" in entry and "url" in entry}


def _address(url: str, base: str, path: str) -> str:
    if not url:
        msg = f"the submodule {path!r} has no address in {_FILE}"
        raise SourceUnsafeError(msg)
    target = relative_url(base, url)
    try:
        # A relative address stays where its repository is; a full one must not reach for repositories of this host.
        check_url(target, local=target != url)
    except SourcePinError as error:
        msg = f"the submodule {path!r}: {error.message}"
        raise SourceUnsafeError(msg) from None
    return target
