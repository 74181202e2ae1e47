from __future__ import annotations

import json
import subprocess
import sys
from typing import TYPE_CHECKING

import pytest

from farm.ecosystems.maven.build import counted_tests, guest_mount
from farm.ecosystems.maven.guest import reports
from farm.ecosystems.run import Run
from farm.errors import BuildFailedError
from farm.model.build import TestCounts, Usage
from farm.sandbox.base import SandboxResult

if TYPE_CHECKING:
    from pathlib import Path


def suite(tests: str = "3", failures: str = "0", errors: str = "0", skipped: str = "1") -> str:
    return f'<testsuite tests="{tests}" failures="{failures}" errors="{errors}" skipped="{skipped}"><x/></testsuite>'


def put(folder: Path, name: str, text: str) -> None:
    path = folder / name
    path.parent.mkdir(parents=True, exist_ok=True)
    path.write_text(text)


def test_the_sum_over_all_modules_and_both_plugins(tmp_path: Path) -> None:
    put(tmp_path, "target/surefire-reports/TEST-a.B.xml", suite())
    put(tmp_path, "lib/target/surefire-reports/TEST-a.C.xml", suite("2", "1", "1", "0"))
    put(tmp_path, "lib/target/failsafe-reports/TEST-a.DIT.xml", suite("1", skipped="0"))
    put(tmp_path, "lib/target/failsafe-reports/failsafe-summary.xml", "<x/>")
    put(tmp_path, "lib/target/surefire-reports/a.C.txt", "x")
    assert reports.count(tmp_path) == {"tests": 6, "failures": 1, "errors": 1, "skipped": 1}


@pytest.mark.parametrize("text", ["", "<testsuite", suite("-5"), suite("x"), suite("9" * 30), suite("\u0663")])
def test_an_unreadable_report_is_an_error(tmp_path: Path, text: str) -> None:
    put(tmp_path, "target/surefire-reports/TEST-a.B.xml", text)
    assert reports.count(tmp_path)["errors"] == 1
    assert reports.count(tmp_path)["tests"] == 0


def test_reports_that_came_with_the_source_are_none(tmp_path: Path) -> None:
    for folder in ("src/test/resources/x", "target/test-classes/x", "target/classes"):
        put(tmp_path, f"{folder}/surefire-reports/TEST-a.B.xml", suite("100"))
    assert reports.count(tmp_path)["tests"] == 0


def test_it_runs_by_itself(tmp_path: Path) -> None:
    put(tmp_path, "src/target/surefire-reports/TEST-a.B.xml", suite())
    program = guest_mount().source / "reports.py"
    argv = [sys.executable, "-I", "-B", str(program), str(tmp_path / "src"), str(tmp_path / "tests.json")]
    subprocess.run(argv, check=True)
    assert json.loads((tmp_path / "tests.json").read_text())["tests"] == 3


def run_of(folder: Path, text: str | None) -> Run:
    log = folder / "log"
    log.write_text("said")
    if text is not None:
        put(folder, "out/tests.json", text)
    return Run(SandboxResult(0, "", "p", Usage(seconds=1), ""), folder / "out", log, folder / "kept.log")


def test_what_was_counted(tmp_path: Path) -> None:
    text = json.dumps({"tests": 4, "skipped": 1, "failures": 1, "errors": 1})
    assert counted_tests(run_of(tmp_path, text)) == TestCounts(run=4, skipped=1, failed=2)


@pytest.mark.parametrize(
    "text", [None, "", "[]", "{}", '{"tests": null, "skipped": 0, "failures": 0, "errors": 0}',
             '{"tests": -1, "skipped": 0, "failures": 0, "errors": 0}', '{"tests": "many"}'],
)  # fmt: skip
def test_what_was_not_counted(tmp_path: Path, text: str | None) -> None:
    with pytest.raises(BuildFailedError, match="could not be counted"):
        counted_tests(run_of(tmp_path, text))
