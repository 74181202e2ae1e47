from __future__ import annotations

from pathlib import Path

import pytest

from farm.errors import NotReproducibleError
from farm.model.base import BlobRef, sha256_bytes
from farm.model.build import Artifact, RawArtifact, TestReport, Unnumbered
from farm.model.evidence import JobRecord
from farm.model.key import KeyFields
from farm.model.outcome import Outcome, OutcomeFile
from farm.pipeline import outcomes
from tests.fixtures_source import MemoryVault

RECORD = JobRecord.model_validate_json(
    (Path(__file__).resolve().parents[2] / "data" / "trust" / "job.json").read_bytes()
)
A_BLOB = BlobRef(sha256="a" * 64, size=1)
OUTCOME = Outcome(
    package=str(RECORD.plan.package),
    build_key=RECORD.build_key,
    run_id=RECORD.run_id,
    files=(OutcomeFile(filename="x.whl", blob=A_BLOB, raw_sha256="b" * 64, signature=A_BLOB, provenance=A_BLOB),),
    target=RECORD.plan.target.key,
    fields=KeyFields(
        package=str(RECORD.plan.package),
        target=RECORD.plan.target.key,
        recipe="1" * 64,
        source_tree="2" * 64,
        source_epoch=1,
        image="3" * 64,
        lock="4" * 64,
        compressor="none",
        rules=1,
    ),
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


def artifact(filename: str, digit: str, unnumbered: Unnumbered | None = None) -> Artifact:
    blob = BlobRef(sha256=digit * 64, size=1)
    raw = RawArtifact(filename="raw.whl", blob=blob)
    return Artifact(filename=filename, kind="wheel", blob=blob, unnumbered=unnumbered, raw=raw)


@pytest.fixture
def vault() -> MemoryVault:
    """Give an empty vault."""
    return MemoryVault()


@pytest.mark.parametrize("data", USELESS.values(), ids=USELESS)
def test_a_record_that_says_nothing_of_use_is_no_earlier_build(data: bytes, vault: MemoryVault) -> None:
    vault.put_record(outcomes.OUTCOMES, RECORD.build_key, data)
    assert outcomes.known_outcome(vault, RECORD.build_key) is None
    outcomes.refuse_other_bytes(vault, RECORD, NO_ARTIFACTS)


def test_a_good_record_counts(vault: MemoryVault) -> None:
    assert outcomes.known_outcome(vault, sha256_bytes(b"")) is None
    vault.put_record(outcomes.OUTCOMES, RECORD.build_key, OUTCOME.canonical())
    assert outcomes.known_outcome(vault, RECORD.build_key) == OUTCOME
    with pytest.raises(NotReproducibleError):
        outcomes.refuse_other_bytes(vault, RECORD, NO_ARTIFACTS)


def test_a_build_number_is_no_other_result(vault: MemoryVault) -> None:
    outcomes.record_outcome(vault, OUTCOME)
    outcomes.refuse_other_bytes(vault, RECORD, [artifact("x.whl", "a")])
    same = Unnumbered(filename="x.whl", sha256="a" * 64)
    outcomes.refuse_other_bytes(vault, RECORD, [artifact("x-1-.whl", "c", same)])
    for other in (
        artifact("x.whl", "c"),
        artifact("y.whl", "a"),
        artifact("x-1-.whl", "a"),
        artifact("x-1-.whl", "a", same.model_copy(update={"sha256": "c" * 64})),
    ):
        with pytest.raises(NotReproducibleError):
            outcomes.refuse_other_bytes(vault, RECORD, [other])
    file = OUTCOME.files[0].model_copy(update={"filename": "x-1-.whl", "unnumbered": same})
    outcomes.record_outcome(vault, OUTCOME.model_copy(update={"files": (file,)}))
    outcomes.refuse_other_bytes(vault, RECORD, [artifact("x.whl", "a")])
