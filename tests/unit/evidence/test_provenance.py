from __future__ import annotations

import json
from typing import TYPE_CHECKING, Any

import pytest
from hypothesis import given
from hypothesis import strategies as st
from sigstore.dsse import Statement

from farm.errors import SigningRefusedError, VerificationError
from farm.evidence.claim import BuilderFacts, claim
from farm.evidence.facts import read_bundle, read_statement
from farm.evidence.provenance import BuilderClaim, build_type, statement
from farm.model.base import BlobRef

if TYPE_CHECKING:
    from collections.abc import Callable, Iterator

    from farm.model.evidence import JobRecord, RunResult

FILENAME = "sample_lib-1.4.2-cp311-cp311-manylinux_2_17_x86_64.whl"
BLOB = BlobRef(sha256="ab" * 32, size=9)


@pytest.fixture(scope="session")
def made(git_job: JobRecord, result: RunResult, builder: BuilderClaim) -> dict[str, Any]:
    return statement(git_job, result, FILENAME, BLOB, builder)


def changed(value: dict[str, Any], path: str, new: object) -> dict[str, Any]:
    """Return a deep copy with `new` at the slash-separated path (or without it where `new` is Ellipsis)."""
    copy: dict[str, Any] = json.loads(json.dumps(value))
    *parents, last = path.split("/")
    holder: Any = copy
    for key in parents:
        holder = holder[int(key) if isinstance(holder, list) else key]
    if new is ...:
        del holder[last]
    else:
        holder[int(last) if isinstance(holder, list) else last] = new
    return copy


def test_golden(
    git_job: JobRecord,
    archive_job: JobRecord,
    result: RunResult,
    builder: BuilderClaim,
    golden: Callable[[str, str], None],
) -> None:
    for name, job in (("git", git_job), ("archive", archive_job)):
        document = statement(job, result, FILENAME, BLOB, builder)
        golden(f"provenance_{name}.json", json.dumps(document, indent=2, sort_keys=True) + "\n")


def test_stock_sigstore_takes_it_as_a_statement(made: dict[str, Any]) -> None:
    Statement(json.dumps(made).encode())


def test_one_subject_with_the_digest_that_was_given(made: dict[str, Any]) -> None:
    assert made["subject"] == [{"name": FILENAME, "digest": {"sha256": BLOB.sha256}}]


def test_every_locked_input_is_a_dependency_with_its_origin(made: dict[str, Any], git_job: JobRecord) -> None:
    dependencies = made["predicate"]["buildDefinition"]["resolvedDependencies"]
    inputs = {d["name"]: d for d in dependencies if d["annotations"]["role"] == "input"}
    assert {(n, d["digest"]["sha256"], d["annotations"]["origin"]) for n, d in inputs.items()} == {
        (f.filename, f.sha256, f.origin) for f in git_job.inputs
    }


def test_source_image_and_recipe_commit_are_dependencies(made: dict[str, Any], git_job: JobRecord) -> None:
    dependencies = made["predicate"]["buildDefinition"]["resolvedDependencies"]
    roles = {d["annotations"]["role"]: d for d in dependencies}
    source = roles["source"]
    assert source["uri"] == git_job.snapshot.uri
    assert source["digest"] == {"gitCommit": git_job.snapshot.commit, "gitTree": git_job.snapshot.git_tree}
    assert source["annotations"]["strength"] == "git"
    assert source["annotations"]["swhid"] == f"swh:1:rev:{git_job.snapshot.commit}"
    assert roles["builder-image"]["digest"] == {"sha256": git_job.image.digest}
    assert roles["recipe-repository"]["digest"] == {"gitCommit": git_job.recipe_origin.commit}


def test_waivers_are_there_with_their_reasons(made: dict[str, Any]) -> None:
    waivers = made["predicate"]["buildDefinition"]["internalParameters"]["waivers"]
    assert waivers == [{"rule": "vendored-binary", "reason": "the test data is one"}]


def leaves(value: Any, at: str = "") -> Iterator[str]:
    if isinstance(value, dict) and value:
        for key, inner in value.items():
            yield from leaves(inner, f"{at}/{key}")
    elif isinstance(value, list) and value:
        for number, inner in enumerate(value):
            yield from leaves(inner, f"{at}/{number}")
    else:
        yield at


def test_every_part_is_exactly_one_partys_word(made: dict[str, Any]) -> None:
    words = made["predicate"]["farm_words"]
    pointers = [(who, pointer) for who, listed in words.items() for pointer in listed]
    for leaf in leaves(made):
        if leaf.startswith("/predicate/farm_words/"):
            continue
        owners = [who for who, pointer in pointers if leaf == pointer or leaf.startswith(f"{pointer}/")]
        assert len(owners) == 1, f"{leaf} is the word of {owners}"


def test_what_is_told_after_the_build_is_the_workers_word(
    made: dict[str, Any], git_job: JobRecord, result: RunResult, builder: BuilderClaim
) -> None:
    told = result.model_copy(
        update={
            "probe": "other",
            "finished_on": "x",
            "notes": (),
            "byproducts": (),
            "test": result.test.model_copy(update={"result": "skipped", "reason": "no"}),
        }
    )
    other = statement(git_job, told, FILENAME, BLOB, builder)
    before, after = set(leaves(made)), set(leaves(other))
    differing = (before ^ after) | {leaf for leaf in before & after if at(made, leaf) != at(other, leaf)}
    assert differing
    assert all(any(leaf.startswith(p) for p in made["predicate"]["farm_words"]["worker"]) for leaf in differing)


