"""Jars and POMs carry no SBOM inside: what lies beside them has to stand in the provenance."""

from __future__ import annotations

import io
import json
import zipfile
from dataclasses import replace
from typing import TYPE_CHECKING

import pytest

from farm.consumer.sidecars import BUNDLE, PROVENANCE_BUNDLE
from farm.consumer.verify import verify
from farm.evidence.documents import sidecars
from farm.model.base import BlobRef, sha256_bytes
from farm.model.build import TestCounts, TestReport
from farm.model.evidence import Byproduct, RunResult
from farm.model.plan import ArchivePin, PackageId, TestSpec
from farm.trust.identity import ExpectedIdentity
from tests.attacks.verify.conftest import Shelf, facts_of, job_of

if TYPE_CHECKING:
    from pathlib import Path

    from farm.consumer.verdict import FileVerdict
    from tests.attacks.verify.conftest import Farm

pytestmark = pytest.mark.services

IDENTITY = ExpectedIdentity(builder="https://farm.example/builders/workstation/v1", issuer="https://farm.example/oidc")
CDX, SPDX = ".cdx.json", ".spdx.json"
PACKAGE = PackageId(ecosystem="maven", name="org.example:alpha", version="1.0")
JAR, POM = "alpha-1.0.jar", "alpha-1.0.pom"


def jar() -> bytes:
    buffer = io.BytesIO()
    with zipfile.ZipFile(buffer, "w") as archive:
        archive.writestr("META-INF/MANIFEST.MF", "Manifest-Version: 1.0\n")
    return buffer.getvalue()


def shelve(farm: Farm, folder: Path, *, without: str = "") -> None:
    """Have a jar and its POM signed in one run; the provenance does not name the sidecars `without`."""
    facts = facts_of("alpha")
    location = "pkg:maven/org.example/alpha@1.0?classifier=source-release&type=zip"
    facts = facts.model_copy(
        update={"package": PACKAGE, "snapshot": facts.snapshot.model_copy(update={"uri": location})}
    )
    job = job_of(facts)
    pin = ArchivePin(
        kind="maven", sha256="a" * 64, name="org.example:alpha", version="1.0", variant="zip:source-release"
    )
    job = job.model_copy(
        update={"run_id": "run-maven", "plan": job.plan.model_copy(update={"source": pin, "test": TestSpec()})}
    )
    token = farm.client.open_run(job)
    for filename, data in ((JAR, jar()), (POM, b"<project/>")):
        own = facts.model_copy(update={"filename": filename, "kind": filename.rpartition(".")[2]})
        path = folder / filename
        path.write_bytes(data)
        listed = []
        file = BlobRef(sha256=sha256_bytes(data), size=len(data))
        for kind, document in sidecars(own.model_copy(update={"file": file})).items():
            (folder / f"{filename}{kind.value}").write_bytes(document)
            if kind.value != without:
                blob = BlobRef(sha256=sha256_bytes(document), size=len(document))
                listed.append(Byproduct(name=f"{filename}{kind.value}", media_type=kind.media_type, blob=blob))
        result = RunResult(
            finished_on="2026-01-02T03:05:05Z",
            probe="isolated",
            test=TestReport(result="passed", imports=(), command=(), counts=TestCounts(run=5)),
            byproducts=tuple(listed),
        )
        signed = farm.client.sign(token, result, filename, path)
        (folder / f"{filename}{BUNDLE}").write_text(signed.signature)
        (folder / f"{filename}{PROVENANCE_BUNDLE}").write_text(signed.provenance)
    farm.client.close_run(token)


@pytest.fixture
def jars(farm: Farm, tmp_path: Path) -> Shelf:
    shelve(farm, tmp_path)
    return Shelf(tmp_path, farm)


def verdict(shelf: Shelf, name: str = JAR) -> FileVerdict:
    return verify(shelf.folder / name, trust=shelf.farm.trust, identity=IDENTITY)


def failed(shelf: Shelf, name: str = JAR) -> set[str]:
    found = verdict(shelf, name)
    assert found.verified == (not found.failures)
    return {check.name for check in found.failures}


@pytest.mark.parametrize("name", [JAR, POM])
def test_an_untouched_file_is_verified(jars: Shelf, name: str) -> None:
    found = verdict(jars, name)
    assert found.failures == ()
    assert found.facts is not None
    assert (found.facts.package, found.facts.tests_run) == ("org.example:alpha", 5)
    names = [check.name for check in found.checks]
    assert "SBOM beside the file" in names
    assert "embedded SBOM" not in names
    assert {"CycloneDX SBOM", "SPDX SBOM"} <= set(names)


@pytest.mark.parametrize("suffix", [CDX, SPDX])
def test_a_missing_sbom(jars: Shelf, suffix: str) -> None:
    (jars.folder / f"{JAR}{suffix}").unlink()
    assert "SBOM beside the file" in failed(jars)


@pytest.mark.parametrize(("suffix", "check"), [(CDX, "CycloneDX SBOM"), (SPDX, "SPDX SBOM")])
def test_a_changed_sbom(jars: Shelf, suffix: str, check: str) -> None:
    path = jars.folder / f"{JAR}{suffix}"
    document = json.loads(path.read_bytes())
    path.write_text(json.dumps(document | {"comment": "nothing to see"}))
    assert failed(jars) == {check}


def test_the_sbom_of_the_other_file(jars: Shelf) -> None:
    (jars.folder / f"{JAR}{CDX}").write_bytes((jars.folder / f"{POM}{CDX}").read_bytes())
    assert failed(jars) == {"CycloneDX SBOM"}


@pytest.mark.parametrize(("suffix", "check"), [(CDX, "CycloneDX SBOM"), (SPDX, "SPDX SBOM")])
def test_an_sbom_that_the_provenance_does_not_name(farm: Farm, tmp_path: Path, suffix: str, check: str) -> None:
    shelve(farm, tmp_path, without=suffix)
    assert failed(Shelf(tmp_path, farm)) == {check}


def test_a_changed_jar(jars: Shelf) -> None:
    with (jars.folder / JAR).open("ab") as stream:
        stream.write(b"more")
    assert {"signature", "provenance"} <= failed(jars)


@pytest.mark.parametrize(
    "name", ["alpha-2.0.jar", "beta-1.0.jar", "alpha-1.0-sources.jar", "alpha-1.0-py3-none-any.whl"]
)
def test_a_jar_under_another_name(jars: Shelf, name: str) -> None:
    for path in list(jars.folder.glob(f"{JAR}*")):
        path.rename(path.with_name(path.name.replace(JAR, name)))
    assert "provenance" in failed(replace(jars), name)


@pytest.mark.parametrize(
    ("package", "passes"),
    [
        ("maven/org.example:alpha", True),
        ("maven/org.example:alpha@1.0", True),
        ("maven/org.example:alpha@1.1", False),
        ("maven/com.example:alpha", False),  # what a jar's name does not tell
        ("python/alpha", False),
        ("org.example:alpha", False),
    ],
)
def test_a_jar_of_another_group_is_not_what_was_asked_for(jars: Shelf, package: str, passes: bool) -> None:  # noqa: FBT001 - a table
    found = verify(jars.folder / JAR, trust=jars.farm.trust, identity=IDENTITY, package=package)
    assert found.verified is passes
    assert [check.name for check in found.failures] == ([] if passes else ["asked for"])
