"""One made-up build whose evidence the tests of this folder write."""

from __future__ import annotations

import os
from pathlib import Path
from typing import TYPE_CHECKING

import pytest

from farm.evidence.provenance import BuilderClaim
from farm.model.base import BlobRef
from farm.model.build import FileNote, ImageIdentity, TestReport
from farm.model.evidence import Byproduct, JobRecord, RecipeOrigin, RunResult, SbomFacts
from farm.model.lock import InputRole, LockedFile
from farm.model.plan import ArchivePin, BuildPlan, BuildSpec, GitPin, Limits, PackageId, Target, TestSpec, Waiver
from farm.model.source import SourceSnapshot

if TYPE_CHECKING:
    from collections.abc import Callable

GOLDEN = Path(__file__).parent.parent / "golden" / "evidence"
PACKAGE = PackageId(ecosystem="python", name="sample-lib", version="1.4.2")
COMMIT = "3f0c2a9d5b7e4c1f8a6d9e2b0c4f7a1d3e5b8c60"
FILENAME = "sample_lib-1.4.2-cp311-cp311-manylinux_2_17_x86_64.whl"


def digest(character: str) -> str:
    return character * 64


def blob(character: str, size: int = 1000) -> BlobRef:
    return BlobRef(sha256=digest(character), size=size)


def locked(name: str, version: str, character: str, *roles: InputRole, origin: str = "index") -> LockedFile:
    return LockedFile.model_validate(
        {
            "filename": f"{name}-{version}-py3-none-any.whl",
            "name": name,
            "version": version,
            "sha256": digest(character),
            "size": 4321,
            "origin": origin,
            "roles": roles,
            "purl": f"pkg:pypi/{name}@{version}",
        }
    )


INPUTS = (
    locked("setuptools", "75.1.0", "1", "build"),
    locked("cython", "3.0.11", "2", "backend", "build"),
    locked("wheel", "0.44.0", "3", "build", origin="farm"),
)


@pytest.fixture(scope="session")
def golden() -> Callable[[str, str], None]:
    """Hold a text against its golden file; FARM_WRITE_GOLDEN=1 writes the file instead, to be read in the diff."""

    def check(name: str, text: str) -> None:
        if os.environ.get("FARM_WRITE_GOLDEN"):
            (GOLDEN / name).write_text(text, encoding="utf-8")
        assert text == (GOLDEN / name).read_text(encoding="utf-8")

    return check


@pytest.fixture(scope="session")
def git_snapshot() -> SourceSnapshot:
    return SourceSnapshot(
        strength="git",
        uri="git+https://git.example.org/team/sample-lib@refs/tags/v1.4.2",
        tree_digest=digest("a"),
        archive=blob("b"),
        commit=COMMIT,
        git_tree="4" * 40,
        tag="v1.4.2",
        tag_object="5" * 40,
        epoch=1700000000,
        files=12,
        size=34567,
    )


@pytest.fixture(scope="session")
def archive_snapshot() -> SourceSnapshot:
    return SourceSnapshot(
        strength="archive",
        uri="pkg:pypi/sample-lib@1.4.2?file_name=sample_lib-1.4.2.tar.gz",
        tree_digest=digest("a"),
        archive=blob("b"),
        origin_sha256=digest("c"),
        original=blob("c"),
        epoch=1700000000,
        files=12,
        size=34567,
    )


@pytest.fixture(scope="session")
def image() -> ImageIdentity:
    return ImageIdentity(
        name="python311",
        image_id=f"sha256:{digest('9')}",
        digest=digest("d"),
        layers=(f"sha256:{digest('7')}", f"sha256:{digest('8')}"),
        definition=digest("e"),
        platform="linux/amd64",
        interpreter="cp311",
        version="3.11",
        packages=blob("6"),
        base="mmdebstrap:bookworm",
    )


