"""Somebody who can publish, or who stands between, tries to get a release of theirs pinned."""

from __future__ import annotations

import hashlib
from typing import TYPE_CHECKING

import pytest

from farm.catalog.bump import bump
from farm.catalog.outdated import outdated
from farm.errors import ReleaseCoolingError, ReleaseYankedError, SourceDigestError, TagMovedError
from farm.source import gittags
from tests.fixtures_maven_http import Repository, serving
from tests.fixtures_upstream import GIT, MAVEN, NOW, YOUNG, Home, upload

if TYPE_CHECKING:
    from collections.abc import Mapping
    from pathlib import Path

    from tests.fixtures_python import IndexDouble
    from tests.fixtures_source import GitRepo

PIN = {"1.0": "a" * 64}


def test_other_bytes_than_the_index_states(home: Home, index: IndexDouble) -> None:
    upload(index, "1.1")
    index.stated["sample-1.1.tar.gz"] = hashlib.sha256(b"what was reviewed").hexdigest()
    path = home.write(PIN)
    before = path.read_bytes()
    with pytest.raises(SourceDigestError, match="its index states another"):
        bump(home.runtime, "python/sample", "1.1", NOW, allow_young=True)
    assert path.read_bytes() == before


def test_a_release_an_hour_after_the_account_was_stolen(home: Home, index: IndexDouble) -> None:
    upload(index, "1.1", "2026-03-10T11:00:00Z")
    home.write(PIN)
    with pytest.raises(ReleaseCoolingError, match="2026-03-17"):
        bump(home.runtime, "python/sample", "", NOW)


def test_a_new_file_for_an_old_release(home: Home, index: IndexDouble) -> None:
    upload(index, "1.1")
    index.projects["sample"]["sample-1.1.zip"] = b"evil"
    index.uploaded["sample-1.1.zip"] = YOUNG
    home.write(PIN)
    with pytest.raises(ReleaseCoolingError):
        bump(home.runtime, "python/sample", "", NOW)


def test_a_withdrawn_release_stays_withdrawn_whatever_is_allowed(home: Home, index: IndexDouble) -> None:
    upload(index, "1.1", yanked=True)
    home.write(PIN)
    with pytest.raises(ReleaseYankedError):
        bump(home.runtime, "python/sample", "1.1", NOW, allow_young=True)


@pytest.mark.parametrize(
    "version",
    [
        '1.1"\n  "<2":\n    build: {env: {A: b}}\n  "9',
        "1.1: {sha256: x}",
        "../../1.1",
        "1.1 #",
        "\x1b[2J1.1",
        "<2",
        "*",
        "&a",
    ],
)
def test_versions_that_want_to_be_more_than_a_version(home: Home, version: str) -> None:
    escaped = version.replace("&", "&amp;").replace("<", "&lt;").replace("\x1b", "?")
    metadata = f"<metadata><versioning><versions><version>{escaped}</version></versions></versioning></metadata>"
    with serving(Repository({"org/example/sample/maven-metadata.xml": metadata.encode()})) as upstream:
        home.maven_repository = upstream.url
        path = home.write(PIN, MAVEN, "org.example:sample")
        before = path.read_bytes()
        (found,) = outdated(home.runtime, (), NOW)
        assert (found.state, found.newest) == ("failed", "")
        assert path.read_bytes() == before
        assert all(asked.endswith(("metadata.xml", ".sha1")) for asked in upstream.asked)


def test_metadata_that_expands(home: Home) -> None:
    bomb = b'<!DOCTYPE m [<!ENTITY a "aaaa"><!ENTITY b "&a;&a;&a;">]><metadata>&b;</metadata>'
    with serving(Repository({"org/example/sample/maven-metadata.xml": bomb})) as upstream:
        home.maven_repository = upstream.url
        home.write(PIN, MAVEN, "org.example:sample")
        home.write(PIN, name="other")  # another one, so that it is a row
        maven, _ = outdated(home.runtime, (), NOW)
        assert "no metadata of Maven" in maven.reason


@pytest.mark.parametrize("tag", ["--upload-pack=touch pwned", "v1.1;id", "v$(id)", "v1.1\u202e"])
def test_tags_with_names_that_are_commands(home: Home, repo: GitRepo, tmp_path: Path, tag: str) -> None:
    commit = repo.commit({"a": "1"})
    repo.git("tag", "v1.0")
    repo.git("update-ref", f"refs/tags/{tag.replace(' ', '')}", commit)
    home.write({"1.0": commit}, GIT)
    (found,) = outdated(home.runtime, (), NOW)
    assert found.state == "current"
    assert not list(tmp_path.rglob("pwned"))


def test_a_tag_that_moves_while_it_is_pinned(home: Home, repo: GitRepo, monkeypatch: pytest.MonkeyPatch) -> None:
    first = repo.commit({"a": "1"})
    repo.git("tag", "v1.1")
    path = home.write({"1.0": first}, GIT)
    asked = gittags.list_tags

    def moving(url: str, sources: Mapping[str, str], work: Path) -> dict[str, str]:
        found = asked(url, sources, work)
        repo.commit({"a": "evil"})
        repo.git("tag", "-f", "v1.1")
        return found

    monkeypatch.setattr(gittags, "list_tags", moving)
    before = path.read_bytes()
    with pytest.raises(TagMovedError):
        bump(home.runtime, "python/sample", "", NOW)
    assert path.read_bytes() == before
