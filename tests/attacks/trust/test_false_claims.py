"""A worker that was taken over tells the signer what cannot be: each of these the signer can see for itself."""

from __future__ import annotations

import json
import time
from typing import TYPE_CHECKING, Any

import pytest

from farm.errors import SigningRefusedError
from farm.model.base import sha256_bytes
from farm.trust.signer.claims import check_filename

if TYPE_CHECKING:
    from collections.abc import Iterator

    from tests.attacks.trust.conftest import Target

GIT = "git+https://git.example.org/team/demo-pkg"
FUTURE = time.strftime("%Y-%m-%dT%H:%M:%SZ", time.gmtime(time.time() + 3600))
ARCHIVE = {"commit": None, "tag": None, "strength": "archive", "origin_sha256": "c" * 64}
SDIST = {"kind": "pypi-sdist", "sha256": "c" * 64, "name": "demo-pkg", "version": "1.0"}
URL = {"kind": "url", "sha256": "c" * 64, "url": "https://files.example.org/demo.tar.gz"}


@pytest.fixture(autouse=True)
def nothing_is_logged(target: Target, request: pytest.FixtureRequest) -> Iterator[None]:
    yield
    if request.node.get_closest_marker("parametrize"):
        assert target.log_size() == 0


def changed(value: Any, changes: dict[str, Any]) -> dict[str, Any]:
    """Return the JSON of `value` with other values at dotted paths."""
    found: dict[str, Any] = json.loads(value.canonical())
    for path, new in changes.items():
        *folders, last = path.split(".")
        place = found
        for folder in folders:
            place = place[folder]
        place[last] = new
    return found


def open_run(target: Target, changes: dict[str, Any]) -> tuple[int, str]:
    answer = target.http.request("POST", "/runs", content=json.dumps(changed(target.job, changes)))
    return answer.status_code, answer.json().get("error", "")


def test_the_record_that_the_others_change_is_taken(target: Target) -> None:
    assert open_run(target, {}) == (200, "")


@pytest.mark.parametrize(
    ("changes", "reason"),
    [
        ({"started_on": "yesterday"}, "started_on"),
        ({"started_on": "2026-01-01T00:00:00+00:00"}, "started_on"),
        ({"started_on": "2026-01-01T00:00:00Z\n"}, "started_on"),
        ({"started_on": "2026-02-30T00:00:00Z"}, "started_on"),
        ({"started_on": "٢٠٢٦-01-01T00:00:00Z"}, "started_on"),
        ({"started_on": FUTURE}, "starts in the future"),
        ({"run_uri": "https://ci.example.org/run/1"}, "run_uri"),
        ({"run_uri": "urn:uuid:x"}, "run_uri"),
        ({"run_uri": "urn:uuid:6F0C1F52-0000-4000-8000-000000000001"}, "run_uri"),
        ({"rules_version": 0}, "rules_version"),
        ({"snapshot.strength": "archive"}, "strength"),
        ({"snapshot.uri": f"{GIT}-lookalike@refs/tags/v1.0"}, "is not where the pin"),
        ({"snapshot.uri": f"{GIT}@refs/tags/v9.9"}, "is not where the pin"),
        ({"snapshot.uri": "pkg:pypi/demo-pkg@1.0"}, "is not where the pin"),
        ({"image.platform": "linux/arm64"}, "its image for"),
        ({"image.interpreter": "cp312"}, "its image for"),
    ],
)
def test_a_record_that_contradicts_itself(target: Target, changes: dict[str, Any], reason: str) -> None:
    status, error = open_run(target, changes)
    assert status == 422
    assert reason in error


@pytest.mark.parametrize(
    ("pin", "uri", "strength", "status"),
    [
        (SDIST, "pkg:pypi/demo-pkg@1.0?file_name=demo_pkg-1.0.tar.gz", "archive", 200),
        (SDIST, "pkg:pypi/demo-pkg@1.0", "archive", 200),
        (SDIST, "pkg:pypi/demo-pkg@1.0", "git", 422),
        (SDIST, "pkg:pypi/other@1.0", "archive", 422),
        (SDIST, "pkg:pypi/demo-pkg@1.0.1", "archive", 422),
        (SDIST, "https://files.example.org/demo.tar.gz", "archive", 422),
        (URL, "https://files.example.org/demo.tar.gz", "archive", 200),
        (URL, "https://elsewhere.example.org/demo.tar.gz", "archive", 422),
    ],
)
def test_where_an_archive_is_from(target: Target, pin: dict[str, str], uri: str, strength: str, status: int) -> None:
    snapshot = json.loads(target.job.snapshot.canonical()) | ARCHIVE | {"uri": uri, "strength": strength}
    assert open_run(target, {"plan.source": pin, "snapshot": snapshot})[0] == status


def test_one_input_with_two_digests(target: Target) -> None:
    inputs = [
        {"filename": "helper-1.0-py3-none-any.whl", "name": "helper", "version": "1.0", "sha256": digit * 64}
        | {"size": 1, "origin": "index", "roles": ["build"], "purl": "pkg:pypi/helper@1.0"}
        for digit in "ab"
    ]
    status, error = open_run(target, {"inputs": inputs})
    assert (status, "two digests" in error) == (422, True)


