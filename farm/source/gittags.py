"""The tags of a repository, without a checkout and without its history: what each is, and when it was made."""

from __future__ import annotations

import tempfile
from contextlib import contextmanager
from datetime import UTC, datetime
from pathlib import Path
from typing import TYPE_CHECKING

from farm.errors import CommitNotFoundError, SourceUnavailableError
from farm.source.gitfetch import FETCH, remote_tags, tag_moved
from farm.source.gitrun import GitRepository
from farm.source.giturl import check_url

if TYPE_CHECKING:
    from collections.abc import Iterator, Mapping

__all__ = ["list_tags", "tag_time"]

_ANY_COMMIT = "0" * 40
_DATES = "%(creatordate:unix) %(*committerdate:unix)"


def list_tags(url: str, sources: Mapping[str, str], work: Path) -> dict[str, str]:
    """Ask the server of `url` for its tags.

    Args:
        url: as in the recipe; `insteadOf` of git and of `sources` is applied.
        sources: additional `insteadOf`: prefix of addresses → what stands instead.
        work: an existing scratch folder.

    Returns:
        Tag → the commit that it resolves to, annotated tags peeled.

    Raises:
        SourcePinError: the address is no plain one.
        SourceUnavailableError: the repository cannot be reached or read.
    """
    with _repository(url, sources, work, _ANY_COMMIT) as repository:
        return remote_tags(repository, url)


def tag_time(url: str, tag: str, commit: str, sources: Mapping[str, str], work: Path) -> str:
    """Return when a tag was made, as the tag and its commit say (the later of the two): their authors' word.

    Args:
        url: as in the recipe.
        tag: its name; it alone is fetched, and no file of it where the server can leave them out.
        commit: what `list_tags` says of it.
        sources: additional `insteadOf`.
        work: an existing scratch folder.

    Returns:
        RFC 3339, UTC; empty where the server does not give the tag alone.

    Raises:
        SourcePinError: the address is no plain one.
        SourceUnsafeError: git refuses an object of the repository.
        TagMovedError: the tag is another commit by now.
        CommitNotFoundError: the tag is no commit.
    """
    with _repository(url, sources, work, commit) as repository:
        return _time(repository, url, tag, commit)


def _time(repository: GitRepository, url: str, tag: str, commit: str) -> str:
    name = f"refs/tags/{tag}"
    try:
        repository.run(*FETCH, "--depth=1", "--filter=tree:0", "--", url, f"+{name}:{name}")
    except SourceUnavailableError:
        return ""
    now = repository.run("rev-parse", "--verify", f"{name}^{{}}").decode().strip()
    if now != commit:
        raise tag_moved(url, tag, commit, now)
    if repository.try_run("cat-file", "-e", f"{commit}^{{commit}}")[0] != 0:
        msg = f"the tag {tag} of {url} is no commit"
        raise CommitNotFoundError(msg, details={"url": url, "tag": tag})
    dates = repository.run("for-each-ref", f"--format={_DATES}", "--", name).split()
    try:
        latest = datetime.fromtimestamp(max(map(int, dates)), UTC)
    except (ValueError, OverflowError, OSError):
        return ""  # dates are text that anybody can write
    return latest.strftime("%Y-%m-%dT%H:%M:%SZ")


@contextmanager
def _repository(url: str, sources: Mapping[str, str], work: Path, commit: str) -> Iterator[GitRepository]:
    check_url(url, local=True)
    with tempfile.TemporaryDirectory(prefix="tags-", dir=work) as folder:
        repository = GitRepository(Path(folder) / "repository", sources, url)
        repository.create(commit)
        yield repository
