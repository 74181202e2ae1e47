"""Build tags decide which file installers take: a backend or a recipe must not choose one."""

from __future__ import annotations

from typing import TYPE_CHECKING

import pytest

from farm.ecosystems.python.guards import guard_wheel
from farm.errors import GuardError, SigningRefusedError
from farm.languages import language
from tests.fixtures_python import plan_of, wheel_files, write_wheel

if TYPE_CHECKING:
    from pathlib import Path

PLAN = plan_of("sample", "1.0")
HEAD = "Wheel-Version: 1.0\nGenerator: test\nRoot-Is-Purelib: true\nTag: py3-none-any\n"


@pytest.mark.parametrize("tag", ["1", "999", "01", "1custom"])
def test_a_backend_gives_its_wheel_a_build_tag(tmp_path: Path, tag: str) -> None:
    name = f"sample-1.0-{tag}-py3-none-any.whl"
    path = write_wheel(tmp_path, wheel_files(wheel=f"{HEAD}Build: {tag}\n"), name)
    with pytest.raises(GuardError, match=r"build number|no wheel filename of farm's"):
        guard_wheel(path, PLAN)


def test_the_error_says_where_the_tag_comes_from(tmp_path: Path) -> None:
    path = write_wheel(tmp_path, wheel_files(wheel=f"{HEAD}Build: 7\n"), "sample-1.0-7-py3-none-any.whl")
    with pytest.raises(GuardError, match="its build number is 7, not none") as caught:
        guard_wheel(path, PLAN)
    assert "config_settings" in caught.value.remedy


@pytest.mark.parametrize(
    ("lines", "number"),
    [("Build: 1\n", 0), ("", 1), ("Build: 2\n", 1), ("Build: 1\nBuild: 1\n", 1), ("Build: 01\n", 1)],
)
def test_the_file_says_another_number_than_its_name(tmp_path: Path, lines: str, number: int) -> None:
    name = f"sample-1.0-{number}-py3-none-any.whl" if number else "sample-1.0-py3-none-any.whl"
    path = write_wheel(tmp_path, wheel_files(wheel=HEAD + lines), name)
    with pytest.raises(GuardError, match="build number"):
        guard_wheel(path, PLAN, number=number)


def test_a_number_that_the_finish_step_did_not_give(tmp_path: Path) -> None:
    path = write_wheel(tmp_path, wheel_files(wheel=f"{HEAD}Build: 2\n"), "sample-1.0-2-py3-none-any.whl")
    guard_wheel(path, PLAN, number=2)
    for number in (0, 1, 3):
        with pytest.raises(GuardError, match="build number"):
            guard_wheel(path, PLAN, number=number)


def test_the_signer_takes_all_numbers_of_a_wheel_for_one_file() -> None:
    """A run has one of them signed and no second one, so that a worker cannot lay in stock."""
    release = language("python").release
    names = ["sample-1.0-py3-none-any.whl", "sample-1.0-1-py3-none-any.whl", "sample-1.0-12-py3-none-any.whl"]
    assert len({release(PLAN, name) for name in names}) == 1
    assert release(PLAN, names[0]) != release(PLAN, "sample-1.0-1-py2.py3-none-any.whl")


@pytest.mark.parametrize("tag", ["0", "01", "1a", "1000000000", "\u0661"])
def test_the_signer_knows_one_spelling_of_a_number(tag: str) -> None:
    with pytest.raises(SigningRefusedError):
        language("python").release(PLAN, f"sample-1.0-{tag}-py3-none-any.whl")
