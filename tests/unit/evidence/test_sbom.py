from __future__ import annotations

import json
from typing import TYPE_CHECKING, Any

import pytest
from cyclonedx.schema import SchemaVersion
from cyclonedx.validation.json import JsonStrictValidator
from hypothesis import given, settings
from hypothesis import strategies as st
from spdx_tools.spdx.parser.json.json_parser import parse_from_file
from spdx_tools.spdx.validation.document_validator import validate_full_spdx_document

from farm.evidence.cyclonedx import cyclonedx
from farm.evidence.documents import embedded, sidecars
from farm.evidence.sbom import (
    MAIN_REF,
    SbomFormat,
    declared_license,
    document_id,
    embedded_name,
    without_file_hash,
)
from farm.evidence.spdx import spdx
from farm.model.base import BlobRef
from farm.model.build import FileNote

if TYPE_CHECKING:
    from collections.abc import Callable
    from pathlib import Path

    from farm.model.evidence import SbomFacts

FILE = BlobRef(sha256="ab" * 32, size=9)
WRITERS = {SbomFormat.CYCLONEDX: cyclonedx, SbomFormat.SPDX: spdx}


@pytest.fixture(params=["git_facts", "archive_facts"])
def facts(request: pytest.FixtureRequest) -> SbomFacts:
    found: SbomFacts = request.getfixturevalue(request.param)
    return found


def parsed(document: bytes) -> dict[str, Any]:
    found: dict[str, Any] = json.loads(document)
    return found


@pytest.mark.parametrize("file", [None, FILE])
def test_cyclonedx_is_strictly_valid(facts: SbomFacts, file: BlobRef | None) -> None:
    document = cyclonedx(facts.model_copy(update={"file": file})).decode()
    assert JsonStrictValidator(SchemaVersion.V1_6).validate_str(document) is None


@pytest.mark.parametrize("file", [None, FILE])
def test_spdx_is_valid(facts: SbomFacts, file: BlobRef | None, tmp_path: Path) -> None:
    path = tmp_path / "x.spdx.json"
    path.write_bytes(spdx(facts.model_copy(update={"file": file})))
    document = parse_from_file(str(path))
    assert [m.validation_message for m in validate_full_spdx_document(document)] == []


@pytest.mark.parametrize("kind", list(SbomFormat))
@pytest.mark.parametrize("name", ["git_facts", "archive_facts"])
def test_golden(
    kind: SbomFormat, name: str, request: pytest.FixtureRequest, golden: Callable[[str, str], None]
) -> None:
    document = WRITERS[kind](request.getfixturevalue(name).model_copy(update={"file": FILE}))
    golden(f"{name}{kind.value}", document.decode())


def test_embedded_and_sidecar_differ_in_the_file_hash_alone(facts: SbomFacts) -> None:
    inside, beside = embedded(facts), sidecars(facts, FILE)
    for kind in SbomFormat:
        bare, found = without_file_hash(kind, parsed(beside[kind]))
        assert found == FILE.sha256
        assert bare == parsed(inside[embedded_name(kind)])
        assert FILE.sha256 not in inside[embedded_name(kind)].decode()


def test_embedded_never_holds_a_hash_even_when_it_is_known(facts: SbomFacts) -> None:
    assert embedded(facts.model_copy(update={"file": FILE})) == embedded(facts)


def test_documents_do_not_hang_on_what_is_only_known_after_finishing(facts: SbomFacts) -> None:
    assert document_id(facts) == document_id(facts.model_copy(update={"file": FILE}))


def test_another_input_is_another_document(facts: SbomFacts) -> None:
    assert document_id(facts) != document_id(facts.model_copy(update={"inputs": facts.inputs[1:]}))


def test_how_this_host_calls_the_image_is_not_in_the_documents(facts: SbomFacts) -> None:
    image = facts.image.model_copy(update={"image_id": "sha256:" + "e" * 64, "definition": "e" * 64})
    assert embedded(facts.model_copy(update={"image": image})) == embedded(facts)


def test_cyclonedx_says_what_was_built_how_and_from_what(git_facts: SbomFacts) -> None:
    document = parsed(cyclonedx(git_facts.model_copy(update={"file": FILE})))
    main = document["metadata"]["component"]
    assert main["purl"] == "pkg:pypi/sample-lib@1.4.2"
    assert main["supplier"]["name"] == "farm"
    assert main["hashes"] == [{"alg": "SHA-256", "content": FILE.sha256}]
    assert main["licenses"] == [{"expression": "BSD-3-Clause", "acknowledgement": "declared"}]
    assert main["pedigree"]["commits"] == [{"uid": git_facts.snapshot.commit}]
    assert document["metadata"]["lifecycles"] == [{"phase": "build"}]
    assert {p["value"] for p in main["properties"] if p["name"] == "farm:requires-dist"} == set(git_facts.requires_dist)
    inventory = {c["name"] for c in document["components"]}
    assert inventory == {"libsample", "liba"}, "what is contained, not what is needed to build or run"
    formula = document["formulation"][0]
    digests = {c["hashes"][0]["content"] for c in formula["components"] if c["type"] == "library"}
    assert digests == {f.sha256 for f in git_facts.inputs}
    assert json.loads(formula["workflows"][0]["steps"][0]["commands"][0]["executed"]) == list(git_facts.commands[0])


