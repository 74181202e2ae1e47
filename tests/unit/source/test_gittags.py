from __future__ import annotations

from typing import TYPE_CHECKING

import pytest

from farm.errors import CommitNotFoundError, SourcePinError, SourceUnavailableError, TagMovedError
from farm.source.gittags import list_tags, tag_time
from tests.fixtures_source import BASE, WHEN, GitRepo

if TYPE_CHECKING:
    from pathlib import Path

URL = BASE + "demo"


@pytest.fixture
def sources(tmp_path: Path) -> dict[str, str]:
    return {BASE: f"{tmp_path}/repos/"}


def test_annotated_tags_are_peeled(repo: GitRepo, sources: dict[str, str], tmp_path: Path) -> None:
    commit = repo.commit({"a": "1"})
    repo.git("tag", "v1.0")
    repo.git("tag", "-a", "-m", "one", "v1.1")
    repo.git("tag", "-a", "-m", "of a tag", "rel/v1.2", "v1.1")
    repo.git("branch", "refs/tags/v9")
    assert list_tags(URL, sources, tmp_path) == {"v1.0": commit, "v1.1": commit, "rel/v1.2": commit}


def test_a_tag_is_as_old_as_the_younger_of_itself_and_its_commit(
    repo: GitRepo, sources: dict[str, str], tmp_path: Path
) -> None:
    commit = repo.commit({"a": "1"})
    repo.git("tag", "plain")
    repo.ticks = 86400
    repo.git("tag", "-a", "-m", "a day later", "v1.0")
    for allowed in ("false", "true"):
        repo.git("config", "uploadpack.allowFilter", allowed)
        assert tag_time(URL, "plain", commit, sources, tmp_path) == "2020-09-13T12:26:41Z"
        assert tag_time(URL, "v1.0", commit, sources, tmp_path) == "2020-09-14T12:26:40Z"
    assert WHEN == 1_600_000_000


@pytest.mark.parametrize("object_format", ["sha1", "sha256"])
def test_every_object_format(tmp_path: Path, sources: dict[str, str], object_format: str) -> None:
    repo = GitRepo(tmp_path / "repos" / "demo", object_format=object_format)
    commit = repo.commit({"a": "1"})
    repo.git("tag", "v1")
    assert list_tags(URL, sources, tmp_path) == {"v1": commit}
    assert tag_time(URL, "v1", commit, sources, tmp_path)


def test_a_tag_that_moves_between_two_questions(repo: GitRepo, sources: dict[str, str], tmp_path: Path) -> None:
    old = repo.commit({"a": "1"})
    repo.commit({"a": "2"})
    repo.git("tag", "v1")
    with pytest.raises(TagMovedError):
        tag_time(URL, "v1", old, sources, tmp_path)


def test_a_tag_of_a_file_is_no_commit(repo: GitRepo, sources: dict[str, str], tmp_path: Path) -> None:
    repo.commit({"a": "1"})
    blob = repo.git("rev-parse", "HEAD:a")
    repo.git("tag", "key", blob)
    with pytest.raises(CommitNotFoundError, match="no commit"):
        tag_time(URL, "key", blob, sources, tmp_path)


def test_what_cannot_be_asked(repo: GitRepo, sources: dict[str, str], tmp_path: Path) -> None:
    commit = repo.commit({"a": "1"})
    with pytest.raises(SourceUnavailableError):
        list_tags(BASE + "nothing", sources, tmp_path)
    with pytest.raises(SourcePinError):
        list_tags("ext::sh -c id", sources, tmp_path)
    assert tag_time(URL, "gone", commit, sources, tmp_path) == ""
