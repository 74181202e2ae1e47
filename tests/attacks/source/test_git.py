"""Repositories made by an attacker, and secrets that must not get out."""

from __future__ import annotations

import traceback
from typing import TYPE_CHECKING

import pytest

from farm.errors import FarmError, SourcePinError, SourceUnavailableError, SourceUnsafeError
from farm.model.plan import GitPin
from farm.source import git as source_git
from farm.source.safety import Caps
from tests.fixtures_source import BASE, GitRepo, Taker

if TYPE_CHECKING:
    from pathlib import Path

URL = BASE + "demo"
SECRET = "hunter2-s3cret"


@pytest.mark.parametrize("commit", ["", "abc1234", "main", "v1.0", "A" * 40, "a" * 39, "a" * 41, "--upload-pack=x"])
def test_what_is_no_full_commit_is_no_pin(commit: str, taker: Taker) -> None:
    pin = GitPin.model_construct(kind="git", url=URL, commit=commit, tag=None, subdirectory="", submodules=False)
    with pytest.raises(SourcePinError):
        taker(pin)


@pytest.mark.parametrize(
    "url",
    [
        "--upload-pack=touch /tmp/pwned",
        "-oProxyCommand=touch /tmp/pwned",
        "ext::sh -c touch% /tmp/pwned",
        "fd::17",
        "transport::address",
        "ssh://-oProxyCommand=x/y",
        "/etc",
        "../elsewhere",
        "https://h/x\n--upload-pack=x",
        f"https://user:{SECRET}@h/x",
        f"https://{SECRET}@h/x",
    ],
)
def test_addresses_that_are_options_commands_or_hold_secrets(url: str, taker: Taker) -> None:
    with pytest.raises((SourcePinError, SourceUnavailableError)) as caught:
        taker(GitPin(url=url, commit="a" * 40))
    assert SECRET not in str(caught.value)


