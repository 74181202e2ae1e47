"""A real signer, two packages that it signed, and a copy of their folder for each attack."""

from __future__ import annotations

import io
import shutil
import subprocess
import sys
import tempfile
import time
import zipfile
from dataclasses import dataclass
from pathlib import Path
from typing import TYPE_CHECKING

import pytest

from farm.consumer.sidecars import BUNDLE, PROVENANCE_BUNDLE
from farm.consumer.verify import verify
from farm.evidence.documents import embedded, sidecars
from farm.model.base import BlobRef, sha256_bytes
from farm.model.build import ImageIdentity, TestReport
from farm.model.evidence import Byproduct, JobRecord, RecipeOrigin, RunResult, SbomFacts
from farm.model.plan import ArchivePin, BuildPlan, BuildSpec, Limits, PackageId, Target, TestSpec
from farm.model.source import SourceSnapshot
from farm.trust.client import SignerClient
from farm.trust.identity import ExpectedIdentity, builder_id, issuer
from farm.trust.verify import load_trust

if TYPE_CHECKING:
    from collections.abc import Callable, Iterator, Mapping

    from farm.consumer.verdict import FileVerdict
    from farm.trust.verify import Trust

NAMESPACE = "https://farm.example"
IDENTITY = ExpectedIdentity(builder=builder_id(NAMESPACE, "workstation"), issuer=issuer(NAMESPACE))


@dataclass(frozen=True)
class Farm:
    """A running signer."""

    client: SignerClient
    trust: Trust


@dataclass(frozen=True)
class Shelf:
    """A folder with signed files and what lies beside them."""

    folder: Path
    farm: Farm

    def file(self, package: str = "alpha") -> Path:
        return self.folder / f"{package}-1.0-py3-none-any.whl"

    def beside(self, suffix: str, package: str = "alpha") -> Path:
        file = self.file(package)
        return file.with_name(file.name + suffix)

    def verify(self, package: str = "alpha") -> FileVerdict:
        return verify(self.file(package), trust=self.farm.trust, identity=IDENTITY)

    def failed(self, package: str = "alpha") -> set[str]:
        verdict = self.verify(package)
        assert verdict.verified == (not verdict.failures)
        return {check.name for check in verdict.failures}


def start_farm(folder: Path) -> Iterator[Farm]:
    trust_config = folder / "trust_config.json"
    process = subprocess.Popen(
        [
            *(sys.executable, "-m", "farm.trust.signer"),
            *("--data", str(folder / "signer"), "--socket", str(folder / "s"), "--trust-out", str(trust_config)),
            *("--namespace", NAMESPACE, "--builder", "workstation"),
        ],
        stderr=subprocess.DEVNULL,
    )
    try:
        with SignerClient(folder / "s") as client:
            for _ in range(600):
                # It writes this file once it listens.
                if trust_config.exists():
                    break
                assert process.poll() is None, "the signer ended"
                time.sleep(0.1)
            client.health()
            yield Farm(client, load_trust(trust_config))
    finally:
        process.terminate()
        process.wait(timeout=60)


@pytest.fixture(scope="session")
def farm() -> Iterator[Farm]:
    # Sockets need a short path.
    with tempfile.TemporaryDirectory() as folder:
        yield from start_farm(Path(folder))


@pytest.fixture(scope="session")
def other_farm() -> Iterator[Farm]:
    """A farm of the attacker's, which calls itself by the same names."""
    with tempfile.TemporaryDirectory() as folder:
        yield from start_farm(Path(folder))


def facts_of(package: str) -> SbomFacts:
    digest = "a" * 64
    return SbomFacts(
        package=PackageId(ecosystem="python", name=package, version="1.0"),
        filename=f"{package}-1.0-py3-none-any.whl",
        file=BlobRef(sha256=digest, size=1),
        license="MIT",
        snapshot=SourceSnapshot(
            strength="archive",
            uri=f"pkg:pypi/{package}@1.0",
            tree_digest=digest,
            archive=BlobRef(sha256=digest, size=1),
            origin_sha256=digest,
            epoch=1700000000,
            files=1,
            size=1,
        ),
        image=ImageIdentity(
            name="python311",
            image_id=f"sha256:{digest}",
            digest=digest,
            layers=(f"sha256:{digest}",),
            definition=digest,
            platform="linux/amd64",
            interpreter="cp311",
            version="3.11",
            base="mmdebstrap:bookworm",
        ),
        inputs=(),
        environment={},
        commands=(("python", "-m", "build"),),
        rules="rules-1",
        kind="wheel",
    )