@pytest.mark.parametrize(
    ("changes", "reason"),
    [
        ({"finished_on": "soon"}, "finished_on"),
        ({"finished_on": "2025-12-31T23:59:59Z"}, "cannot have finished"),
        ({"finished_on": FUTURE}, "cannot have finished"),
        ({"probe": "it got through"}, "probe"),
        ({"probe": ""}, "probe"),
        ({"probe": "isolated: yes\nand SLSA L3"}, "probe"),
        ({"probe": "isolated: " + "x" * 2000}, "probe"),
        ({"test.result": "skipped", "test.imports": [], "test.reason": "no time"}, "not those of its plan"),
        ({"test.imports": []}, "not those of its plan"),
        ({"test.imports": ["something_else"]}, "not those of its plan"),
        ({"test.command": ["true"]}, "not those of its plan"),
    ],
)
def test_a_result_that_cannot_be(target: Target, changes: dict[str, Any], reason: str) -> None:
    answer = target.post(target.open(), head=json.dumps(changed(target.result, changes)).encode())
    assert answer.status_code == 422, answer.text
    assert reason in answer.json()["error"]


def test_a_skip_is_the_plans_own(target: Target) -> None:
    spec = target.job.plan.test.model_copy(update={"imports": (), "skip_reason": "needs a display"})
    token = target.open(plan=target.job.plan.model_copy(update={"test": spec}))
    other = {"test.result": "skipped", "test.imports": [], "test.reason": "something else"}
    assert target.post(token, head=json.dumps(changed(target.result, other)).encode()).status_code == 422
    assert target.post(token, head=json.dumps(changed(target.result, {"test.imports": []})).encode()).status_code == 422
    own = other | {"test.reason": "needs a display"}
    assert target.post(token, head=json.dumps(changed(target.result, own)).encode()).status_code == 200


@pytest.mark.parametrize(
    "name",
    [
        "demo_pkg-1.0-0-py3-none-any.whl",
        "demo_pkg-1.0-01-py3-none-any.whl",
        "demo_pkg-1.0-1a-py3-none-any.whl",
        "Demo_Pkg-1.0-1-py3-none-any.whl",
        "Demo_Pkg-1.0-py3-none-any.whl",
        "demo.pkg-1.0-py3-none-any.whl",
        "demo_pkg-1.00-py3-none-any.whl",
        "demo_pkg-v1.0-py3-none-any.whl",
        "demo_pkg-1.0-py2-none-any.whl",
        "demo_pkg-1.0-cp312-none-any.whl",
        "demo_pkg-1.0-pp311-pypy311_pp73-any.whl",
        "demo_pkg-1.0-cp311-cp311-win_amd64.whl",
        "demo_pkg-1.0-cp311-cp311-macosx_11_0_arm64.whl",
        "demo_pkg-1.0-cp311-cp311-linux_aarch64.whl",
        "demo_pkg-1.0-cp312-cp312-manylinux_2_17_x86_64.whl",
        "demo_pkg-1.0-cp311.cp312-cp311-linux_x86_64.whl",
        "demo_pkg-1.0-py3-none-any.win_amd64.whl",
    ],
)
def test_a_name_that_is_not_of_the_target_or_not_in_normal_form(target: Target, name: str) -> None:
    answer = target.post(target.open(), name=name)
    assert answer.status_code == 403, answer.text


def test_names_that_are_fine(target: Target) -> None:
    for tags in (
        "py3-none-any",
        "py2.py3-none-any",
        "py311-none-any",
        "cp311-cp311-linux_x86_64",
        "cp311-cp311-manylinux2014_x86_64.manylinux_2_17_x86_64",
        "cp311-cp311-musllinux_1_2_x86_64",
        "cp39-abi3-manylinux_2_28_x86_64",
        "py3-none-manylinux_2_17_x86_64",
    ):
        check_filename(target.job, f"demo_pkg-1.0-{tags}.whl")
    # Both are what an installer would take for the same file.
    assert check_filename(target.job, "demo_pkg-1.0-py3-none-any.whl") == check_filename(
        target.job, "demo_pkg-1.0.0-py3-none-any.whl"
    )


def test_a_target_that_nothing_is_known_of(target: Target) -> None:
    strange = target.job.plan.target.model_copy(update={"platform": "plan9/mips"})
    job = target.job.model_copy(update={"plan": target.job.plan.model_copy(update={"target": strange})})
    with pytest.raises(SigningRefusedError, match="nothing is signed for"):
        check_filename(job, "demo_pkg-1.0-py3-none-any.whl")


def test_an_empty_file(target: Target) -> None:
    answer = target.post(target.open(), data=b"", headers={"x-farm-sha256": sha256_bytes(b"")})
    assert answer.status_code == 413
    assert target.log_size() == 0


def test_two_files_of_one_name_in_one_run(target: Target) -> None:
    token = target.open()
    assert target.post(token).status_code == 200
    assert target.post(token).status_code == 200, "the same bytes again are a retry"
    evil = b"the second"
    size = target.log_size()
    names = ("demo_pkg-1.0-py3-none-any.whl", "demo_pkg-1.0-1-py3-none-any.whl", "demo_pkg-1.0.0-py3-none-any.whl")
    for name in names:
        # A token made anew is of the same run.
        for holder in (token, token := target.open()):
            answer = target.post(holder, name=name, data=evil, headers={"x-farm-sha256": sha256_bytes(evil)})
            assert answer.status_code in {403, 409}
        assert "has had" in answer.json()["error"]
    assert target.log_size() == size
