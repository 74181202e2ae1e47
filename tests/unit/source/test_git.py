from __future__ import annotations

import subprocess
from typing import TYPE_CHECKING

import pytest

from farm.errors import CommitNotFoundError, SourceUnavailableError, SourceUnsafeError, TagMovedError
from farm.model.plan import GitPin
from farm.source.giturl import download_location, relative_url
from tests.fixtures_source import BASE, WHEN, GitRepo, Taker

if TYPE_CHECKING:
    from pathlib import Path

    from farm.source.gitrun import GitRepository

URL = BASE + "demo"
EXECUTABLE = 0o755


def git(folder: Path, *arguments: str) -> str:
    done = subprocess.run(
        ["git", "-C", str(folder), *arguments],  # noqa: S607 - the git of this host
        capture_output=True,
        check=False,
        env={"HOME": "/nonexistent", "PATH": "/usr/bin:/bin", "GIT_CONFIG_NOSYSTEM": "1"},
    )
    assert done.returncode == 0, done.stderr.decode()
    return done.stdout.decode().strip()


def test_commit_with_tag_gives_the_tree_and_a_clean_git(repo: GitRepo, taker: Taker) -> None:
    repo.commit({"old.txt": "old"})
    (repo.path / "run.sh").write_text("#!/bin/sh\n")
    (repo.path / "run.sh").chmod(EXECUTABLE)
    (repo.path / "link").symlink_to("pkg/a.py")
    commit = repo.commit({"pkg/a.py": "a = 1\n", "empty": "", "big.bin": bytes(200_000), "ünïcode": "x"})
    repo.git("tag", "v1.0")
    repo.commit({"later.txt": "later"})

    snapshot = taker(GitPin(url=URL, commit=commit, tag="v1.0"))

    assert (snapshot.strength, snapshot.commit, snapshot.tag, snapshot.tag_object) == ("git", commit, "v1.0", None)
    assert snapshot.uri == f"git+{URL}@refs/tags/v1.0"
    assert snapshot.epoch == WHEN + 2
    assert snapshot.git_tree == repo.git("rev-parse", f"{commit}^{{tree}}")
    tree = taker.unpacked(snapshot)
    assert not (tree / "later.txt").exists()
    assert (tree / "run.sh").stat().st_mode & 0o777 == EXECUTABLE
    assert (tree / "big.bin").read_bytes() == bytes(200_000)
    assert git(tree, "status", "--porcelain") == ""
    assert git(tree, "describe", "--dirty", "--tags", "--long") == f"v1.0-0-g{commit[:7]}"
    assert git(tree, "rev-parse", "HEAD") == commit
    assert git(tree, "ls-files").splitlines() == git(repo.path, "ls-tree", "-r", "--name-only", commit).splitlines()
    git(tree, "fsck", "--strict")
    assert git(tree, "remote", "-v") == ""
    (tree / "pkg/a.py").write_text("a = 2\n")
    assert git(tree, "describe", "--dirty", "--tags").endswith("-dirty")


def test_annotated_and_nested_tags_resolve_to_their_commit(repo: GitRepo, taker: Taker) -> None:
    commit = repo.commit({"a": "1"})
    repo.git("tag", "-a", "inner", "-m", "inner")
    repo.git("tag", "-a", "v1", "inner", "-m", "outer")
    snapshot = taker(GitPin(url=URL, commit=commit, tag="v1"))
    assert snapshot.tag_object == repo.git("rev-parse", "v1")
    tree = taker.unpacked(snapshot)
    assert git(tree, "rev-parse", "v1^{commit}") == commit
    assert git(tree, "describe") == "v1"
    git(tree, "fsck", "--strict")


def test_two_clones_give_the_same_bytes(repo: GitRepo, taker: Taker, tmp_path: Path) -> None:
    repo.commit({"a": "1"})
    commit = repo.commit({"b/c": "2"})
    repo.git("tag", "v1")
    first = taker(GitPin(url=URL, commit=commit, tag="v1"))
    # Another clone with other branches, packs, and more history.
    repo.commit({"d": "3"})
    repo.git("branch", "other")
    repo.git("gc", "-q")
    second = Taker(tmp_path / "more", sources=taker.sources)(GitPin(url=URL, commit=commit, tag="v1"))
    assert first == second


def test_commit_without_tag_and_behind_the_branch(repo: GitRepo, taker: Taker) -> None:
    commit = repo.commit({"a": "1"})
    repo.commit({"a": "2"})
    snapshot = taker(GitPin(url=URL, commit=commit))
    assert snapshot.uri == f"git+{URL}@{commit}"
    tree = taker.unpacked(snapshot)
    assert (tree / "a").read_text() == "1"
    assert git(tree, "status", "--porcelain") == ""


