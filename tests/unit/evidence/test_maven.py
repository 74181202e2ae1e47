"""The same words and the same code for files of another language."""

from __future__ import annotations

import json
import time
from typing import TYPE_CHECKING, Any

import pytest
from cyclonedx.schema import SchemaVersion
from cyclonedx.validation.json import JsonStrictValidator
from spdx_tools.spdx.parser.json.json_parser import parse_from_file
from spdx_tools.spdx.validation.document_validator import validate_full_spdx_document

from farm.errors import VerificationError
from farm.evidence.documents import sidecars
from farm.evidence.facts import read_statement
from farm.evidence.parts import described_digest
from farm.evidence.provenance import BuilderClaim, statement
from farm.evidence.sbom import SbomFormat
from farm.evidence.summary import rows
from farm.model.base import BlobRef, sha256_bytes
from farm.model.build import Artifact, BuildResult, FileNote, RawArtifact, TestCounts, TestReport, Usage
from farm.model.lock import LockedFile
from farm.model.plan import ArchivePin, PackageId, Patch
from farm.pipeline.documents import byproducts, sbom_facts

if TYPE_CHECKING:
    from pathlib import Path

    from farm.model.evidence import JobRecord, RunResult, SbomFacts

PATH = "org/example/sample-extra/1.4.2/sample-extra-1.4.2.jar"
FILE = BlobRef(sha256="ab" * 32, size=9)
PATCH = Patch(name="fix.patch", blob=BlobRef(sha256="cd" * 32, size=7))


def locked(number: int, *, data: str = "") -> LockedFile:
    name = f"lib-{number:05}"
    return LockedFile(
        filename=f"org/example/{name}/1.0/{name}-1.0.jar",
        name=f"org.example:{name}",
        version="1.0",
        sha256=sha256_bytes((data or name).encode()),
        size=number + 1,
        origin="index" if number % 10 else "farm",
        roles=("build",),
        purl=f"pkg:maven/org.example/{name}@1.0",
        sha1=f"{number:040x}",
        repository="central-mirror",
    )


@pytest.fixture
def job(archive_job: JobRecord) -> JobRecord:
    plan = archive_job.plan
    pin = ArchivePin(
        kind="maven", sha256="c" * 64, name="org.example:sample", version="1.4.2", variant="zip:source-release"
    )
    build = plan.build.model_copy(
        update={
            "config_settings": {},
            "tags": "",
            "options": {"profiles": ["!docs"], "artifacts": ["org.example:sample-extra"]},
            "patches": (PATCH,),
        }
    )
    package = PackageId(ecosystem="maven", name="org.example:sample", version="1.4.2")
    return archive_job.model_copy(
        update={
            "plan": plan.model_copy(update={"package": package, "source": pin, "build": build}),
            "inputs": tuple(locked(number) for number in range(20)),
        }
    )


@pytest.fixture
def report() -> TestReport:
    return TestReport(result="passed", imports=(), command=(), counts=TestCounts(run=774, skipped=3, failed=1))


@pytest.fixture
def built() -> BuildResult:
    return BuildResult(
        artifacts=(),
        commands=(("/maven/bin/mvn", "clean", "verify"),),
        environment={"TZ": "UTC"},
        log=FILE,
        probe="isolated",
        usage=Usage(seconds=1),
    )


@pytest.fixture
def artifact() -> Artifact:
    return Artifact(
        filename="sample-extra-1.4.2.jar",
        kind="jar",
        path=PATH,
        blob=FILE,
        raw=RawArtifact(filename=PATH, blob=FILE),
        license="Apache-2.0",
        requires_dist=("org.example:sample:1.4.2:compile",),
        contents=(
            FileNote(name="pkg:maven/org.shaded/inside@2.0", value="2.0"),
            FileNote(name="pkg:maven/org.shaded/inside@2.0", value="2.0"),
            FileNote(name="pkg:nonsense", value=""),
            FileNote(name="plain name", value="1"),
        ),
    )


