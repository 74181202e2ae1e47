from __future__ import annotations

import hashlib
from typing import TYPE_CHECKING

import pytest

from farm.catalog import bump as bumping
from farm.catalog.bump import Bump, bump
from farm.errors import (
    RecipeError,
    RecipeNotFoundError,
    ReleaseCoolingError,
    ReleaseMissingError,
    ReleaseYankedError,
    SourceUnavailableError,
    VersionPinnedError,
)
from farm.recipe.load import load_recipe
from tests.fixtures_maven_http import Repository, serving
from tests.fixtures_upstream import GIT, MAVEN, NOW, OLD, YOUNG, YOUNG_UNTIL, Home, upload

if TYPE_CHECKING:
    from pathlib import Path

    from farm.errors import FarmError
    from tests.fixtures_python import IndexDouble
    from tests.fixtures_source import GitRepo

PIN = {"1.0": "a" * 64}


def do(home: Home, version: str = "", name: str = "python/sample", *, young: bool = False, dry: bool = False) -> Bump:
    return bump(home.runtime, name, version, NOW, allow_young=young, dry_run=dry)


def digest(data: bytes) -> str:
    return hashlib.sha256(data).hexdigest()


@pytest.fixture
def path(home: Home, index: IndexDouble) -> Path:
    """Give a recipe at 1.0; upstream has 1.0, 1.1, 1.2 (withdrawn), 1.3 (young), 2.0rc1."""
    upload(index, "1.0")
    upload(index, "1.1")
    upload(index, "1.2", yanked=True)
    upload(index, "1.3", YOUNG)
    upload(index, "2.0rc1")
    return home.write(PIN)


def test_the_newest_eligible_release_with_the_digest_of_its_archive(home: Home, path: Path) -> None:
    before = path.read_text()
    found = do(home)
    pin = digest(b"sdist of sample 1.1")
    assert path.read_text() == before.replace("build:", f'  "1.1":\n    sha256: "{pin}"\nbuild:')
    assert found == Bump(
        package="python/sample",
        recipe="python/sample/recipe.yaml",
        state="pinned",
        version="1.1",
        kind="sha256",
        pin=pin,
        released=OLD,
        next=("farm lock python/sample@1.1", "farm build python/sample@1.1"),
    )
    with pytest.raises(ReleaseCoolingError):  # 1.3 is all that is left
        do(home)


def test_nothing_newer(home: Home, index: IndexDouble) -> None:
    upload(index, "1.0")
    path = home.write(PIN)
    before = path.read_text()
    assert do(home) == Bump(package="python/sample", recipe="python/sample/recipe.yaml", state="current", version="1.0")
    assert path.read_text() == before


def test_a_dry_run_writes_nothing(home: Home, path: Path) -> None:
    before = path.read_bytes()
    found = do(home, dry=True)
    assert (found.state, found.version) == ("would-pin", "1.1")
    assert path.read_bytes() == before
    assert list(path.parent.iterdir()) == [path]


@pytest.mark.parametrize(
    ("version", "kind", "words"),
    [
        ("1.3", ReleaseCoolingError, f"cooling until {YOUNG_UNTIL}"),
        ("1.2", ReleaseYankedError, "withdrew python/sample 1.2"),
        ("1.0", VersionPinnedError, "pins the version 1.0 already"),
        ("1.0.0", VersionPinnedError, r"already \(as 1.0\)"),
        ("7", ReleaseMissingError, "no release 7"),
        ("seven", ReleaseMissingError, "no version"),
    ],
)
def test_versions_that_are_named_and_not_taken(
    home: Home, path: Path, version: str, kind: type[FarmError], words: str
) -> None:
    before = path.read_bytes()
    with pytest.raises(kind, match=words):
        do(home, version)
    assert path.read_bytes() == before


@pytest.mark.parametrize("version", ["", "1.3"])
def test_a_young_release_is_taken_when_that_is_said(home: Home, path: Path, version: str) -> None:
    found = do(home, version, young=True)
    assert found.version == "1.3"
    assert any("younger than 7 days" in note and YOUNG_UNTIL in note for note in found.notes)
    assert "1.3" in load_recipe(path).pinned


def test_a_version_is_named_behind_the_reference_too(home: Home, path: Path) -> None:
    assert do(home, name="python/sample@1.1").version == "1.1"
    assert load_recipe(path).pinned == ("1.0", "1.1")
    with pytest.raises(RecipeNotFoundError, match="two versions"):
        do(home, "1.3", "python/sample@1.1")


def test_a_pre_release_and_an_older_version_are_taken_when_they_are_named(home: Home, index: IndexDouble) -> None:
    upload(index, "0.9")
    upload(index, "2.0rc1")
    path = home.write(PIN)
    assert do(home, "2.0rc1").notes == ("2.0rc1 is a pre-release",)
    assert do(home, "0.9.0").version == "0.9"  # as upstream spells it
    assert load_recipe(path).pinned == ("1.0", "2.0rc1", "0.9")


def test_a_release_without_the_source(home: Home, index: IndexDouble, path: Path) -> None:
    index.projects["sample"]["sample-1.4-py3-none-any.whl"] = b"wheel"
    with pytest.raises(ReleaseMissingError, match="not the source"):
        do(home, "1.4")
    assert load_recipe(path).pinned == ("1.0",)