def test_cyclonedx_archive_source_has_its_digest(archive_facts: SbomFacts) -> None:
    reference = parsed(cyclonedx(archive_facts))["metadata"]["component"]["externalReferences"][0]
    assert reference["type"] == "source-distribution"
    assert reference["hashes"][0]["content"] == archive_facts.snapshot.origin_sha256


def test_spdx_relations(git_facts: SbomFacts) -> None:
    document = parsed(spdx(git_facts))
    relations = [(r["relationshipType"], r["spdxElementId"]) for r in document["relationships"]]
    assert ("BUILD_TOOL_OF", "SPDXRef-BuilderImage") in relations
    assert len([kind for kind, _ in relations if kind == "BUILD_DEPENDENCY_OF"]) == len(git_facts.inputs)
    assert len([kind for kind, _ in relations if kind == "CONTAINS"]) == len(git_facts.contents)
    suppliers = {p["name"]: p["supplier"] for p in document["packages"]}
    assert suppliers["sample-lib"] == suppliers["wheel"] == "Organization: farm"
    assert suppliers["setuptools"] != "Organization: farm", "upstream's binary is not farm's work"


def test_a_file_in_two_roles_is_one_component(git_facts: SbomFacts) -> None:
    first = git_facts.inputs[0]
    twice = git_facts.model_copy(
        update={"inputs": (*git_facts.inputs, first.model_copy(update={"roles": ("backend",)}))}
    )
    ids = [p["SPDXID"] for p in parsed(spdx(twice))["packages"]]
    assert len(set(ids)) == len(ids)
    assert JsonStrictValidator(SchemaVersion.V1_6).validate_str(cyclonedx(twice).decode()) is None


@pytest.mark.parametrize(
    ("text", "expression", "name"),
    [
        ("MIT", "MIT", ""),
        ("mit or apache-2.0", "MIT OR Apache-2.0", ""),
        ("BSD License", "", "BSD License"),
        ("Copyright me\n\nAll the text", "", "Copyright me"),
        ("", "", ""),
        ("UNKNOWN", "", ""),
    ],
)
def test_declared_license(text: str, expression: str, name: str) -> None:
    found = declared_license(text)
    assert (found.expression, found.name) == (expression, name)


line = st.text(st.characters(exclude_categories=["C"]), min_size=1, max_size=20).filter(str.strip)


@settings(max_examples=25, deadline=None)
@given(data=st.data())
def test_order_of_facts_does_not_matter_and_any_text_stays_valid(git_facts: SbomFacts, data: st.DataObject) -> None:
    facts = git_facts.model_copy(
        update={
            "summary": data.draw(line),
            "license": data.draw(line),
            "contents": (FileNote(name=data.draw(line), value=data.draw(line)), FileNote(name="x", value="1")),
            "environment": data.draw(st.dictionaries(line, line, max_size=3)),
        }
    )
    shuffled = facts.model_copy(
        update={
            "inputs": tuple(data.draw(st.permutations(facts.inputs))),
            "contents": tuple(data.draw(st.permutations(facts.contents))),
            "requires_dist": tuple(data.draw(st.permutations(facts.requires_dist))),
            "environment": dict(data.draw(st.permutations(list(facts.environment.items())))),
        }
    )
    assert cyclonedx(facts) == cyclonedx(shuffled)
    assert spdx(facts) == spdx(shuffled)
    assert JsonStrictValidator(SchemaVersion.V1_6).validate_str(cyclonedx(facts).decode()) is None


@pytest.mark.parametrize(
    ("kind", "path", "value"),
    [
        (SbomFormat.CYCLONEDX, "metadata", []),
        (SbomFormat.CYCLONEDX, "metadata", {"component": 3}),
        (SbomFormat.CYCLONEDX, "metadata", {"component": {"hashes": [{"alg": "MD5", "content": "x"}]}}),
        (SbomFormat.CYCLONEDX, "metadata", {"component": {"hashes": 7}}),
        (SbomFormat.SPDX, "packages", {}),
        (SbomFormat.SPDX, "packages", []),
        (SbomFormat.SPDX, "packages", [{"SPDXID": MAIN_REF}, {"SPDXID": MAIN_REF}]),
        (SbomFormat.SPDX, "packages", [{"SPDXID": MAIN_REF, "checksums": [{}, {}]}]),
    ],
)
def test_documents_of_another_shape_are_refused(kind: SbomFormat, path: str, value: object) -> None:
    with pytest.raises(ValueError, match=r"no object|no list|not one"):
        without_file_hash(kind, {path: value})
