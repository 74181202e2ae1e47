"""Scratch folders: gone at the end, and those of killed processes at the next start."""

from __future__ import annotations

import subprocess
import sys
from typing import TYPE_CHECKING

import pytest

from farm.config import Settings
from farm.pipeline.runtime import Runtime
from farm.sandbox.owner import is_gone, own_mark

if TYPE_CHECKING:
    from pathlib import Path

HOLD = """
import sys
from pathlib import Path
from farm.config import Settings
from farm.pipeline.runtime import Runtime
with Runtime(Settings(data=Path(sys.argv[1]))).scratch("build") as folder:
    (folder / "large").write_text("x")
    print("ready", flush=True)
    sys.stdin.read()
"""


def test_the_folder_of_a_killed_process_is_swept_and_of_a_live_one_never(tmp_path: Path) -> None:
    work = tmp_path / "work"
    child = subprocess.Popen([sys.executable, "-c", HOLD, str(tmp_path)], stdin=subprocess.PIPE, stdout=subprocess.PIPE)
    assert child.stdin
    assert child.stdout
    try:
        assert child.stdout.readline() == b"ready\n"
        [folder] = work.iterdir()
        with Runtime(Settings(data=tmp_path)).scratch("source") as own:
            assert {folder, own} == set(work.iterdir())
        assert (folder / "large").is_file()
    finally:
        child.kill()
        child.wait()
        child.stdin.close()
        child.stdout.close()
    assert (folder / "large").is_file()

    with Runtime(Settings(data=tmp_path)).scratch("source") as own:
        assert list(work.iterdir()) == [own]


def test_a_number_that_another_process_has_now(tmp_path: Path) -> None:
    place, _, _ = own_mark().rpartition("/")
    recycled = tmp_path / "work" / f"build.{place.replace('/', '.')}.1.abc"
    recycled.mkdir(parents=True)

    with Runtime(Settings(data=tmp_path)).scratch("source"):
        assert not recycled.exists()


@pytest.mark.parametrize(
    "name", ["build-abc", "build..abc", "build.1.2.3", "build.other-boot.1.999999999.1.abc", "x.y.z.a.b.c.d", ".abc"]
)
def test_what_cannot_be_judged_stays(tmp_path: Path, name: str) -> None:
    folder = tmp_path / "work" / name
    folder.mkdir(parents=True)

    with Runtime(Settings(data=tmp_path)).scratch("source"):
        assert folder.is_dir()


def test_a_process_without_a_mark_is_never_swept(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr("farm.pipeline.runtime.own_mark", lambda: "")
    with Runtime(Settings(data=tmp_path)).scratch("build") as first:
        with Runtime(Settings(data=tmp_path)).scratch("build"):
            assert first.is_dir()
        assert not is_gone("")


def test_the_root_may_be_taken_away_between_two_folders(tmp_path: Path) -> None:
    runtime = Runtime(Settings(data=tmp_path))
    for _ in range(2):
        with runtime.scratch("source") as folder:
            assert folder.is_dir()
        (tmp_path / "work").rmdir()