def test_server_that_gives_no_single_commit_is_asked_for_all(
    repo: GitRepo, taker: Taker, tmp_path: Path, monkeypatch: pytest.MonkeyPatch, capfd: pytest.CaptureFixture[str]
) -> None:
    commit = repo.commit({"a": "1"})
    repo.commit({"a": "2"})
    # In the first protocol a server gives only what a branch or tag points to.
    config = tmp_path / "gitconfig"
    config.write_text("[protocol]\n\tversion = 0\n")
    monkeypatch.setenv("GIT_CONFIG_GLOBAL", str(config))
    assert taker(GitPin(url=URL, commit=commit)).commit == commit
    assert "fetching the whole history" in "".join(capfd.readouterr())


def test_sha256_repositories(tmp_path: Path, taker: Taker) -> None:
    repo = GitRepo(tmp_path / "repos" / "sha256", object_format="sha256")
    commit = repo.commit({"a": "1"})
    repo.git("tag", "-a", "v1", "-m", "v1")
    snapshot = taker(GitPin(url=BASE + "sha256", commit=commit, tag="v1"))
    tree = taker.unpacked(snapshot)
    assert git(tree, "describe", "--dirty") == "v1"
    assert git(tree, "status", "--porcelain") == ""


def test_subdirectory_must_be_there(repo: GitRepo, taker: Taker) -> None:
    commit = repo.commit({"python/pkg.py": "1"})
    assert taker(GitPin(url=URL, commit=commit, subdirectory="python")).subdirectory == "python"
    with pytest.raises(SourceUnsafeError, match="no folder 'rust'"):
        taker(GitPin(url=URL, commit=commit, subdirectory="rust"))


def test_missing_commit(repo: GitRepo, taker: Taker) -> None:
    repo.commit({"a": "1"})
    with pytest.raises(CommitNotFoundError, match="f" * 40):
        taker(GitPin(url=URL, commit="f" * 40))


def test_tag_that_points_elsewhere(repo: GitRepo, taker: Taker) -> None:
    pinned = repo.commit({"a": "1"})
    other = repo.commit({"a": "2"})
    repo.git("tag", "v1")
    with pytest.raises(TagMovedError) as caught:
        taker(GitPin(url=URL, commit=pinned, tag="v1"))
    assert caught.value.details == {"tag": "v1", "expected": pinned, "found": other}


def test_tag_that_is_gone(repo: GitRepo, taker: Taker) -> None:
    commit = repo.commit({"a": "1"})
    with pytest.raises(TagMovedError, match="no longer"):
        taker(GitPin(url=URL, commit=commit, tag="v1"))


def test_moved_tag_is_noticed_by_what_is_fetched_too(
    repo: GitRepo, taker: Taker, monkeypatch: pytest.MonkeyPatch
) -> None:
    pinned = repo.commit({"a": "1"})
    repo.git("branch", "old")
    repo.commit({"a": "2"})
    repo.git("tag", "v1")
    monkeypatch.setattr("farm.source.git.check_remote_tag", lambda *_: None)

    def everything(repository: GitRepository, url: str, *_: object) -> None:
        repository.run("fetch", "-q", url, "+refs/*:refs/*")

    monkeypatch.setattr("farm.source.git.fetch_commit", everything)
    with pytest.raises(TagMovedError):
        taker(GitPin(url=URL, commit=pinned, tag="v1"))


def test_repository_that_is_not_there(taker: Taker) -> None:
    with pytest.raises(SourceUnavailableError, match="ls-remote"):
        taker(GitPin(url=BASE + "nothing", commit="a" * 40, tag="v1"))
    with pytest.raises(SourceUnavailableError, match="fetch"):
        taker(GitPin(url=BASE + "nothing", commit="a" * 40))


