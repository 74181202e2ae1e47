"""Whoever can write to the vault rewrites the record of a snapshot, such that it fits a tree of theirs."""

from __future__ import annotations

import io
import tarfile
from typing import TYPE_CHECKING, Any

import pytest

from farm.errors import SourceDigestError
from farm.model.base import sha256_bytes
from farm.model.plan import ArchivePin, GitPin
from farm.model.source import SourceSnapshot
from tests.fixtures_source import BASE, GitRepo, Taker, header, tar_of

if TYPE_CHECKING:
    from collections.abc import Callable
    from pathlib import Path

URL = BASE + "demo"
EVIL = b"import os  # evil\n"
HONEST = b"import sys  # good\n"


def changed_tar(data: bytes, change: Callable[[str, bytes], bytes], **more: bytes) -> bytes:
    """Return the tar with `change` on every file, and `more` files."""
    out = io.BytesIO()
    with tarfile.open(fileobj=io.BytesIO(data)) as old, tarfile.open(fileobj=out, mode="w") as new:
        for member in old:
            stream = old.extractfile(member)
            content = b"" if stream is None else change(member.name, stream.read())
            member.size = len(content)
            new.addfile(member, io.BytesIO(content))
        for name, content in more.items():
            member = header(name, tarfile.REGTYPE)
            member.size = len(content)
            new.addfile(member, io.BytesIO(content))
    return out.getvalue()


def evil(name: str, content: bytes) -> bytes:
    return EVIL if name == "setup.py" else content


def forge(taker: Taker, tar: bytes, **values: Any) -> SourceSnapshot:
    """Let the one record say `tar` and `values`, all else as it was; return what it says now."""
    ((key, data),) = taker.vault.records.items()
    honest = SourceSnapshot.model_validate_json(data)
    forged = honest.model_copy(update={"archive": taker.vault.put_bytes(tar), **values})
    taker.vault.put_record(*key, forged.canonical())
    return forged


@pytest.fixture
def archive(taker: Taker) -> ArchivePin:
    """Give the pin of an archive."""
    taker.archive = tar_of(("demo/setup.py", HONEST))
    return ArchivePin(kind="pypi-sdist", name="demo", version="1.0", sha256=sha256_bytes(taker.archive))


@pytest.fixture
def commit(repo: GitRepo) -> GitPin:
    """Give the pin of a commit with an annotated tag, an executable, a link and a folder."""
    (repo.path / "link").symlink_to("setup.py")
    repo.commit({"setup.py": HONEST, "sub/run.sh": "#!/bin/sh\n"})
    (repo.path / "sub/run.sh").chmod(0o755)
    found = repo.commit({"other.py": "1\n"})
    repo.git("tag", "-a", "v1", "-m", "one")
    return GitPin(url=URL, commit=found, tag="v1")


def test_an_archive_is_unpacked_again(taker: Taker, archive: ArchivePin) -> None:
    honest = taker(archive)
    forged = forge(taker, changed_tar(taker.vault.read(honest.archive), evil))
    assert taker(archive) == forged  # the record is believed where nothing is built
    assert taker(archive, prove=True) == honest
    assert taker.fetched == 1
    assert (taker.unpacked(honest) / "setup.py").read_bytes() == HONEST
    assert taker(archive) == honest


@pytest.mark.parametrize("field", ["tree_digest", "epoch", "files", "size", "subdirectory", "strength", "commit"])
def test_no_other_field_is_believed_either(taker: Taker, archive: ArchivePin, field: str) -> None:
    honest = taker(archive)
    values = {"tree_digest": "a" * 64, "epoch": 1_700_000_000, "strength": "git", "commit": "b" * 40}
    forge(taker, taker.vault.read(honest.archive), **{field: values.get(field, "x" if field == "subdirectory" else 7)})
    assert taker(archive, prove=True) == honest


def test_the_original_is_the_pinned_one_not_the_recorded_one(taker: Taker, archive: ArchivePin) -> None:
    honest = taker(archive)
    other = taker.vault.put_bytes(tar_of(("demo/setup.py", EVIL)))
    tar = changed_tar(taker.vault.read(honest.archive), evil)
    forge(taker, tar, original=other, origin_sha256=other.sha256)
    assert taker(archive, prove=True) == honest
    assert taker.fetched == 2
    forge(taker, tar, original=other)
    taker.archive = tar_of(("demo/setup.py", EVIL))
    with pytest.raises(SourceDigestError):
        taker(archive, prove=True)


@pytest.mark.parametrize(
    "uri",
    [
        "pkg:pypi/other@1.0",
        "pkg:pypi/demo@1.0.1",
        "pkg:pypi/demo@1.0?file_name=x&repository_url=y",
        "pkg:pypi/demo@1.0?file_name=x\n",
        "https://demo.example.test/x",
    ],
)
def test_where_an_archive_is_from_is_not_believed(taker: Taker, archive: ArchivePin, uri: str) -> None:
    honest = taker(archive)
    forge(taker, taker.vault.read(honest.archive), uri=uri)
    assert taker(archive, prove=True) == honest


