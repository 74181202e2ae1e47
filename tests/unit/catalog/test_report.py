"""The report of a night, as people read it."""

from __future__ import annotations

import errno
from typing import TYPE_CHECKING

import pytest

from farm.catalog.night import NightReport, NodeEnd
from farm.catalog.report import render, write_report
from farm.errors import DiskFullError
from tests.fixtures_nodes import World, nid

if TYPE_CHECKING:
    from pathlib import Path

REPORT = NightReport(
    ended_with=97,
    nodes=(
        NodeEnd(id="python/odd", state="failed", message="no recipe", error="RecipeError", exit_code=10),
        NodeEnd(id=nid("a"), state="built", seconds=61.26, message="a-1.0-py3-none-any.whl"),
        NodeEnd(id=nid("b"), state="unchanged"),
        NodeEnd(id=nid("c"), state="failed", message="no\ncompiler \x1b[31m|", error="BuildFailedError", exit_code=41),
        NodeEnd(id=nid("d"), state="failed", message="no linker", error="BuildFailedError", exit_code=41),
        NodeEnd(id=nid("e"), state="blocked", message="it needs c, which failed"),
        NodeEnd(id=nid("f"), state="drifted", message="f.whl: 1 before, 2 now"),
        NodeEnd(id=nid("g"), state="reproduced", seconds=3, message="the bytes agree"),
    ),
    markdown="",
    path="",
    counts={"built": 1, "unchanged": 1, "reproduced": 1, "failed": 3, "blocked": 1, "drifted": 1},
    started_on="2026-01-01T02:00:00Z",
    finished_on="2026-01-01T02:10:00Z",
    notes=("the cycle of x settled",),
    rebuilt={nid("a"): "2/3", nid("b"): "1/1"},
    oldest_unverified=f"{nid('b')} since 2025-12-01T00:00:00Z",
    snapshot="7 sha256:00",
)
GOLDEN = """\
# Catalog rebuild of 2026-01-01T02:00:00Z

1 built, 1 unchanged, 1 reproduced, 3 failed, 1 blocked, 1 drifted. Ended 2026-01-01T02:10:00Z.

## Failures, by cause

### BuildFailedError (2)

- `python/c@1.0:cp311-linux-amd64`: no compiler \\|
- `python/d@1.0:cp311-linux-amd64`: no linker

### RecipeError (1)

- `python/odd`: no recipe

### drifted (1)

- `python/f@1.0:cp311-linux-amd64`: f.whl: 1 before, 2 now

## Blocked

- `python/e@1.0:cp311-linux-amd64`: it needs c, which failed

## Built

| Package | State | Seconds | Rebuilt inputs | |
|---|---|---:|---:|---|
| `python/a@1.0:cp311-linux-amd64` | built | 61.3 | 2/3 | a-1.0-py3-none-any.whl |
| `python/g@1.0:cp311-linux-amd64` | reproduced | 3.0 |  | the bytes agree |

## Notes

- the cycle of x settled

Oldest unverified: python/b@1.0:cp311-linux-amd64 since 2025-12-01T00:00:00Z.

Signed snapshot: 7 sha256:00.
"""


def test_a_report_says_what_came_of_a_night() -> None:
    assert render(REPORT) == GOLDEN


def test_it_is_written_for_people_and_for_machines(tmp_path: Path) -> None:
    written = write_report(World({}, tmp_path).rt, REPORT, "0123456789abcdef")
    (markdown, machine) = sorted((tmp_path / "data" / "reports").iterdir(), reverse=True)
    assert markdown.name == "2026-01-01T020000Z-01234567.md"
    assert str(markdown) == written.path
    assert markdown.read_text() == written.markdown == GOLDEN
    assert NightReport.model_validate_json(machine.read_bytes()) == written


def test_a_night_in_which_nothing_was_to_do_says_so() -> None:
    empty = NightReport(
        ended_with=0, nodes=(), markdown="", path="", counts={"built": 0}, started_on="s", finished_on="f"
    )
    assert render(empty) == "# Catalog rebuild of s\n\nnothing to do. Ended f.\n"


def test_no_room_for_the_report_is_said(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    def full(*_: object, **__: object) -> int:
        raise OSError(errno.ENOSPC, "No space left on device")

    monkeypatch.setattr("pathlib.Path.write_text", full)
    with pytest.raises(DiskFullError):
        World({}, tmp_path).put_in(monkeypatch).night()