def at(value: Any, pointer: str) -> Any:
    for key in pointer.split("/")[1:]:
        value = value[int(key)] if isinstance(value, list) else value[key]
    return value


def test_unknown_ecosystem_has_no_build_type() -> None:
    with pytest.raises(SigningRefusedError, match="cobol"):
        build_type("https://farm.example", "cobol")


def test_facts_come_back(made: dict[str, Any], git_job: JobRecord) -> None:
    facts = read_statement(made)
    assert (facts.package, facts.version, facts.sha256) == ("sample-lib", "1.4.2", BLOB.sha256)
    assert facts.source_commit == git_job.snapshot.commit
    assert facts.inputs == {"farm": 1, "index": 2}
    assert facts.slsa_level == 1
    assert facts.level_reasons
    assert facts.recipe_commit == "6" * 40
    assert not facts.recipe_dirty


def test_facts_of_an_archive_source_without_a_recipe_commit(
    archive_job: JobRecord, result: RunResult, builder: BuilderClaim
) -> None:
    facts = read_statement(statement(archive_job, result, FILENAME, BLOB, builder))
    assert facts.source_strength == "archive"
    assert facts.source_sha256 == archive_job.snapshot.origin_sha256
    assert facts.recipe_dirty


@pytest.mark.parametrize(
    ("path", "new"),
    [
        ("_type", "https://in-toto.io/Statement/v0.1"),
        ("predicateType", "https://slsa.dev/provenance/v0.2"),
        ("subject", []),
        ("subject/0/digest/sha256", "AB" * 32),
        ("subject/0/digest", {"sha1": "ab" * 20}),
        ("predicate/buildDefinition/externalParameters/extra", "override"),
        ("predicate/buildDefinition/externalParameters/overrides", ["--no-tests"]),
        ("predicate/buildDefinition/externalParameters/overrides", ...),
        ("predicate/buildDefinition/externalParameters/source/digest/gitCommit", "1" * 40),
        ("predicate/buildDefinition/resolvedDependencies/0/annotations/strength", "archive"),
        ("predicate/buildDefinition/resolvedDependencies/0/digest", {}),
        ("predicate/buildDefinition/resolvedDependencies/0/annotations/role", "other"),
        ("predicate/buildDefinition/resolvedDependencies", []),
        ("predicate/runDetails/builder/id", 5),
        ("predicate/runDetails/farm_test/result", "failed"),
        ("predicate/farm_claim/slsaBuildLevel", 4),
        ("predicate/farm_claim", ...),
    ],
)
def test_statements_of_another_shape_are_refused(made: dict[str, Any], path: str, new: object) -> None:
    with pytest.raises(VerificationError):
        read_statement(changed(made, path, new))


def test_two_subjects_or_a_byproduct_twice_are_refused(made: dict[str, Any]) -> None:
    with pytest.raises(VerificationError):
        read_statement(changed(made, "subject", made["subject"] * 2))
    twice = made["predicate"]["runDetails"]["byproducts"] * 2
    with pytest.raises(VerificationError, match="twice"):
        read_statement(changed(made, "predicate/runDetails/byproducts", twice))


def test_fields_that_are_not_parameters_may_grow(made: dict[str, Any]) -> None:
    assert read_statement(changed(made, "predicate/runDetails/farm_new", 1)) == read_statement(made)


@pytest.mark.parametrize(
    "bundle",
    ["", "[]", "{}", '{"dsseEnvelope": {"payload": "!"}}', '{"dsseEnvelope": {"payload": "W10="}}', "[" * 100_000],
)
def test_unreadable_bundles_are_refused(bundle: str) -> None:
    with pytest.raises(VerificationError):
        read_bundle(bundle)


json_values = st.recursive(
    st.none() | st.booleans() | st.integers() | st.text(max_size=5),
    lambda inner: st.lists(inner, max_size=3) | st.dictionaries(st.text(max_size=5), inner, max_size=3),
    max_leaves=8,
)


@given(value=json_values, key=st.sampled_from(["subject", "predicate", "predicateType", "_type"]))
def test_no_json_makes_reading_fail_otherwise(made: dict[str, Any], value: object, key: str) -> None:
    if value == made[key]:
        return
    with pytest.raises(VerificationError):
        read_statement(changed(made, key, value))


ALL = BuilderFacts(
    provenance_signed=True, hosted=True, signer_own_user=True, worker_apart_from_signer=True, sandbox_isolated=True
)


@pytest.mark.parametrize(
    ("missing", "level"),
    [
        ((), 3),
        (("signer_own_user",), 2),
        (("worker_apart_from_signer",), 2),
        (("sandbox_isolated",), 2),
        (("hosted",), 1),
        (("hosted", "sandbox_isolated"), 1),
        (("provenance_signed",), 0),
    ],
)
def test_level_is_what_every_fact_below_it_allows(missing: tuple[str, ...], level: int) -> None:
    found = claim(ALL.model_copy(update=dict.fromkeys(missing, False)))
    assert found.level == level
    assert len(found.reasons) == len(missing)


def test_nothing_known_is_no_level() -> None:
    assert claim(BuilderFacts()).level == 0
