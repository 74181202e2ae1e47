"""A worker that was taken over asks the signer for signatures it must not get."""

from __future__ import annotations

import base64
import json
import time
from typing import TYPE_CHECKING

import jwt
import pytest
from cryptography.hazmat.primitives.asymmetric import ec

from farm.errors import VerificationError
from farm.trust.verify import verify_file, verify_provenance

if TYPE_CHECKING:
    from collections.abc import Iterator
    from pathlib import Path

    import httpx

    from tests.attacks.trust.conftest import Target

NAME = "demo_pkg-1.0-py3-none-any.whl"


@pytest.fixture(autouse=True)
def nothing_is_logged_for_a_refusal(target: Target) -> Iterator[None]:
    before = target.log_size()
    yield
    assert target.log_size() == before


def refused(answer: httpx.Response, reason: str, status: int = 403) -> None:
    assert answer.status_code == status, answer.text
    assert reason in answer.json()["error"]
    assert "signature" not in answer.json()


def test_without_a_token(target: Target) -> None:
    target.open()
    answer = target.post("", headers={"authorization": ""})
    refused(answer, "carries no run token", 401)
    refused(target.post("x", headers={"authorization": "Basic x"}), "carries no run token", 401)


def test_with_the_token_of_another_run(target: Target) -> None:
    target.open()
    other = target.open(run_id="run-2")
    refused(target.post(other), "not of the run run-1")


def test_with_a_token_of_another_run_for_its_own_files_name(target: Target) -> None:
    package = target.job.plan.package.model_copy(update={"name": "victim"})
    plan = target.job.plan.model_copy(update={"package": package})
    target.open(run_id="run-2", plan=plan)
    own = target.open()
    refused(target.post(own, run="run-2", name="victim-1.0-py3-none-any.whl"), "not of the run run-2")


def test_with_an_expired_token(short_lived: Target) -> None:
    token = short_lived.open()
    time.sleep(1.1)
    refused(short_lived.post(token), "expired", 401)
    assert short_lived.log_size() == 0


def test_with_an_unsigned_token(target: Target) -> None:
    token = target.open()
    body = token.split(".")[1]
    head = base64.urlsafe_b64encode(b'{"alg":"none","typ":"JWT"}').rstrip(b"=").decode()
    for forged in (f"{head}.{body}.", f"{head}.{body}", f"{token.split('.')[0]}.{body}."):
        refused(target.post(forged), "no valid run token", 401)


def test_with_a_token_signed_by_the_attacker(target: Target) -> None:
    claims = jwt.decode(target.open(), options={"verify_signature": False})
    forged = jwt.encode(claims, ec.generate_private_key(ec.SECP256R1()), algorithm="ES256")
    refused(target.post(forged), "no valid run token", 401)


def test_with_a_token_that_was_replaced_or_closed(target: Target) -> None:
    first = target.open()
    second = target.open()
    refused(target.post(first), "replaced")
    headers = {"authorization": f"Bearer {second}"}
    assert target.http.request("DELETE", "/runs/run-1", headers=headers).status_code == 204
    refused(target.post(second), "closed")


def test_closing_the_run_of_somebody_else(target: Target) -> None:
    target.open()
    headers = {"authorization": f"Bearer {target.open(run_id='run-2')}"}
    refused(target.http.request("DELETE", "/runs/run-1", headers=headers), "not of the run run-1")


def test_changing_the_facts_after_the_build(target: Target) -> None:
    target.open()
    source = target.job.plan.source.model_copy(update={"commit": "b" * 40})
    snapshot = target.job.snapshot.model_copy(update={"commit": "b" * 40})
    plan = target.job.plan.model_copy(update={"source": source})
    changed = target.job.model_copy(update={"plan": plan, "snapshot": snapshot})
    refused(target.http.request("POST", "/runs", content=changed.canonical()), "another job record", 409)


def test_claiming_a_source_that_was_not_fetched(target: Target) -> None:
    snapshot = target.job.snapshot.model_copy(update={"commit": "b" * 40})
    changed = target.job.model_copy(update={"snapshot": snapshot})
    refused(target.http.request("POST", "/runs", content=changed.canonical()), "pins the source", 422)


@pytest.mark.parametrize(
    "name",
    [
        "other-1.0-py3-none-any.whl",
        "demo_pkg-1.1-py3-none-any.whl",
        "demo_pkg-1.0.post1-py3-none-any.whl",
        "demo-pkg-1.0-py3-none-any.whl",
        "demo_pkg-1.0.tar.gz",
        "demo_pkg-1.0-py3-none-any.whl.exe",
        "demo_pkg-1.0-py3-none-any%0a.whl",
        "demo_pkg-1.0-py3-none-any%2f..%2fx.whl",
        "d%C3%A9mo_pkg-1.0-py3-none-any.whl",
        "demo_pkg-1.0-py3-none-%E2%80%AEany.whl",
    ],
)
def test_the_file_name_of_another_package(target: Target, name: str) -> None:
    answer = target.post(target.open(), name=name)
    assert answer.status_code in {403, 404}, answer.text