def test_a_commit_is_put_together_again_without_the_network(taker: Taker, repo: GitRepo, commit: GitPin) -> None:
    honest = taker(commit)
    assert honest.tag_object is not None
    repo.path.rename(repo.path.with_name("away"))
    blobs = dict(taker.vault.blobs)
    assert taker(commit, prove=True) == honest
    assert taker.vault.blobs == blobs


def test_sha256_repositories_too(taker: Taker, tmp_path: Path) -> None:
    repo = GitRepo(tmp_path / "repos" / "large", object_format="sha256")
    pin = GitPin(url=BASE + "large", commit=repo.commit({"setup.py": HONEST, "big": b"x" * 200_000}))
    honest = taker(pin)
    repo.path.rename(repo.path.with_name("away"))
    assert taker(pin, prove=True) == honest


def other_link(data: bytes) -> bytes:
    out = io.BytesIO()
    with tarfile.open(fileobj=io.BytesIO(data)) as old, tarfile.open(fileobj=out, mode="w") as new:
        for member in old:
            member.linkname = "other.py" if member.issym() else ""
            member.mode |= 0o111
            new.addfile(member, old.extractfile(member))
    return out.getvalue()


TARS: dict[str, Callable[[bytes], bytes]] = {
    "a file": lambda tar: changed_tar(tar, evil),
    "one more file": lambda tar: changed_tar(tar, lambda _, content: content, **{"evil.py": EVIL}),
    "a hook": lambda tar: changed_tar(tar, lambda _, content: content, **{".git/hooks/post-checkout": EVIL}),
    "modes and links": other_link,
    "the file and its object": lambda tar: changed_tar(
        tar, lambda name, content: evil(name, content.replace(HONEST, EVIL + b" "))
    ),
    "every object": lambda tar: changed_tar(
        tar, lambda name, content: b"x\x9c\x03\x00" if "/objects/" in name else evil(name, content)
    ),
    "the tag": lambda tar: changed_tar(
        tar, lambda name, content: b"f" * 40 if name.endswith("/v1") else evil(name, content)
    ),
    "no tar": lambda _: b"evil" * 1000,
    "nothing": lambda _: b"",
    "the end": lambda tar: tar[: len(tar) // 2],
}


@pytest.mark.parametrize("change", TARS.values(), ids=TARS)
def test_a_tree_that_is_not_the_commits(change: Callable[[bytes], bytes], taker: Taker, commit: GitPin) -> None:
    honest = taker(commit)
    forged = forge(taker, change(taker.vault.read(honest.archive)))
    assert forged != honest
    assert taker(commit, prove=True) == honest
    assert (taker.unpacked(honest) / "setup.py").read_bytes() == HONEST
    assert taker(commit) == honest


def test_the_tree_of_another_commit(taker: Taker, repo: GitRepo, commit: GitPin) -> None:
    honest = taker(commit)
    other = Taker(taker.root / "other", sources=taker.sources)
    snapshot = other(GitPin(url=URL, commit=repo.commit({"setup.py": EVIL})))
    tar = other.vault.read(snapshot.archive)
    forge(taker, tar, tree_digest=snapshot.tree_digest, git_tree=snapshot.git_tree, commit=snapshot.commit)
    assert taker(commit, prove=True) == honest


def test_files_of_submodules_are_fetched_again(taker: Taker, repo: GitRepo, tmp_path: Path) -> None:
    inner = GitRepo(tmp_path / "repos" / "inner").commit({"code.py": HONEST})
    repo.git("update-index", "--add", "--cacheinfo", f"160000,{inner},inner")
    (repo.path / "inner").mkdir()
    text = f'[submodule "inner"]\n\tpath = inner\n\turl = {BASE}inner\n'
    (repo.path / ".gitmodules").write_text(text)
    repo.git("add", ".gitmodules")
    repo.git("commit", "-q", "-m", "with submodule")
    pin = GitPin(url=URL, commit=repo.git("rev-parse", "HEAD"), submodules=True)
    honest = taker(pin)
    tar = changed_tar(
        taker.vault.read(honest.archive), lambda name, content: EVIL if name == "inner/code.py" else content
    )
    forge(taker, tar)
    assert taker(pin, prove=True) == honest
    assert (taker.unpacked(honest) / "inner/code.py").read_bytes() == HONEST


def test_what_this_process_made_itself_is_not_made_twice(taker: Taker, commit: GitPin) -> None:
    made: set[SourceSnapshot] = set()
    honest = taker(commit, made=made)
    assert made == {honest}
    assert taker(commit, made=made, prove=True) == honest
    assert not (taker.root / f"take-{taker.count}" / "source.tar").exists()
    forged = forge(taker, changed_tar(taker.vault.read(honest.archive), evil))
    assert taker(commit, made=made, prove=True) == honest
    assert forged not in made
