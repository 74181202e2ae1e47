from __future__ import annotations

from typing import TYPE_CHECKING

import pytest
from hypothesis import given
from hypothesis import strategies as st

from farm.errors import VerificationError
from farm.evidence.facts import ProvenanceFacts, read_statement
from farm.evidence.provenance import BuilderClaim, statement
from farm.evidence.summary import markdown
from farm.model.base import BlobRef

if TYPE_CHECKING:
    from collections.abc import Callable

    from farm.model.evidence import JobRecord, RunResult


@pytest.fixture(scope="session")
def facts(git_job: JobRecord, result: RunResult, builder: BuilderClaim) -> ProvenanceFacts:
    blob = BlobRef(sha256="ab" * 32, size=9)
    return read_statement(statement(git_job, result, "sample_lib-1.4.2-py3-none-any.whl", blob, builder))


def test_golden(facts: ProvenanceFacts, golden: Callable[[str, str], None]) -> None:
    links = {"Index page": "https://farm.example/simple/sample-lib/", "Run": "https://farm.example/runs/1"}
    golden("summary.md", markdown([facts], links=links, reproducible=True))


def test_weak_source_dirty_recipe_and_skipped_tests_are_said(facts: ProvenanceFacts) -> None:
    weak = facts.model_copy(
        update={"source_strength": "archive", "recipe_dirty": True, "tests": "skipped", "test_reason": "needs a screen"}
    )
    text = markdown([weak])
    assert "weaker" in text
    assert "changed since" in text
    assert "needs a screen" in text
    assert "not tried" in text


def test_files_of_two_builds_are_refused(facts: ProvenanceFacts) -> None:
    with pytest.raises(VerificationError):
        markdown([facts, facts.model_copy(update={"build_key": "1" * 64})])
    with pytest.raises(VerificationError):
        markdown([])


@given(text=st.text(max_size=60))
def test_foreign_text_stays_one_cell(facts: ProvenanceFacts, text: str) -> None:
    """A log line or a name of foreign code makes no new row, link or tag."""
    lines = markdown([facts.model_copy(update={"isolation": text})]).splitlines()
    row = next(line for line in lines if line.startswith("| Isolation"))
    assert len(lines) == len(markdown([facts]).splitlines())
    bare = row.replace("\\\\", "")
    assert bare.count("|") - bare.count("\\|") == 3
    assert bare.count("<") == bare.count("\\<")
    assert bare.count("[") == bare.count("\\[")
