"""Publishing with the real signer and the stock verifier."""

from __future__ import annotations

import json
import subprocess
import time
from pathlib import Path
from typing import TYPE_CHECKING

import pytest

from farm.config import Settings, TrustSettings
from farm.ecosystems.python.repository.layout import LAYOUT
from farm.ecosystems.python.repository.model import METADATA, integrity_key
from farm.errors import SignerUnavailableError, VerificationError
from farm.model.evidence import Byproduct, JobRecord, RunResult
from farm.repository.model import BUNDLE, CYCLONEDX, PROVENANCE_BUNDLE, Publication, PublishFile
from farm.repository.publish import publish
from farm.repository.sigstore_gate import open_gate
from farm.store.vault import S3Vault
from farm.trust.client import SignerClient
from farm.trust.identity import expected_identity
from farm.trust.launch import signer_command
from farm.trust.pep740 import bundle_of
from farm.trust.verify import load_trust, verify_provenance
from tests.fixtures_repository import UPLOAD_TIME, MemoryStore, make_wheel

if TYPE_CHECKING:
    from collections.abc import Iterator

    from farm.model.base import BlobRef

pytestmark = pytest.mark.services

DATA = Path(__file__).parents[2] / "data" / "trust"
SBOM = b'{"bomFormat": "CycloneDX"}'


@pytest.fixture(scope="module")
def settings(tmp_path_factory: pytest.TempPathFactory) -> Iterator[Settings]:
    """The settings of a farm whose signer runs."""
    folder = tmp_path_factory.mktemp("f")
    chosen = Settings(data=folder, trust=TrustSettings(namespace="https://farm.example", builder="test"))
    with (folder / "signer.log").open("wb") as log:
        process = subprocess.Popen(signer_command(chosen), stdin=subprocess.DEVNULL, stdout=log, stderr=log)
    deadline = time.monotonic() + 60
    with SignerClient(chosen.signer_socket) as client:
        while True:
            assert process.poll() is None, (folder / "signer.log").read_text()
            assert time.monotonic() < deadline
            try:
                client.health()
            except SignerUnavailableError:
                time.sleep(0.05)
            else:
                break
    yield chosen
    process.terminate()
    process.wait(30)


@pytest.fixture
def vault() -> S3Vault:
    return S3Vault(MemoryStore())


@pytest.fixture
def publication(settings: Settings, vault: S3Vault, tmp_path: Path) -> Publication:
    """A wheel as the pipeline would ask to publish it."""
    job = JobRecord.model_validate_json((DATA / "job.json").read_bytes())
    wheel, metadata = make_wheel(tmp_path, "demo-pkg", "1.0")
    sbom = vault.put_bytes(SBOM)
    result = RunResult.model_validate(
        json.loads((DATA / "result.json").read_bytes())
        | {"byproducts": [Byproduct(name="sbom", media_type="application/json", blob=sbom)]}
    )
    with SignerClient(settings.signer_socket) as signer:
        signed = signer.sign(signer.open_run(job), result, wheel.name, wheel)
    return Publication(
        package=job.plan.package,
        recipe=job.plan.recipe_path,
        run_uri=job.run_uri,
        build_key=job.build_key,
        upload_time=UPLOAD_TIME,
        files=(
            PublishFile(
                filename=wheel.name,
                blob=vault.put_file(wheel),
                sidecars={
                    BUNDLE: vault.put_bytes(signed.signature.encode()),
                    PROVENANCE_BUNDLE: vault.put_bytes(signed.provenance.encode()),
                    CYCLONEDX: sbom,
                    METADATA: vault.put_bytes(metadata),
                },
            ),
        ),
    )


def test_what_was_signed_is_published(
    settings: Settings, publication: Publication, vault: S3Vault, tmp_path: Path
) -> None:
    store = MemoryStore()
    done = publish(
        publication, layout=LAYOUT, vault=vault, store=store, gate=open_gate(settings), run_dir=tmp_path, work=tmp_path
    )  # fmt: skip
    (record,) = done.files
    # What the index serves as PEP 740 provenance verifies again by itself.
    provenance = json.loads(store.objects[integrity_key(record.package, record.filename)])
    (bundle,) = provenance["attestation_bundles"]
    statement = verify_provenance(
        load_trust(settings.trust_config_path),
        record.blob,
        bundle_of(bundle["attestations"][0]),
        record.filename,
        expected_identity(settings),
        require_stamp=False,
    )
    assert statement["subject"][0]["name"] == record.filename


class TestRefused:
    def refused(
        self, settings: Settings, publication: Publication, vault: S3Vault, run: Path, **changes: object
    ) -> None:
        store = MemoryStore()
        file = PublishFile.model_validate(publication.files[0].model_dump() | changes)
        edited = publication.model_copy(update={"files": (file,)})
        with pytest.raises(VerificationError):
            publish(edited, layout=LAYOUT, vault=vault, store=store, gate=open_gate(settings), run_dir=run, work=run)
        assert store.objects == {}

    def test_other_bytes(self, settings: Settings, publication: Publication, vault: S3Vault, tmp_path: Path) -> None:
        wheel, _ = make_wheel(tmp_path, "demo-pkg", "1.0", payload="VALUE = 'evil'\n")
        self.refused(settings, publication, vault, tmp_path, blob=vault.put_file(wheel))

    def test_another_name(self, settings: Settings, publication: Publication, vault: S3Vault, tmp_path: Path) -> None:
        self.refused(settings, publication, vault, tmp_path, filename="demo_pkg-1.0-py2.py3-none-any.whl")

    def test_another_sbom(self, settings: Settings, publication: Publication, vault: S3Vault, tmp_path: Path) -> None:
        sidecars = publication.files[0].sidecars | {CYCLONEDX: vault.put_bytes(b"{}")}
        self.refused(settings, publication, vault, tmp_path, sidecars=sidecars)

    def test_swapped_bundles(
        self, settings: Settings, publication: Publication, vault: S3Vault, tmp_path: Path
    ) -> None:
        old = publication.files[0].sidecars
        swapped: dict[str, BlobRef] = {**old, BUNDLE: old[PROVENANCE_BUNDLE], PROVENANCE_BUNDLE: old[BUNDLE]}
        self.refused(settings, publication, vault, tmp_path, sidecars=swapped)

    def test_another_identity(
        self, settings: Settings, publication: Publication, vault: S3Vault, tmp_path: Path
    ) -> None:
        other = settings.model_copy(update={"trust": TrustSettings(namespace="https://farm.example", builder="other")})
        self.refused(other, publication, vault, tmp_path)