def test_user_configuration_of_git_is_honoured(repo: GitRepo, tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    commit = repo.commit({"a": "1"})
    config = tmp_path / "gitconfig"
    config.write_text(f'[url "{tmp_path}/repos/"]\n\tinsteadOf = {BASE}\n')
    monkeypatch.setenv("GIT_CONFIG_GLOBAL", str(config))
    assert Taker(tmp_path / "takes")(GitPin(url=URL, commit=commit)).commit == commit


def test_runs_inside_a_git_hook(repo: GitRepo, taker: Taker, tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    commit = repo.commit({"a": "1"})
    other = GitRepo(tmp_path / "other")
    before = other.commit({"mine": "1"})
    for name, value in {"GIT_DIR": ".git", "GIT_WORK_TREE": ".", "GIT_INDEX_FILE": ".git/index"}.items():
        monkeypatch.setenv(name, str(other.path / value))
    assert taker(GitPin(url=URL, commit=commit)).commit == commit
    assert other.git("rev-parse", "HEAD") == before


def test_second_run_needs_no_repository_and_a_flipped_byte_does(repo: GitRepo, taker: Taker) -> None:
    commit = repo.commit({"a": "1"})
    pin = GitPin(url=URL, commit=commit)
    first = taker(pin)
    away = repo.path.rename(repo.path.with_name("away"))
    assert taker(pin) == first
    taker.vault.flip(first.archive)
    with pytest.raises(SourceUnavailableError):
        taker(pin)
    away.rename(repo.path)
    assert taker(pin) == first
    assert taker.vault.read(first.archive)


def test_submodules_only_when_asked_for(repo: GitRepo, taker: Taker, tmp_path: Path) -> None:
    inner = GitRepo(tmp_path / "repos" / "inner")
    inner_commit = inner.commit({"deep.c": "int x;\n"})
    middle = GitRepo(tmp_path / "repos" / "middle")
    middle.commit({".gitmodules": '[submodule "i"]\n\tpath = vendor/inner\n\turl = ../inner\n', "m.txt": "m"})
    middle.git("update-index", "--add", "--cacheinfo", f"160000,{inner_commit},vendor/inner")
    middle.git("commit", "-q", "-m", "link")
    middle_commit = middle.git("rev-parse", "HEAD")
    inner.commit({"deep.c": "int y;\n"})
    repo.commit({".gitmodules": f'[submodule "mid"]\n\tpath = sub\n\turl = {BASE}middle\n', "a": "1"})
    repo.git("update-index", "--add", "--cacheinfo", f"160000,{middle_commit},sub")
    repo.git("commit", "-q", "-m", "link")
    commit = repo.git("rev-parse", "HEAD")

    without = taker(GitPin(url=URL, commit=commit))
    assert without.files == 2
    full = taker(GitPin(url=URL, commit=commit, submodules=True))
    tree = taker.unpacked(full)
    assert (tree / "sub/m.txt").read_text() == "m"
    assert (tree / "sub/vendor/inner/deep.c").read_text() == "int x;\n"
    assert git(tree, "status", "--porcelain") == ""


@pytest.mark.parametrize(
    ("base", "url", "expected"),
    [
        ("https://h/a/b", "../c", "https://h/a/c"),
        ("https://h/a/b/", "../../c", "https://h/c"),
        ("https://h/a/b.git", "./c", "https://h/a/b.git/c"),
        ("git@h:a/b", "../c", "git@h:a/c"),
        ("https://h/a/b", "https://i/c", "https://i/c"),
    ],
)
def test_relative_addresses_of_submodules(base: str, url: str, expected: str) -> None:
    assert relative_url(base, url) == expected


@pytest.mark.parametrize(
    ("url", "expected"),
    [
        ("https://h/a", "git+https://h/a@refs/tags/v1"),
        ("git@h:a/b", "git+ssh://git@h/a/b@refs/tags/v1"),
        ("ssh://git@h/a/b", "git+ssh://git@h/a/b@refs/tags/v1"),
        ("https://user:secret@h/a", "git+https://h/a@refs/tags/v1"),
    ],
)
def test_download_locations(url: str, expected: str) -> None:
    assert download_location(url, "c" * 40, "v1") == expected


def test_a_checkout_of_another_user_can_be_a_source(
    repo: GitRepo, taker: Taker, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    commit = repo.commit({"a": "1"})
    repo.git("tag", "v1")
    user = tmp_path / "user.gitconfig"
    user.write_text("[protocol]\n\tversion = 0\n")
    monkeypatch.setenv("GIT_CONFIG_GLOBAL", str(user))
    monkeypatch.setenv("GIT_TEST_ASSUME_DIFFERENT_OWNER", "1")
    with pytest.raises(SourceUnavailableError, match=r"safe\.directory"):
        # A folder that the recipe names and the user's settings do not is not trusted.
        taker(GitPin(url=f"file://{repo.path}", commit=commit))
    assert taker(GitPin(url=URL, commit=commit, tag="v1")).commit == commit
    files = Taker(tmp_path / "other", sources={"https://git.example.test": f"file://{tmp_path}/repos"})
    assert files(GitPin(url=URL, commit=commit)).commit == commit
    (config,) = (tmp_path / "other").rglob("repository.gitconfig")
    assert str(user) in config.read_text()
