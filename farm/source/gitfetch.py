"""Getting a commit, and checking its tag: against what the server says, and against what it then gives."""

from __future__ import annotations

from typing import TYPE_CHECKING

from farm import log
from farm.errors import CommitNotFoundError, TagMovedError

if TYPE_CHECKING:
    from farm.source.gitrun import GitRepository

__all__ = ["FETCH", "check_remote_tag", "fetch_commit", "remote_tags", "tag_moved"]

FETCH = ("fetch", "--quiet", "--no-tags", "--no-recurse-submodules", "--no-write-fetch-head", "--no-auto-maintenance")
"""A fetch of what is named and nothing else."""

_TAGS = "refs/tags/"
_PEELED = "^{}"

_log = log.get(__name__)


def fetch_commit(repository: GitRepository, url: str, commit: str, tag: str | None = None) -> None:
    """Get `commit` (by way of its tag, where it has one) into `repository`.

    It comes alone where the server gives it alone, else with all of the history.

    Raises:
        SourceUnavailableError: the repository cannot be reached or read.
        CommitNotFoundError: it does not have the commit.
    """
    wanted = f"+refs/tags/{tag}:refs/tags/{tag}" if tag else commit
    status, _, errors = repository.try_run(*FETCH, "--depth=1", "--", url, wanted)
    if status != 0:
        _log.info("the server does not give the commit alone; fetching the whole history", reason=errors.strip()[-200:])
        repository.run(*FETCH, "--", url, "+refs/heads/*:refs/remotes/origin/*", "+refs/tags/*:refs/tags/*")
    status, _, _ = repository.try_run("cat-file", "-e", f"{commit}^{{commit}}")
    if status != 0:
        msg = f"{url} has no commit {commit}"
        raise CommitNotFoundError(msg, details={"url": url, "commit": commit})


def check_remote_tag(repository: GitRepository, url: str, tag: str, commit: str) -> None:
    """Ask the server what the tag is.

    Raises:
        SourceUnavailableError: no answer.
        TagMovedError: it is not `commit`, or there is none.
    """
    name = f"refs/tags/{tag}"
    now = _listed(repository, url, name, f"{name}^{{}}").get(tag)
    if now != commit:
        raise tag_moved(url, tag, commit, now)


def remote_tags(repository: GitRepository, url: str) -> dict[str, str]:
    """Return every tag that the server has, with the commit that it is (the object, where it is of no commit).

    Raises:
        SourceUnavailableError: no answer.
    """
    return _listed(repository, url, "refs/tags/*")


def _listed(repository: GitRepository, url: str, *references: str) -> dict[str, str]:
    found: dict[str, str] = {}
    peeled: dict[str, str] = {}
    # Names are whatever bytes somebody pushed; those that are no text are none that a recipe can mean.
    for line in repository.run("ls-remote", "--quiet", "--", url, *references).decode("utf-8", "replace").splitlines():
        object_id, _, reference = line.partition("\t")
        tag = reference.removeprefix(_TAGS)
        if tag == reference:
            continue
        # An annotated tag is listed twice: itself, and what it points to.
        (peeled if tag.endswith(_PEELED) else found)[tag.removesuffix(_PEELED)] = object_id
    return found | peeled


def tag_moved(url: str, tag: str, commit: str, now: str | None) -> TagMovedError:
    """Return the error of a tag that is at `now` (None: nowhere) instead of at `commit`."""
    if now is None:
        msg = f"the tag {tag} is not (or no longer) in {url}; the recipe expects it at {commit}"
    else:
        msg = f"the tag {tag} of {url} is at {now}; the recipe pins {commit}"
    return TagMovedError(msg, details={"tag": tag, "expected": commit, "found": now or ""})
