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

from farm.evidence.documents import embedded, sidecars
from farm.evidence.parts import BUILD_COMPOSITION, MAIN_REF, described_digest, embedded_part
from farm.evidence.sbom import SbomFormat, declared_license, embedded_name
from farm.model.base import BlobRef
from farm.model.build import FileNote
from farm.model.evidence import ComponentFacts, SbomFacts

if TYPE_CHECKING:
    from collections.abc import Callable
    from pathlib import Path

FILE = BlobRef(sha256="ab" * 32, size=9)
PLACES = ["embedded", "sidecar"]


def written(facts: SbomFacts, kind: SbomFormat, place: str = "sidecar") -> bytes:
    return sidecars(facts)[kind] if place == "sidecar" else embedded(facts)[embedded_name(kind)]


def cyclonedx(facts: SbomFacts) -> bytes:
    return written(facts, SbomFormat.CYCLONEDX)


def spdx(facts: SbomFacts) -> bytes:
    return written(facts, SbomFormat.SPDX)


@pytest.fixture(params=["git_facts", "archive_facts"])
def facts(request: pytest.FixtureRequest) -> SbomFacts:
    found: SbomFacts = request.getfixturevalue(request.param)
    return found


def parsed(document: bytes) -> dict[str, Any]:
    found: dict[str, Any] = json.loads(document)
    return found


@pytest.mark.parametrize("place", PLACES)
def test_cyclonedx_is_strictly_valid(facts: SbomFacts, place: str) -> None:
    document = written(facts, SbomFormat.CYCLONEDX, place).decode()
    assert JsonStrictValidator(SchemaVersion.V1_6).validate_str(document) is None


@pytest.mark.parametrize("place", PLACES)
def test_spdx_is_valid(facts: SbomFacts, place: str, tmp_path: Path) -> None:
    path = tmp_path / "x.spdx.json"
    path.write_bytes(written(facts, SbomFormat.SPDX, place))
    document = parse_from_file(str(path))
    assert [m.validation_message for m in validate_full_spdx_document(document)] == []


@pytest.mark.parametrize("place", PLACES)
@pytest.mark.parametrize("kind", list(SbomFormat))
@pytest.mark.parametrize("name", ["git_facts", "archive_facts"])
def test_golden(
    kind: SbomFormat, name: str, place: str, request: pytest.FixtureRequest, golden: Callable[[str, str], None]
) -> None:
    document = written(request.getfixturevalue(name), kind, place)
    golden(f"{name}.{place}{kind.value}", document.decode())


def test_what_the_sidecar_alone_says_leads_to_what_is_embedded(facts: SbomFacts) -> None:
    inside, beside = embedded(facts), sidecars(facts)
    for kind in SbomFormat:
        assert described_digest(kind, parsed(beside[kind])) == FILE.sha256
        assert embedded_part(kind, parsed(beside[kind])) == parsed(inside[embedded_name(kind)])


def built_otherwise(facts: SbomFacts) -> SbomFacts:
    """The same component, from the same source, with nothing else the same."""
    first = facts.inputs[0]
    image = {"name": "other", "image_id": f"sha256:{'e' * 64}", "digest": "e" * 64, "layers": ("sha256:" + "e" * 64,)}
    return facts.model_copy(
        update={
            "file": BlobRef(sha256="cd" * 32, size=10),
            "image": facts.image.model_copy(update={**image, "packages": None, "base": "elsewhere"}),
            "inputs": (first.model_copy(update={"sha256": "f" * 64, "origin": "farm"}), *facts.inputs[2:]),
            "environment": {"TZ": "UTC", "NEW": "1"},
            "commands": (("patch", "x"), *facts.commands),
            "rules": "rules-99",
            "snapshot": facts.snapshot.model_copy(update={"archive": BlobRef(sha256="f" * 64, size=1)}),
        }
    )


def test_what_is_embedded_hangs_on_nothing_that_it_was_built_with(facts: SbomFacts) -> None:
    other = built_otherwise(facts)
    assert embedded(other) == embedded(facts)
    for kind in SbomFormat:
        assert sidecars(other)[kind] != sidecars(facts)[kind]


