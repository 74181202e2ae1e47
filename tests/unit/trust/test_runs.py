from __future__ import annotations

import time
from typing import TYPE_CHECKING

import pytest
from cryptography.hazmat.primitives.asymmetric import ec

from farm.errors import SigningRefusedError
from farm.trust.signer.runs import RunRegister
from farm.trust.signer.tokens import TokenMint

if TYPE_CHECKING:
    from pathlib import Path

    from farm.model.evidence import JobRecord

MINT = TokenMint(ec.generate_private_key(ec.SECP256R1()), "https://farm.example/oidc")


def register(folder: Path) -> RunRegister:
    return RunRegister(folder, MINT, 600)


def test_the_holder_of_the_token_gets_the_record_back(tmp_path: Path, job: JobRecord) -> None:
    runs = register(tmp_path / "runs")
    token = runs.open(job)
    assert runs.find(job.run_id, token.token) == job
    assert token.token not in repr(token)


def test_an_open_run_survives_a_restart(tmp_path: Path, job: JobRecord) -> None:
    token = register(tmp_path / "runs").open(job)
    assert register(tmp_path / "runs").find(job.run_id, token.token) == job


def test_a_closed_run_is_closed_after_a_restart_too(tmp_path: Path, job: JobRecord) -> None:
    runs = register(tmp_path / "runs")
    token = runs.open(job)
    runs.close(job.run_id, token.token)
    runs.close(job.run_id, token.token)
    for again in (runs, register(tmp_path / "runs")):
        with pytest.raises(SigningRefusedError, match="closed"):
            again.find(job.run_id, token.token)
    assert list((tmp_path / "runs").iterdir()) == []


def test_a_token_opens_its_own_run_only(tmp_path: Path, job: JobRecord) -> None:
    runs = register(tmp_path / "runs")
    runs.open(job)
    other = runs.open(job.model_copy(update={"run_id": "run-2"}))
    with pytest.raises(SigningRefusedError, match="not of the run run-1"):
        runs.find("run-1", other.token)
    with pytest.raises(SigningRefusedError, match="not of the run run-1"):
        runs.close("run-1", other.token)


def test_the_facts_of_an_open_run_cannot_change(tmp_path: Path, job: JobRecord) -> None:
    runs = register(tmp_path / "runs")
    runs.open(job)
    with pytest.raises(SigningRefusedError, match="another job record"):
        runs.open(job.model_copy(update={"started_on": "2026-01-01T00:00:09Z"}))


def test_opening_again_ends_the_earlier_token(tmp_path: Path, job: JobRecord) -> None:
    runs = register(tmp_path / "runs")
    first, second = runs.open(job), runs.open(job)
    with pytest.raises(SigningRefusedError, match="replaced"):
        runs.find(job.run_id, first.token)
    assert runs.find(job.run_id, second.token) == job


def test_an_expired_run_is_forgotten_and_its_record_removed(tmp_path: Path, job: JobRecord) -> None:
    clock = [time.time()]
    runs = RunRegister(tmp_path / "runs", MINT, 600, lambda: clock[0])
    token = runs.open(job)
    clock[0] += 601
    with pytest.raises(SigningRefusedError, match="closed"):
        runs.find(job.run_id, token.token)
    assert len(runs) == 0
    assert list((tmp_path / "runs").iterdir()) == []


@pytest.mark.parametrize("run_id", ["", ".", "..", "../up", "a/b", "a b", "-x", "x" * 129, "ä", "a\n"])
def test_a_run_id_that_is_no_file_name_is_refused(tmp_path: Path, job: JobRecord, run_id: str) -> None:
    with pytest.raises(SigningRefusedError, match="run id"):
        register(tmp_path / "runs").open(job.model_copy(update={"run_id": run_id}))


def test_a_record_whose_snapshot_is_not_of_the_pinned_source_is_refused(tmp_path: Path, job: JobRecord) -> None:
    snapshot = job.snapshot.model_copy(update={"commit": "b" * 40})
    with pytest.raises(SigningRefusedError, match="pins the source"):
        register(tmp_path / "runs").open(job.model_copy(update={"snapshot": snapshot}))


def test_an_unreadable_record_is_no_open_run(tmp_path: Path, job: JobRecord) -> None:
    token = register(tmp_path / "runs").open(job)
    (tmp_path / "runs" / "run-1.json").write_bytes(b"{")
    with pytest.raises(SigningRefusedError, match="closed"):
        register(tmp_path / "runs").find(job.run_id, token.token)


def test_a_name_keeps_its_bytes_after_a_restart(tmp_path: Path, job: JobRecord) -> None:
    runs = register(tmp_path / "runs")
    token = runs.open(job).token
    runs.settle(job.run_id, token, "demo 1", "a" * 64)
    again = register(tmp_path / "runs")
    again.settle(job.run_id, token, "demo 1", "a" * 64)
    again.settle(job.run_id, token, "demo 2", "b" * 64)
    with pytest.raises(SigningRefusedError, match="has had demo 1"):
        again.settle(job.run_id, token, "demo 1", "b" * 64)
