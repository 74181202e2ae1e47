from __future__ import annotations

from pathlib import Path
from types import SimpleNamespace
from typing import TYPE_CHECKING, Any, TypeVar, cast

import pytest

from farm.errors import BlobMissingError, BuildFailedError, ImmutableError, SignerUnavailableError
from farm.model.evidence import JobRecord
from farm.pipeline import build_package, steps
from farm.pipeline.chain import Inputs, release_package, reproduce_package
from farm.pipeline.identity import RunIdentity
from farm.trust.protocol import RunToken

if TYPE_CHECKING:
    from collections.abc import Callable

    from farm.pipeline.runtime import Runtime

T = TypeVar("T")
DATA = Path(__file__).resolve().parents[2] / "data" / "trust"
RUN = "b3c5b3d2-0000-4000-8000-000000000001"


JOB = SimpleNamespace(record="record")


class _Calls:
    """Runs no step, notes its name; one of them can fail."""

    def __init__(self, fails: str = "") -> None:
        self.names: list[str] = []
        self.values: tuple[Any, ...] = ()
        self.proven = "source"
        self._fails = fails

    def __call__(self, name: str, step: Callable[..., T], /, *values: Any) -> T:
        del step
        self.names.append(name)
        self.values = values
        if name == self._fails:
            raise BuildFailedError(f"{name} failed")
        return cast("T", {"reuse": None, "proof": self.proven, "job": JOB}.get(name, name))


@pytest.mark.parametrize("fails", ["build", "inspect", "finish", "test", "sign", "publish"])
def test_the_job_is_closed_when_a_later_step_fails(fails: str) -> None:
    call = _Calls(fails)
    with pytest.raises(BuildFailedError, match=f"{fails} failed"):
        build_package("python/x", run=RunIdentity.new(RUN), call=call)
    assert call.names[-2:] == [fails, "close"]


@pytest.mark.parametrize("fails", ["plan", "source", "lock", "link", "reuse", "proof", "inputs", "job"])
def test_what_was_not_opened_is_not_closed(fails: str) -> None:
    call = _Calls(fails)
    with pytest.raises(BuildFailedError):
        build_package("python/x", run=RunIdentity.new(RUN), call=call)
    assert call.names[-1] == fails


def test_the_job_is_closed_last() -> None:
    call = _Calls()
    build_package("python/x", run=RunIdentity.new(RUN), call=call)
    assert call.names[-2:] == ["publish", "close"]


def test_a_signer_that_is_away_at_the_close_is_only_logged(tmp_path: Path, capfd: pytest.CaptureFixture[str]) -> None:
    class Away:
        signer_socket = tmp_path / "signer.sock"

    record = JobRecord.model_validate_json((DATA / "job.json").read_bytes())
    job = steps.OpenJob(record=record, token=RunToken(run_id=RUN, token="t", expires=1))
    steps.close_job(cast("Runtime", Away()), job)
    said = "".join(capfd.readouterr())
    assert "stays open until its token expires" in said
    assert SignerUnavailableError.__name__ not in said


def test_each_attempt_has_an_id_of_its_own_and_the_run_one_uri() -> None:
    ids = [RunIdentity.new(RUN, attempt=attempt) for attempt in (0, 1, 2, 3)]
    assert [run.id for run in ids] == [RUN, RUN, f"{RUN}.2", f"{RUN}.3"]
    assert {run.uri for run in ids} == {f"urn:uuid:{RUN}"}


def test_the_source_is_proven_before_anything_uses_it() -> None:
    call = _Calls("inputs")
    with pytest.raises(BuildFailedError):
        build_package("python/x", run=RunIdentity.new(RUN), call=call)
    assert call.names == ["plan", "source", "lock", "link", "reuse", "proof", "inputs"]


def test_what_the_proof_gives_is_built_instead_of_what_the_record_says() -> None:
    call = _Calls("build")
    call.proven = "honest"
    with pytest.raises(BuildFailedError):
        build_package("python/x", run=RunIdentity.new(RUN), call=call, force=True)
    assert call.names[:7] == ["plan", "source", "lock", "link", "proof", "lock", "link"]
    call = _Calls("job")
    call.proven = "honest"
    with pytest.raises(BuildFailedError):
        build_package("python/x", run=RunIdentity.new(RUN), call=call)
    assert call.values[1] == "honest"


# --- what was kept, and what is compared ------------------------------------------------------------------------------


class _Answers(_Calls):
    """As above; steps give what the test says, or raise it."""

    def __init__(self, **answers: Any) -> None:
        super().__init__()
        self._answers = {"reuse": None, "job": JOB, "record": "record", **answers}

    def __call__(self, name: str, step: Callable[..., T], /, *values: Any) -> T:
        del step
        self.names.append(name)
        self.values = values
        answer = self._answers.get(name, name)
        if isinstance(answer, list):  # one for each time
            answer = answer.pop(0)
        if isinstance(answer, Exception):
            raise answer
        return cast("T", answer)


OUTCOME: Any = SimpleNamespace(name="kept")


def release(call: _Answers) -> Any:
    inputs = Inputs(stage=3, seeds=("seed",))
    return release_package("python/x", OUTCOME, run=RunIdentity.new(RUN), call=call, image="i", inputs=inputs)


def test_what_was_kept_is_published() -> None:
    call = _Answers(publish="published")
    assert release(call) == "published"
    assert call.names == ["plan", "source", "lock", "link", "reuse", "publish"]
    assert call.values == ("plan", OUTCOME)


def test_what_is_published_already_is_not_published_again() -> None:
    call = _Answers(reuse="known")
    assert release(call) == "known"
    assert call.names[-1] == "reuse"


@pytest.mark.parametrize("error", [BlobMissingError("gone"), ImmutableError("the number is taken")])
def test_what_cannot_be_published_as_it_was_kept_is_built_once_more(error: Exception) -> None:
    call = _Answers(publish=[error, "published"])
    assert release(call) == "published"
    assert call.names.count("build") == 1
    assert "keep" not in call.names


def reproduce(**published: str) -> Any:
    made = tuple(
        SimpleNamespace(filename=name, blob=SimpleNamespace(sha256=sha256)) for name, sha256 in {"a": "1"}.items()
    )
    call = _Answers(finish=made)
    found = reproduce_package("python/x", published, run=RunIdentity.new(RUN), call=call)
    assert not {"reuse", "job", "sign", "publish", "keep"} & set(call.names)
    return found


def test_what_is_built_from_nothing_is_compared_file_by_file() -> None:
    assert reproduce(a="1") == (True, ())
    assert reproduce(a="2") == (False, ("a: 2 before, 1 now",))
    assert reproduce(b="2") == (False, ("a: not there before, 1 now", "b: 2 before, not there now"))