def test_hooks_filters_and_attributes_run_nothing(
    repo: GitRepo, taker: Taker, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    trap = tmp_path / "trap"
    commit = repo.commit(
        {
            ".gitattributes": "*.txt filter=evil diff=evil merge=evil\n*.bin filter=lfs\n*.c text eol=crlf ident\n",
            "a.txt": "content\n",
            "big.bin": "oid sha256:0\n",
            "x.c": "$Id$\nline\n",
            ".lfsconfig": "[lfs]\n\turl = ext::x\n",
        }
    )
    # The worker's user has filters, hooks, templates and a monitor configured, as people have.
    hooks = tmp_path / "hooks"
    hooks.mkdir()
    for name in ("post-checkout", "reference-transaction", "post-merge", "fsmonitor", "post-index-change"):
        (hooks / name).write_text(f"#!/bin/sh\ntouch {trap}\n")
        (hooks / name).chmod(0o755)
    config = tmp_path / "gitconfig"
    config.write_text(
        f"[core]\n\thooksPath = {hooks}\n\tfsmonitor = {hooks}/fsmonitor\n[init]\n\ttemplateDir = {tmp_path}\n"
        f'[filter "evil"]\n\tsmudge = touch {trap}\n\tclean = touch {trap}\n\trequired = true\n'
        f'[filter "lfs"]\n\tsmudge = touch {trap}\n\tprocess = touch {trap}\n'
    )
    monkeypatch.setenv("GIT_CONFIG_GLOBAL", str(config))
    tree = taker.unpacked(taker(GitPin(url=URL, commit=commit)))
    assert not trap.exists()
    assert (tree / "a.txt").read_text() == "content\n"
    assert (tree / "x.c").read_bytes() == b"$Id$\nline\n"
    assert not (tree / ".git/hooks").exists()
    assert "evil" not in (tree / ".git/config").read_text()


def test_credentials_of_insteadof_are_in_no_error_log_or_snapshot(
    taker: Taker, capfd: pytest.CaptureFixture[str]
) -> None:
    taker.sources = {BASE: f"http://user:{SECRET}@127.0.0.1:9/"}
    for tag in (None, "v1"):
        with pytest.raises(FarmError) as caught:
            taker(GitPin(url=URL, commit="a" * 40, tag=tag))
        assert SECRET not in "".join(traceback.format_exception(caught.value))
        assert SECRET not in str(caught.value.as_json())
    out, err = capfd.readouterr()
    assert SECRET not in out + err


def test_credentials_are_not_in_what_is_kept(
    repo: GitRepo, taker: Taker, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    commit = repo.commit({"a": "1"})
    repo.git("tag", "v1")
    config = tmp_path / "gitconfig"
    config.write_text(
        f"[http]\n\textraHeader = Authorization: Basic {SECRET}\n"
        f'[url "https://user:{SECRET}@elsewhere.example.test/"]\n\tinsteadOf = https://elsewhere.example.test/\n'
    )
    monkeypatch.setenv("GIT_CONFIG_GLOBAL", str(config))
    snapshot = taker(GitPin(url=URL, commit=commit, tag="v1"))
    assert SECRET not in snapshot.model_dump_json()
    for blob in taker.vault.blobs.values():
        assert SECRET.encode() not in blob
    archive = taker.vault.read(snapshot.archive)
    assert str(tmp_path).encode() not in archive


def submodule(repo: GitRepo, commit: str, text: str) -> str:
    repo.commit({".gitmodules": text})
    repo.git("update-index", "--add", "--cacheinfo", f"160000,{commit},sub")
    repo.git("commit", "-q", "-m", "link")
    return repo.git("rev-parse", "HEAD")


@pytest.mark.parametrize(
    "url",
    [
        "-u./payload",
        "--upload-pack=touch pwned",
        "ext::sh -c touch% pwned",
        "/etc",
        "file:///root/private",
        f"https://user:{SECRET}@h/x",
        "",
    ],
)
def test_submodule_addresses(url: str, repo: GitRepo, taker: Taker) -> None:
    commit = submodule(repo, "a" * 40, f'[submodule "x"]\n\tpath = sub\n\turl = "{url}"\n')
    with pytest.raises(SourceUnsafeError) as caught:
        taker(GitPin(url=URL, commit=commit, submodules=True))
    assert SECRET not in str(caught.value)
    if url.startswith("-"):
        return  # git's own check of objects refuses these, whoever asks
    # Where nobody asked for submodules, nobody looks at their addresses.
    assert taker(GitPin(url=URL, commit=commit)).files == 1


def test_submodule_without_gitmodules(repo: GitRepo, taker: Taker) -> None:
    commit = submodule(repo, "a" * 40, "")
    with pytest.raises(SourceUnsafeError, match="no address"):
        taker(GitPin(url=URL, commit=commit, submodules=True))


@pytest.mark.parametrize(
    ("target", "refused"),
    [("/etc/passwd", True), ("../outside", True), ("a/../../../outside", True), (".", False), ("a", False)],
)
def test_links_of_a_repository(target: str, refused: bool, repo: GitRepo, taker: Taker) -> None:  # noqa: FBT001 - a table
    (repo.path / "link").symlink_to(target)
    commit = repo.commit({"a": "1"})
    if refused:
        with pytest.raises(SourceUnsafeError, match="link"):
            taker(GitPin(url=URL, commit=commit))
    else:
        assert taker(GitPin(url=URL, commit=commit)).files == 2


@pytest.mark.parametrize("name", ["..", ".git", ".GIT", "."])
def test_trees_with_names_that_git_itself_would_not_make(name: str, repo: GitRepo, taker: Taker) -> None:
    blob = repo.blob(b"evil")
    tree = f"100644 {name}".encode() + b"\0" + bytes.fromhex(blob)
    made = repo.git("hash-object", "-t", "tree", "-w", "--literally", "--stdin", given=tree)
    commit = repo.git("commit-tree", made, "-m", "odd")
    repo.git("update-ref", "refs/heads/main", commit)
    with pytest.raises((SourceUnsafeError, SourceUnavailableError)):
        taker(GitPin(url=URL, commit=commit))


def test_trees_that_name_each_other_without_end_are_counted(
    repo: GitRepo, tmp_path: Path, taker: Taker, monkeypatch: pytest.MonkeyPatch
) -> None:
    blob = repo.blob(b"x")
    entry, tree = f"100644 blob {blob}", ""
    for _ in range(12):
        lines = "".join(f"{entry}\tn{n}\n" for n in range(8))
        tree = repo.git("mktree", given=lines.encode())
        entry = f"040000 tree {tree}"
    commit = repo.git("commit-tree", tree, "-m", "bomb")
    repo.git("update-ref", "refs/heads/main", commit)
    work = tmp_path / "work"
    work.mkdir()
    monkeypatch.delenv("GIT_DIR", raising=False)
    with pytest.raises(SourceUnsafeError, match="more than 1000 entries"):
        source_git.take_git(
            GitPin(url=URL, commit=commit),
            vault=taker.vault,
            work=work,
            sources=taker.sources,
            caps=Caps(entries=1000),
        )


def test_large_blobs_stop_at_the_cap(repo: GitRepo, tmp_path: Path, taker: Taker) -> None:
    commit = repo.commit({"zeros": bytes(4 << 20)})
    work = tmp_path / "work"
    work.mkdir()
    with pytest.raises(SourceUnsafeError, match="more than 1048576 bytes"):
        source_git.take_git(
            GitPin(url=URL, commit=commit),
            vault=taker.vault,
            work=work,
            sources=taker.sources,
            caps=Caps(tree_bytes=1 << 20),
        )


@pytest.mark.parametrize("commit", ["a" * 40 + "\n", "a" * 39 + "\n", "a" * 63 + "\n"])
def test_a_line_end_is_no_part_of_a_pin(taker: Taker, commit: str) -> None:
    pin = GitPin(url=URL, commit="a" * 40).model_copy(update={"commit": commit})
    with pytest.raises(SourcePinError, match="no full commit"):
        taker(pin)