def job_of(facts: SbomFacts) -> JobRecord:
    return JobRecord(
        run_id=f"run-{facts.package.name}",
        run_uri="urn:uuid:00000000-0000-4000-8000-000000000001",
        plan=BuildPlan(
            package=facts.package,
            recipe_path=f"python/{facts.package.name}/recipe.yaml",
            recipe_digest="b" * 64,
            source=ArchivePin(kind="pypi-sdist", sha256="a" * 64, name=facts.package.name, version="1.0"),
            build=BuildSpec(image="python311"),
            test=TestSpec(imports=(facts.package.name,)),
            target=Target(platform="linux/amd64", interpreter="cp311"),
            limits=Limits(),
        ),
        recipe_origin=RecipeOrigin(),
        build_key="d" * 64,
        snapshot=facts.snapshot,
        image=facts.image,
        inputs=(),
        lock_digest="c" * 64,
        farm_version="0.1.0",
        rules_version=1,
        started_on="2026-01-02T03:04:05Z",
    )


def wheel(package: str, documents: Mapping[str, bytes]) -> bytes:
    buffer = io.BytesIO()
    with zipfile.ZipFile(buffer, "w", zipfile.ZIP_DEFLATED) as archive:
        archive.writestr(f"{package}.py", "answer = 42\n" * 400)
        for name, data in documents.items():
            archive.writestr(f"{package}-1.0.dist-info/{name}", data)
    return buffer.getvalue()


def shelve(
    farm: Farm,
    folder: Path,
    package: str,
    *,
    make: Callable[[dict[str, bytes]], bytes] | None = None,
    named: Callable[[str], bool] = lambda _: True,
) -> None:
    """Have a wheel signed and lay it into `folder` with everything beside it.

    Args:
        farm: whose signer.
        folder: where to.
        package: name.
        make: makes the wheel from the embedded documents; None = as farm does.
        named: which sidecars (by suffix) the provenance names.
    """
    facts = facts_of(package)
    inside = {f"sboms/{name}": data for name, data in embedded(facts).items()}
    data = make(inside) if make else wheel(package, inside)
    path = folder / facts.filename
    path.write_bytes(data)
    byproducts = []
    file = BlobRef(sha256=sha256_bytes(data), size=len(data))
    for kind, document in sidecars(facts.model_copy(update={"file": file})).items():
        (folder / f"{facts.filename}{kind.value}").write_bytes(document)
        if named(kind.value):
            blob = BlobRef(sha256=sha256_bytes(document), size=len(document))
            byproducts.append(Byproduct(name=f"{facts.filename}{kind.value}", media_type=kind.media_type, blob=blob))
    result = RunResult(
        finished_on="2026-01-02T03:05:05Z",
        probe="isolated",
        test=TestReport(result="passed", imports=(package,), command=()),
        byproducts=tuple(byproducts),
    )
    token = farm.client.open_run(job_of(facts))
    signed = farm.client.sign(token, result, facts.filename, path)
    farm.client.close_run(token)
    (folder / f"{facts.filename}{BUNDLE}").write_text(signed.signature)
    (folder / f"{facts.filename}{PROVENANCE_BUNDLE}").write_text(signed.provenance)


@pytest.fixture(scope="session")
def signed(farm: Farm, tmp_path_factory: pytest.TempPathFactory) -> Path:
    folder = tmp_path_factory.mktemp("shelf")
    for package in ("alpha", "beta"):
        shelve(farm, folder, package)
    return folder


@pytest.fixture
def shelf(farm: Farm, signed: Path, tmp_path: Path) -> Shelf:
    """The signed files, in a folder of the test's own."""
    shutil.copytree(signed, tmp_path, dirs_exist_ok=True)
    return Shelf(tmp_path, farm)


@pytest.fixture
def resign(farm: Farm, tmp_path: Path) -> Callable[..., Shelf]:
    """Shelve `alpha` anew with arguments of `shelve`: what a worker gone bad could have signed."""

    def run(
        *, make: Callable[[dict[str, bytes]], bytes] | None = None, named: Callable[[str], bool] = lambda _: True
    ) -> Shelf:
        shelve(farm, tmp_path, "alpha", make=make, named=named)
        return Shelf(tmp_path, farm)

    return run