def cyclonedx(facts: SbomFacts) -> bytes:
    return sidecars(facts)[SbomFormat.CYCLONEDX]


def spdx(facts: SbomFacts) -> bytes:
    return sidecars(facts)[SbomFormat.SPDX]


@pytest.fixture
def facts(job: JobRecord, built: BuildResult, artifact: Artifact) -> SbomFacts:
    return sbom_facts(job, built, artifact)


@pytest.fixture
def made(job: JobRecord, result: RunResult, report: TestReport, builder: BuilderClaim) -> dict[str, Any]:
    told = result.model_copy(update={"test": report})
    return statement(job, told, "sample-extra-1.4.2.jar", FILE, builder)


def test_every_locked_file_is_named_with_its_digests_and_origin(made: dict[str, Any], job: JobRecord) -> None:
    found = [
        d for d in made["predicate"]["buildDefinition"]["resolvedDependencies"] if d["annotations"]["role"] == "input"
    ]
    assert [d["name"] for d in found] == sorted(file.filename for file in job.inputs)
    assert {(d["digest"]["sha256"], d["digest"]["sha1"], d["annotations"]["origin"]) for d in found} == {
        (file.sha256, file.sha1, file.origin) for file in job.inputs
    }
    assert {d["annotations"]["repository"] for d in found} == {"central-mirror"}


def test_what_decided_over_the_build_is_in_the_provenance(made: dict[str, Any]) -> None:
    definition = made["predicate"]["buildDefinition"]
    assert definition["buildType"] == "https://farm.example/buildtypes/maven/v1"
    assert definition["externalParameters"]["source"] == {
        "kind": "maven",
        "digest": {"sha256": "c" * 64},
        "name": "org.example:sample",
        "version": "1.4.2",
        "variant": "zip:source-release",
    }
    assert definition["internalParameters"]["options"] == {
        "artifacts": ["org.example:sample-extra"],
        "profiles": ["!docs"],
    }
    (patch,) = [d for d in definition["resolvedDependencies"] if d["annotations"]["role"] == "patch"]
    assert (patch["name"], patch["digest"]) == ("patches/fix.patch", {"sha256": PATCH.blob.sha256})
    assert made["predicate"]["runDetails"]["farm_test"]["counts"] == {"run": 774, "skipped": 3, "failed": 1}


def test_the_statement_is_read_back(made: dict[str, Any]) -> None:
    facts = read_statement(json.loads(json.dumps(made)))
    assert (facts.ecosystem, facts.package) == ("maven", "org.example:sample")
    assert facts.inputs == {"farm": 2, "index": 18}
    assert facts.patches == {"fix.patch": PATCH.blob.sha256}
    assert (facts.tests_run, facts.tests_skipped, facts.tests_failed) == (774, 3, 1)
    shown = dict(rows(facts))
    assert shown["Tests"] == "passed (774 run, 3 skipped, 1 failed and ignored)"
    assert shown["Patch"].startswith("fix.patch (sha256 cdcdcd")


def test_a_kind_of_source_that_nobody_knows_is_refused(made: dict[str, Any]) -> None:
    made["predicate"]["buildDefinition"]["externalParameters"]["source"]["kind"] = "upload"
    with pytest.raises(VerificationError, match="upload"):
        read_statement(made)


def test_an_sbom_is_of_the_file_and_not_of_the_package(facts: SbomFacts) -> None:
    main = json.loads(cyclonedx(facts))["metadata"]["component"]
    assert (main["name"], main["purl"]) == ("org.example:sample-extra", "pkg:maven/org.example/sample-extra@1.4.2")
    assert {"name": "farm:kind", "value": "jar"} in main["properties"]
    (package,) = [p for p in json.loads(spdx(facts))["packages"] if p["SPDXID"] == "SPDXRef-Package"]
    assert package["name"] == "org.example:sample-extra"
    assert package["externalRefs"][0]["referenceLocator"] == "pkg:maven/org.example/sample-extra@1.4.2"
    assert package["comment"] == "kind of file: jar"


