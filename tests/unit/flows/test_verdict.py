from __future__ import annotations

import pytest
from hypothesis import given
from hypothesis import strategies as st

from farm.errors import FarmError, LockStaleError, registry
from farm.flows.verdict import as_message, read_outcome


@given(st.sampled_from(sorted(registry())), st.text(), st.text(), st.dictionaries(st.text(), st.text()))
def test_every_error_comes_back_with_its_exit_code(
    code: int, message: str, remedy: str, details: dict[str, str]
) -> None:
    error = registry()[code](message, remedy=remedy, details=details)
    outcome = read_outcome("FAILED", as_message(error))
    assert outcome.exit_code == code
    assert outcome.state == "FAILED"
    assert "farm-error" not in outcome.message or "farm-error" in message + remedy
    assert message in outcome.message


def test_message_says_class_code_and_remedy_to_people() -> None:
    outcome = read_outcome("FAILED", as_message(LockStaleError("the lock of x is stale")))
    assert outcome.message.splitlines()[0] == "LockStaleError (exit code 31): the lock of x is stale"
    assert "farm lock" in outcome.message.splitlines()[1]


def test_completed_is_zero() -> None:
    assert read_outcome("COMPLETED", "published").exit_code == 0


@pytest.mark.parametrize(("state", "code"), [("FAILED", 1), ("CRASHED", 96), ("CANCELLED", 96)])
def test_end_without_a_result_is_never_zero(state: str, code: int) -> None:
    assert read_outcome(state, "something").exit_code == code
    assert read_outcome(state, "").message


@pytest.mark.parametrize("line", ["{", "[]", "{}", '{"exit_code": 0}', '{"exit_code": "31"}', '{"exit_code": 1e9}'])
def test_forged_or_broken_lines_are_never_zero(line: str) -> None:
    assert read_outcome("FAILED", f"words\nfarm-error: {line}").exit_code == FarmError.exit_code
