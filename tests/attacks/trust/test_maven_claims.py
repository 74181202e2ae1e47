"""A worker that was taken over has more signed than the Maven build that it opened."""

from __future__ import annotations

from typing import TYPE_CHECKING, Any

import pytest

from farm.errors import SigningRefusedError
from farm.model.base import BlobRef, sha256_bytes
from farm.model.build import TestCounts, TestReport
from farm.model.plan import ArchivePin, PackageId, Patch, TestSpec
from farm.trust.signer.claims import check_filename, check_job, check_result

if TYPE_CHECKING:
    from farm.model.evidence import JobRecord, RunResult
    from tests.attacks.trust.conftest import Target

NOW = 2_000_000_000.0
LOCATION = "pkg:maven/org.example/sample@1.0?classifier=source-release&type=zip"
PIN = ArchivePin(kind="maven", sha256="c" * 64, name="org.example:sample", version="1.0", variant="zip:source-release")


@pytest.fixture
def job(target: Target) -> JobRecord:
    """The job of a build of two modules, from a source release."""
    plan, snapshot = target.job.plan, target.job.snapshot
    return target.job.model_copy(
        update={
            "plan": plan.model_copy(
                update={
                    "package": PackageId(ecosystem="maven", name="org.example:sample", version="1.0"),
                    "source": PIN,
                    "build": plan.build.model_copy(
                        update={"tags": "", "options": {"artifacts": ["org.example:sample-extra"]}}
                    ),
                    "test": TestSpec(),
                }
            ),
            "snapshot": snapshot.model_copy(
                update={"commit": None, "tag": None, "strength": "archive", "origin_sha256": "c" * 64, "uri": LOCATION}
            ),
        }
    )


@pytest.fixture
def result(target: Target) -> RunResult:
    report = TestReport(result="passed", imports=(), command=(), counts=TestCounts(run=3, skipped=1))
    return target.result.model_copy(update={"test": report})


def test_every_declared_file_of_a_run_is_signed_once(target: Target, job: JobRecord, result: RunResult) -> None:
    answer = target.http.request("POST", "/runs", content=job.canonical())
    assert answer.status_code == 200, answer.text
    token, head = answer.json()["token"], result.canonical()
    names = [
        f"{artifact}-1.0{rest}"
        for artifact in ("sample", "sample-extra")
        for rest in (".jar", ".pom", ".module", "-sources.jar", "-javadoc.jar")
    ]
    for name in names:
        assert target.post(token, name=name, head=head).status_code == 200, name
        assert target.post(token, name=name, head=head).status_code == 200, "the same bytes again are a retry"
    assert target.log_size() >= len(names)
    evil = b"other bytes"
    size = target.log_size()
    for name in names:
        answer = target.post(token, name=name, head=head, data=evil, headers={"x-farm-sha256": sha256_bytes(evil)})
        assert answer.status_code == 409
    assert target.log_size() == size


@pytest.mark.parametrize(
    "name",
    [
        "other-1.0.jar",
        "sample-2.0.jar",
        "sample-1.0.1.jar",
        "sample-1.0",
        "sample-1.0.exe",
        "sample-1.0.jar.exe",
        "sample-1.0.jar.asc",
        "sample-1.0.jar\n",
        "sample-1.0-.jar",
        "sample-1.0-../x.jar",
        "org/example/sample/1.0/sample-1.0.jar",
        "sample-other-1.0.jar",
        "Sample-1.0.jar",
        "sample-1.0-é.jar",
        "sample-1.0-" + "x" * 300 + ".jar",
        "sample-1.0-py3-none-any.whl",
        "",
    ],
)
def test_a_name_that_is_none_of_the_builds(job: JobRecord, name: str) -> None:
    with pytest.raises(SigningRefusedError):
        check_filename(job, name)


def test_the_record_that_the_others_change_is_taken(job: JobRecord) -> None:
    check_job(job, NOW)


@pytest.mark.parametrize(
    ("uri", "fine"),
    [
        (LOCATION, True),
        (LOCATION.replace("&type", "&file_name=sample-1.0-source-release.zip&type"), True),
        (LOCATION + "&file_name=sample-1.0-source-release.zip", False),
        (LOCATION + "&file_name=", False),
        (LOCATION + "&repository_url=https://elsewhere.example.org", False),
        (LOCATION.replace("&type", "&file_name=a&file_name=b&type"), False),
        ("pkg:maven/org.example/sample@1.0", False),
        ("pkg:maven/org.example/other@1.0?classifier=source-release&type=zip", False),
        ("pkg:maven/org.example/sample@1.0?type=zip", False),
        ("pkg:pypi/sample@1.0", False),
        ("https://files.example.org/sample.zip", False),
    ],
)
def test_where_a_source_release_is_from(job: JobRecord, uri: str, *, fine: bool) -> None:
    said = job.model_copy(update={"snapshot": job.snapshot.model_copy(update={"uri": uri})})
    if fine:
        check_job(said, NOW)
    else:
        with pytest.raises(SigningRefusedError, match="is not where the pin"):
            check_job(said, NOW)


@pytest.mark.parametrize(
    ("build", "reason"),
    [
        ({"options": {"no_such": 1}}, "options of maven/org.example:sample@1.0 are not valid: no_such"),
        ({"options": {"artifacts": ["no-colon"]}}, "is no Maven name"),
        ({"options": {"properties": {"maven.repo.local": "/x"}}}, "farm's own"),
        ({"patches": (Patch(name="a.patch", blob=BlobRef(sha256="a" * 64, size=1)),) * 2}, "names a patch twice"),
    ],
)
def test_a_plan_that_farm_does_not_make(job: JobRecord, build: dict[str, Any], reason: str) -> None:
    plan = job.plan.model_copy(update={"build": job.plan.build.model_copy(update=build)})
    with pytest.raises(SigningRefusedError, match=reason):
        check_job(job.model_copy(update={"plan": plan}), NOW)


@pytest.mark.parametrize("kind", ["pypi-sdist", "no-such"])
def test_the_archives_of_another_language(job: JobRecord, kind: str) -> None:
    plan = job.plan.model_copy(update={"source": PIN.model_copy(update={"kind": kind})})
    with pytest.raises(SigningRefusedError, match="has no sources of the kind"):
        check_job(job.model_copy(update={"plan": plan}), NOW)


@pytest.mark.parametrize(
    ("counts", "fine"),
    [
        (None, False),
        (TestCounts(run=0), False),
        (TestCounts(run=2, skipped=2), False),
        (TestCounts(run=2, skipped=1), True),
        (TestCounts(run=2, failed=1), True),
    ],
)
def test_tests_that_passed_have_run(
    job: JobRecord, result: RunResult, counts: TestCounts | None, *, fine: bool
) -> None:
    said = result.model_copy(update={"test": result.test.model_copy(update={"counts": counts})})
    if fine:
        check_result(job, said, NOW)
    else:
        with pytest.raises(SigningRefusedError, match="none ran"):
            check_result(job, said, NOW)


def test_a_build_that_runs_no_tests_counts_none(target: Target) -> None:
    report = target.result.test.model_copy(update={"counts": TestCounts(run=3)})
    with pytest.raises(SigningRefusedError, match="counts some"):
        check_result(target.job, target.result.model_copy(update={"test": report}), NOW)