def test_an_index_without_digests(home: Home, index: IndexDouble, path: Path) -> None:
    index.stated["sample-1.1.tar.gz"] = ""
    found = do(home, "1.1")
    assert found.pin == digest(b"sdist of sample 1.1")
    assert any("nobody states a SHA-256" in note for note in found.notes)
    assert load_recipe(path).versions["1.1"].sha256 == found.pin


def test_ranges_and_changes_of_one_version_are_told(home: Home, index: IndexDouble) -> None:
    upload(index, "1.1")
    path = home.write(
        PIN,
        more="    limits: {pids: 64}\n  '>=1.1':\n    build:\n      requires: ['setuptools==80.9.0']\n  '<1': {}\n",
    )
    assert do(home).notes == (
        "the changes under >=1.1 apply to 1.1",
        "1.0 has limits of its own, which 1.1 does not get",
    )
    recipe = load_recipe(path)
    assert list(recipe.versions) == ["1.0", "1.1", ">=1.1", "<1"]


def test_a_recipe_that_does_not_load_any_more_is_put_back(
    home: Home, path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    before = path.read_bytes()
    path.chmod(0o640)

    def refuse(_: Path) -> None:
        raise RecipeError("a rule that only the file can break")

    monkeypatch.setattr(bumping, "load_recipe", refuse)
    with pytest.raises(RecipeError):
        do(home)
    assert path.read_bytes() == before
    assert path.stat().st_mode & 0o777 == 0o640
    assert list(path.parent.iterdir()) == [path]


def test_a_linked_recipe_stays_a_link(home: Home, path: Path) -> None:
    real = path.with_name("real.yaml")
    path.rename(real)
    path.symlink_to(real.name)
    do(home)
    assert path.is_symlink()
    assert "1.1" in load_recipe(real).pinned


def test_maven(home: Home) -> None:
    with serving(Repository()) as upstream:
        home.maven_repository = upstream.url
        source = "org/example/sample/1.1/sample-1.1-source-release.zip"
        upstream.put(source, b"source")
        upstream.put(
            "org/example/sample/maven-metadata.xml",
            b"<metadata><versioning><versions><version>1.1</version></versions></versioning></metadata>",
        )
        path = home.write(PIN, MAVEN, "org.example:sample")
        with pytest.raises(ReleaseCoolingError, match="nobody knows when"):
            do(home, name="maven/org.example:sample")
        upstream.headers[source] = {"Last-Modified": "Thu, 01 Jan 2026 00:00:00 GMT"}
        found = do(home, name="maven/org.example:sample")
        assert (found.version, found.pin, found.released) == ("1.1", digest(b"source"), OLD)
        assert load_recipe(path).versions["1.1"].sha256 == digest(b"source")


def test_git_pins_the_commit_that_an_annotated_tag_is_of(home: Home, repo: GitRepo) -> None:
    first = repo.commit({"a": "1"})
    second = repo.commit({"a": "2"})
    repo.git("tag", "-a", "-m", "one", "v1.1")
    path = home.write({"1.0": first}, GIT)
    found = do(home)
    assert (found.kind, found.pin) == ("commit", second)
    assert load_recipe(path).versions["1.1"].commit == second
    assert any("author's word" in note for note in found.notes)
    with pytest.raises(ReleaseMissingError, match=r"no release 1\.2"):
        do(home, "1.2")


def test_a_git_source_without_a_tag_pattern(home: Home, repo: GitRepo) -> None:
    home.write({"1.0": repo.commit({"a": "1"})}, "git: https://git.example.test/demo")
    for version in ("", "1.1"):
        with pytest.raises(ReleaseMissingError, match="no tag pattern") as caught:
            do(home, version)
        assert "by hand" in caught.value.remedy


def test_an_archive_by_its_address(home: Home) -> None:
    with serving(Repository({"sample-1.1.tar.gz": b"archive"})) as host:
        path = home.write(PIN, f"archive:\n    url: '{host.url}/sample-{{version}}.tar.gz'")
        with pytest.raises(ReleaseMissingError, match="nothing lists"):
            do(home)
        with pytest.raises(ReleaseMissingError, match=r"no release 1\.2"):
            do(home, "1.2")
        with pytest.raises(ReleaseCoolingError):
            do(home, "1.1")
        host.headers["sample-1.1.tar.gz"] = {"Last-Modified": "Thu, 01 Jan 2026 00:00:00 GMT"}
        assert do(home, "1.1").pin == digest(b"archive")
        assert load_recipe(path).pinned == ("1.0", "1.1")
        home.write(PIN, f"archive:\n    url: '{host.url}/sample-latest.tar.gz'")
        with pytest.raises(ReleaseMissingError, match="one address for every version"):
            do(home, "1.1")


def test_an_upstream_that_does_not_answer(home: Home, path: Path) -> None:
    home.python_index = "http://127.0.0.1:9/simple/"
    with pytest.raises(SourceUnavailableError):
        do(home)
    assert load_recipe(path).pinned == ("1.0",)
