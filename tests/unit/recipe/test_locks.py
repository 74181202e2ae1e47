from __future__ import annotations

import os
from typing import TYPE_CHECKING

import pytest

from farm.errors import LockMissingError, LockStaleError
from farm.model.lock import Lock, LockedFile
from farm.model.plan import Target
from farm.recipe.locks import lock_path, lock_text, read_lock, write_lock

if TYPE_CHECKING:
    from pathlib import Path

LOCK = Lock(
    package="python/sample-lib@1.4.2",
    target="cp311-linux-amd64",
    image="python311",
    basis="a" * 64,
    requirements={"test": ("pytest",), "build": ("setuptools",)},
    files=(
        LockedFile(
            filename="setuptools-80.9.0-py3-none-any.whl",
            name="setuptools",
            version="80.9.0",
            sha256="b" * 64,
            size=1,
            origin="index",
            roles=("build",),
            purl="pkg:pypi/setuptools@80.9.0",
        ),
    ),
)


def test_name_and_round_trip(tmp_path: Path) -> None:
    key = Target(platform="linux/amd64", interpreter="cp311").key
    path = lock_path(tmp_path, "1.4.2", key)
    assert path.relative_to(tmp_path).as_posix() == "locks/1.4.2-cp311-linux-amd64.json"
    write_lock(path, LOCK)
    assert read_lock(path) == LOCK
    assert path.read_text() == lock_text(LOCK)
    assert [p.name for p in path.parent.iterdir()] == [path.name]
    assert path.stat().st_mode & 0o777 == 0o644


def test_text_is_made_for_review() -> None:
    text = lock_text(LOCK)
    assert text.endswith("}\n")
    assert text.index('"basis"') < text.index('"files"') < text.index('"image"')
    assert text.index('"build": [') < text.index('"test": [')


def test_missing_and_unreadable(tmp_path: Path) -> None:
    path = tmp_path / "locks" / "1.json"
    with pytest.raises(LockMissingError, match=r"locks/1\.json"):
        read_lock(path)
    path.parent.mkdir()
    for text in ("", "{}", "[]", "{", lock_text(LOCK).replace('"image"', '"imgae"'), "\x00"):
        path.write_text(text)
        with pytest.raises(LockStaleError, match=r"locks/1\.json"):
            read_lock(path)


def test_what_is_no_file_is_no_lock(tmp_path: Path) -> None:
    os.mkfifo(tmp_path / "pipe.json")
    (tmp_path / "folder.json").mkdir()
    for name in ("pipe.json", "folder.json"):
        with pytest.raises(LockStaleError, match=f"{name} is no file"):
            read_lock(tmp_path / name)