def test_what_is_embedded_names_nothing_that_it_was_built_with(facts: SbomFacts) -> None:
    """Stated apart from the writers: whatever only `SbomFacts` has is in no embedded document."""
    told = SbomFacts.model_fields.keys() - ComponentFacts.model_fields.keys()
    assert told == {"file", "image", "inputs", "environment", "commands", "rules"}
    words = [facts.file.sha256, facts.image.digest, facts.image.name, facts.rules, "SOURCE_DATE_EPOCH", "--outdir"]
    words += [word for file in facts.inputs for word in (file.sha256, file.filename, file.purl)]
    inside, beside = embedded(facts), sidecars(facts)
    for kind in SbomFormat:
        text = inside[embedded_name(kind)].decode()
        assert [word for word in words if word in text] == []
        assert facts.file.sha256 in beside[kind].decode()


@pytest.mark.parametrize(
    "change",
    [
        {"license": "MIT"},
        {"summary": "another"},
        {"requires_dist": ("other",)},
        {"contents": (FileNote(name="other", value="1"),)},
        {"filename": "sample_lib-1.4.2-1-cp311-cp311-manylinux_2_17_x86_64.whl"},
    ],
)
def test_another_component_is_another_document(facts: SbomFacts, change: dict[str, object]) -> None:
    one, other = embedded(facts), embedded(facts.model_copy(update=change))
    for kind in SbomFormat:
        first, second = parsed(one[embedded_name(kind)]), parsed(other[embedded_name(kind)])
        assert first[kind.identity] != second[kind.identity]


def test_every_document_has_an_identity_of_its_own(facts: SbomFacts) -> None:
    documents = [written(f, kind, place) for f in (facts, built_otherwise(facts)) for kind in SbomFormat
                 for place in PLACES]  # fmt: skip
    identities = [parsed(d).get("serialNumber") or parsed(d)["documentNamespace"] for d in documents]
    assert len(set(identities)) == 6, "the embedded ones are the same, whatever they were built with"


def test_cyclonedx_says_what_was_built_how_and_from_what(git_facts: SbomFacts) -> None:
    document = parsed(cyclonedx(git_facts))
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


CDX, SPDX = SbomFormat.CYCLONEDX, SbomFormat.SPDX


@pytest.mark.parametrize(
    ("kind", "path", "value"),
    [
        (CDX, "metadata", []),
        (CDX, "metadata", {"component": 3}),
        (CDX, "compositions", 7),
        (CDX, "compositions", []),
        (CDX, "compositions", [{"bom-ref": BUILD_COMPOSITION}, {"bom-ref": BUILD_COMPOSITION}]),
        (CDX, "components", float("nan")),
        (CDX, "components", 2**60),
        (CDX, "components", "\ud800"),
        (SPDX, "packages", {}),
        (SPDX, "packages", []),
        (SPDX, "packages", [3]),
        (SPDX, "packages", [{"SPDXID": MAIN_REF}, {"SPDXID": MAIN_REF}]),
        (SPDX, "relationships", None),
        (SPDX, "name", float("inf")),
    ],
)
def test_sidecars_of_another_shape_are_refused(
    kind: SbomFormat, path: str, value: object, git_facts: SbomFacts
) -> None:
    document = parsed(written(git_facts, kind))
    with pytest.raises(ValueError):  # noqa: PT011 - what fits no shape has no one message
        embedded_part(kind, document | {path: value})


def test_a_sidecar_that_is_nested_without_end_is_refused(git_facts: SbomFacts) -> None:
    deep: object = []
    for _ in range(5000):
        deep = [deep]
    for kind in SbomFormat:
        with pytest.raises(ValueError, match="nested too deeply"):
            embedded_part(kind, parsed(written(git_facts, kind)) | {"name": deep})


@pytest.mark.parametrize(
    ("kind", "document"),
    [
        (CDX, {"metadata": {"component": {"hashes": [{"alg": "MD5", "content": "x"}]}}}),
        (CDX, {"metadata": {"component": {"hashes": 7}}}),
        (SPDX, {"packages": [{"SPDXID": MAIN_REF, "checksums": [{}, {}]}]}),
        (SPDX, {"packages": [{"SPDXID": MAIN_REF, "checksums": [{"algorithm": "SHA1", "checksumValue": "x"}]}]}),
    ],
)
def test_a_digest_of_another_kind_is_refused(kind: SbomFormat, document: dict[str, object]) -> None:
    with pytest.raises(ValueError, match="not one SHA"):
        described_digest(kind, document)
