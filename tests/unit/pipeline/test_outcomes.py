from __future__ import annotations

from pathlib import Path

import pytest

from farm.config import Settings
from farm.errors import NotReproducibleError
from farm.model.base import BlobRef, sha256_bytes
from farm.model.build import Artifact, TestReport
from farm.model.evidence import JobRecord
from farm.model.outcome import Outcome, OutcomeFile
from farm.pipeline import steps
from farm.pipeline.runtime import Runtime
from farm.trust.protocol import RunToken
from tests.fixtures_source import MemoryVault

RECORD = JobRecord.model_validate_json(
    (Path(__file__).resolve().parents[2] / "data" / "trust" / "job.json").read_bytes()
)
JOB = steps.OpenJob(record=RECORD, token=RunToken(run_id=RECORD.run_id, token="t", expires=1))
OUTCOME = Outcome(
    package=str(RECORD.plan.package),
    build_key=RECORD.build_key,
    run_id=RECORD.run_id,
    files=(OutcomeFile(filename="x.whl", blob=BlobRef(sha256="a" * 64, size=1), raw_sha256="b" * 64),),
    source_uri=RECORD.snapshot.uri,
    source_strength=RECORD.snapshot.strength,
    tree_digest=RECORD.snapshot.tree_digest,
    image=RECORD.image.name,
    image_digest=RECORD.image.digest,
    inputs=RECORD.inputs,
    test=TestReport(result="passed", imports=(), command=()),
    probe="p",
    builder_id="b",
    level=3,
)
USELESS = {
    "without files": OUTCOME.model_copy(update={"files": ()}).canonical(),
    "of another farm": OUTCOME.canonical().replace(b'{"build_key"', b'{"a_new_field":1,"build_key"'),
    "no outcome": b"[]",
}
NO_ARTIFACTS: tuple[Artifact, ...] = ()


@pytest.fixture
def vault() -> MemoryVault:
    """Give an empty vault."""
    return MemoryVault()


@pytest.fixture
def runtime(vault: MemoryVault) -> Runtime:
    """Give a runtime with that vault."""
    made = Runtime(Settings())
    vars(made)["vault"] = vault
    return made


@pytest.mark.parametrize("data", USELESS.values(), ids=USELESS)
def test_a_record_that_says_nothing_of_use_is_no_earlier_build(
    data: bytes, runtime: Runtime, vault: MemoryVault
) -> None:
    vault.put_record(steps.OUTCOMES, RECORD.build_key, data)
    assert steps._known_outcome(runtime, RECORD.build_key) is None
    steps._same_as_before(runtime, JOB, NO_ARTIFACTS)


def test_a_good_record_counts(runtime: Runtime, vault: MemoryVault) -> None:
    assert steps._known_outcome(runtime, sha256_bytes(b"")) is None
    vault.put_record(steps.OUTCOMES, RECORD.build_key, OUTCOME.canonical())
    assert steps._known_outcome(runtime, RECORD.build_key) == OUTCOME
    with pytest.raises(NotReproducibleError):
        steps._same_as_before(runtime, JOB, NO_ARTIFACTS)