def test_a_digest_that_is_not_the_files(target: Target) -> None:
    token = target.open()
    refused(target.post(token, data=b"other bytes than were tested"), "the worker expects")
    for digest in ("", "0" * 64, target.blob.sha256.upper(), target.blob.sha256[:32]):
        refused(target.post(token, headers={"x-farm-sha256": digest}), "the worker expects")


def test_a_statement_in_place_of_the_run_result(target: Target) -> None:
    statement = {"_type": "https://in-toto.io/Statement/v1", "subject": [{"name": "victim"}], "predicate": {}}
    refused(target.post(target.open(), head=json.dumps(statement).encode()), "run result is not valid", 422)


def test_extra_facts_in_the_run_result(target: Target) -> None:
    result = json.loads(target.result.canonical()) | {"builder": {"id": "https://farm.example/builders/hosted/v1"}}
    refused(target.post(target.open(), head=json.dumps(result).encode()), "run result is not valid: builder", 422)


@pytest.mark.parametrize("length", ["-1", "0", "x", "", "99999999999", "1e3"])
def test_lengths_that_lie(target: Target, length: str) -> None:
    answer = target.post(target.open(), headers={"x-farm-result-length": length})
    assert answer.status_code in {411, 413}


def test_a_file_larger_than_the_recipe_allows(target: Target) -> None:
    limits = target.job.plan.limits.model_copy(update={"output_mb": 1})
    token = target.open(plan=target.job.plan.model_copy(update={"limits": limits}))
    refused(target.post(token, data=bytes(66 * 1024 * 1024)), "too large", 413)


@pytest.mark.parametrize("body", [b"", b"{}", b"[]", b"\xff", b"[" * 100_000, b'{"run_id":"x"}'])
def test_a_job_record_that_is_none(target: Target, body: bytes) -> None:
    refused(target.http.request("POST", "/runs", content=body), "job record is not valid", 422)


def test_a_job_record_without_end(target: Target) -> None:
    refused(target.http.request("POST", "/runs", content=b" " * (17 * 1024 * 1024)), "larger than", 413)


def test_a_run_id_that_leaves_the_folder(target: Target, tmp_path: Path) -> None:
    body = target.job.model_copy(update={"run_id": "../../escaped"}).canonical()
    refused(target.http.request("POST", "/runs", content=body), "run id", 422)
    assert not list(tmp_path.rglob("escaped*"))


@pytest.mark.parametrize(
    ("package", "reason"),
    [
        ({"ecosystem": "cobol"}, "nothing is signed for the ecosystem 'cobol'"),
        ({"ecosystem": "../python"}, "nothing is signed for the ecosystem"),
        ({"ecosystem": "maven"}, "is no Maven name"),
        ({"name": "Demo_Pkg"}, "normal form"),
        ({"version": "one"}, "is no version"),
        ({"version": "1.00"}, "normal form"),
    ],
)
def test_a_package_that_no_language_has(target: Target, package: dict[str, str], reason: str) -> None:
    other = target.job.plan.package.model_copy(update=package)
    job = target.job.model_copy(update={"plan": target.job.plan.model_copy(update={"package": other})})
    answer = target.http.request("POST", "/runs", content=job.canonical())
    assert answer.status_code in {403, 422}
    assert reason in answer.json()["error"]


@pytest.mark.parametrize("path", ["/", "/keys", "/runs/run-1", "/runs/run-1/files/", "/authority/log.key", "/sign"])
def test_there_is_no_other_way_in(target: Target, path: str) -> None:
    target.open()
    assert target.http.request("GET", path).status_code in {404, 405}


class TestWhatIsSigned:
    @pytest.fixture(autouse=True)
    def nothing_is_logged_for_a_refusal(self) -> None:
        """These do get a signature: for what they may have one for."""

    def test_the_statement_is_the_signers_own(self, target: Target) -> None:
        answer = target.post(target.open())
        assert answer.status_code == 200, answer.text
        signed = answer.json()
        verify_file(target.trust, target.blob, signed["signature"], target.identity)
        statement = verify_provenance(target.trust, target.wheel, signed["provenance"], NAME, target.identity)
        assert statement["subject"] == [{"name": NAME, "digest": {"sha256": target.blob.sha256}}]
        source = statement["predicate"]["buildDefinition"]["resolvedDependencies"][0]
        assert source["digest"]["gitCommit"] == "a" * 40

    def test_bytes_that_the_worker_swaps_are_signed_as_what_they_are(self, target: Target) -> None:
        """The signer cannot know what was tested; but what it signs is what it hashed, under this run's facts."""
        from farm.model.base import sha256_bytes  # noqa: PLC0415 - for this attack alone

        evil = b"swapped"
        answer = target.post(target.open(), data=evil, headers={"x-farm-sha256": sha256_bytes(evil)})
        assert answer.status_code == 200
        with pytest.raises(VerificationError):
            verify_file(target.trust, target.blob, answer.json()["signature"], target.identity)