@pytest.fixture(scope="session")
def git_job(git_snapshot: SourceSnapshot, image: ImageIdentity) -> JobRecord:
    return JobRecord(
        run_id="local-00000000-0000-4000-8000-000000000001",
        run_uri="urn:uuid:00000000-0000-4000-8000-000000000001",
        plan=BuildPlan(
            package=PACKAGE,
            recipe_path="python/sample-lib/recipe.yaml",
            recipe_digest=digest("f"),
            source=GitPin(url="https://git.example.org/team/sample-lib", commit=COMMIT, tag="v1.4.2"),
            build=BuildSpec(
                image="python311",
                requires=("setuptools==75.1.0",),
                env={"SAMPLE_SPEEDUPS": "1"},
                config_settings={"--global-option": ("a", "b"), "editable_mode": "strict"},
                tags="cp311-cp311-linux",
                waivers=(Waiver(rule="vendored-binary", reason="the test data is one"),),
            ),
            test=TestSpec(imports=("sample_lib",), command=("python", "-m", "pytest", "-q"), requires=("pytest",)),
            target=Target(platform="linux/amd64", interpreter="cp311"),
            limits=Limits(),
        ),
        recipe_origin=RecipeOrigin(commit="6" * 40, dirty=False),
        build_key=digest("0"),
        snapshot=git_snapshot,
        image=image,
        inputs=INPUTS,
        lock_digest=digest("4"),
        farm_version="0.1.0",
        rules_version=1,
        started_on="2026-01-02T03:04:05Z",
    )


@pytest.fixture(scope="session")
def archive_job(git_job: JobRecord, archive_snapshot: SourceSnapshot) -> JobRecord:
    pin = ArchivePin(kind="pypi-sdist", sha256=digest("c"), name="sample-lib", version="1.4.2")
    return git_job.model_copy(
        update={
            "plan": git_job.plan.model_copy(update={"source": pin}),
            "snapshot": archive_snapshot,
            "recipe_origin": RecipeOrigin(),
        }
    )


@pytest.fixture(scope="session")
def result() -> RunResult:
    return RunResult(
        finished_on="2026-01-02T03:05:06Z",
        probe="isolated: no network, no host",
        test=TestReport(
            result="passed", imports=("sample_lib",), command=("python", "-m", "pytest", "-q"), log=blob("5", 77)
        ),
        notes=(FileNote(name="canonicalised", value="changed"),),
        byproducts=(
            Byproduct(name=f"{FILENAME}.spdx.json", media_type="application/spdx+json", blob=blob("2")),
            Byproduct(name="build.log", media_type="text/plain", blob=blob("1")),
        ),
    )


@pytest.fixture(scope="session")
def builder() -> BuilderClaim:
    return BuilderClaim(
        id="https://farm.example/builders/workstation/v1",
        build_type_namespace="https://farm.example",
        level=1,
        version={"farm": "0.1.0"},
        reasons=("L2: builds run on a workstation",),
    )


@pytest.fixture(scope="session")
def git_facts(git_snapshot: SourceSnapshot, image: ImageIdentity) -> SbomFacts:
    return SbomFacts(
        package=PACKAGE,
        filename=FILENAME,
        file=BlobRef(sha256="ab" * 32, size=9),
        license="BSD-3-Clause",
        summary='A "sample" library, with café',
        requires_dist=('tomli>=2; python_version < "3.11"', "click<9,>=8"),
        contents=(FileNote(name="libsample", value="2.0.1"), FileNote(name="liba", value="")),
        snapshot=git_snapshot,
        image=image,
        inputs=INPUTS,
        environment={"TZ": "UTC", "SOURCE_DATE_EPOCH": "1700000000"},
        commands=(("python", "-m", "build", "--no-isolation", "--wheel", "--outdir", "/out", "/src"),),
        rules="rules-1",
        kind="wheel",
    )


@pytest.fixture(scope="session")
def archive_facts(git_facts: SbomFacts, archive_snapshot: SourceSnapshot) -> SbomFacts:
    return git_facts.model_copy(
        update={
            "snapshot": archive_snapshot,
            "license": "BSD License\n\nDo as you like.",
            "requires_dist": (),
            "contents": (),
        }
    )