@pytest.mark.parametrize(
    ("path", "purl"),
    [
        ("org/example/sample/1.4.2/sample-1.4.2.pom", "pkg:maven/org.example/sample@1.4.2?type=pom"),
        (
            "org/example/sample/1.4.2/sample-1.4.2-sources.jar",
            "pkg:maven/org.example/sample@1.4.2?classifier=sources",
        ),
        (
            "org/example/sample/1.4.2/sample-1.4.2-bin.tar.gz",
            "pkg:maven/org.example/sample@1.4.2?classifier=bin&type=tar.gz",
        ),
    ],
)
def test_each_file_of_an_artifact_has_an_address_of_its_own(
    job: JobRecord, built: BuildResult, artifact: Artifact, path: str, purl: str
) -> None:
    other = artifact.model_copy(update={"path": path, "filename": path.rpartition("/")[2]})
    document = json.loads(cyclonedx(sbom_facts(job, built, other)))
    assert document["metadata"]["component"]["purl"] == purl


def test_what_is_inside_of_a_jar_is_named(facts: SbomFacts) -> None:
    inside = {c["name"]: c for c in json.loads(cyclonedx(facts))["components"]}
    assert inside.keys() == {"inside", "pkg:nonsense", "plain name"}
    assert (inside["inside"]["group"], inside["inside"]["version"]) == ("org.shaded", "2.0")
    assert inside["inside"]["purl"] == "pkg:maven/org.shaded/inside@2.0"
    packages = {p["name"]: p for p in json.loads(spdx(facts))["packages"]}
    assert packages["org.shaded:inside"]["externalRefs"][0]["referenceLocator"] == "pkg:maven/org.shaded/inside@2.0"


def test_files_with_the_same_bytes_are_components_of_their_own(facts: SbomFacts, tmp_path: Path) -> None:
    same = facts.model_copy(update={"inputs": tuple(locked(number, data="same") for number in range(3))})
    assert JsonStrictValidator(SchemaVersion.V1_6).validate_str(cyclonedx(same).decode()) is None
    ids = [p["SPDXID"] for p in json.loads(spdx(same))["packages"]]
    assert len(set(ids)) == len(ids) == 3 + 3 + 3
    path = tmp_path / "x.spdx.json"
    path.write_bytes(spdx(same))
    assert validate_full_spdx_document(parse_from_file(str(path))) == []


def test_documents_are_valid(facts: SbomFacts, tmp_path: Path) -> None:
    assert JsonStrictValidator(SchemaVersion.V1_6).validate_str(cyclonedx(facts).decode()) is None
    path = tmp_path / "x.spdx.json"
    path.write_bytes(spdx(facts))
    assert [m.validation_message for m in validate_full_spdx_document(parse_from_file(str(path)))] == []
    for kind, document in sidecars(facts).items():
        assert described_digest(kind, json.loads(document)) == FILE.sha256


def test_a_thousand_inputs_are_quick_and_in_order(
    facts: SbomFacts, job: JobRecord, result: RunResult, builder: BuilderClaim
) -> None:
    inputs = tuple(locked(number) for number in range(1000))
    start = time.monotonic()
    made = sidecars(facts.model_copy(update={"inputs": inputs}))
    said = statement(job.model_copy(update={"inputs": inputs}), result, "x.jar", FILE, builder)
    facts_read = read_statement(said)
    taken = time.monotonic() - start
    assert facts_read.inputs == {"farm": 100, "index": 900}
    assert taken < 10, "0.3 s on the machine where it was written"
    other = sidecars(facts.model_copy(update={"inputs": inputs[::-1]}))
    assert other == made
    assert all(len(document) < 4 * 1024 * 1024 for document in made.values())


def test_byproducts_have_names_of_their_own(built: BuildResult, artifact: Artifact, report: TestReport) -> None:
    names = [b.name for b in byproducts(artifact, built, report, {kind.value: FILE for kind in SbomFormat})]
    assert len(set(names)) == len(names)
    assert "sample-extra-1.4.2.jar.cdx.json" in names
