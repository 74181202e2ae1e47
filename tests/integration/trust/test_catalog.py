"""A catalog snapshot from the real signer through a real bucket and server to the command that a consumer runs."""

from __future__ import annotations

import json
import os
import signal
import subprocess
import sys
from dataclasses import dataclass
from pathlib import Path
from typing import TYPE_CHECKING, Any

import pytest

from farm.config import S3Settings
from farm.ecosystems.python.repository.layout import LAYOUT
from farm.ecosystems.python.repository.model import METADATA
from farm.errors import CatalogRollbackError, SigningRefusedError, VerificationError
from farm.model.evidence import Byproduct
from farm.pipeline.runtime import Runtime
from farm.pipeline.snapshots import publish_catalog
from farm.repository.model import BUNDLE, CYCLONEDX, PROVENANCE_BUNDLE, Publication, PublishFile
from farm.repository.publish import publish
from farm.repository.sigstore_gate import open_gate
from farm.repository.snapshot import POINTER_KEY, read_snapshot
from farm.store.vault import S3Vault
from farm.trust.client import SignerClient
from farm.trust.identity import catalog_identity
from farm.trust.snapshots import verify_snapshot
from farm.trust.verify import load_trust
from tests.fixtures_catalog import chain, entry_of, made_up
from tests.fixtures_repository import UPLOAD_TIME, MemoryStore, make_wheel

if TYPE_CHECKING:
    from farm.model.catalog import CatalogEntry
    from farm.model.evidence import JobRecord, RunResult
    from farm.store.s3 import S3Store
    from tests.fixtures_repository import IndexServer, RcloneServer
    from tests.integration.trust.conftest import SignerProcess

pytestmark = pytest.mark.services

FARM = Path(sys.executable).with_name("farm")


@dataclass
class Home:
    """A farm with one published wheel: signer and index are processes, the store is a server."""

    signer: SignerProcess
    store: S3Store
    index: IndexServer
    runtime: Runtime
    entry: CatalogEntry
    wheel: Path
    consumer: Path

    def verify(self, *arguments: object) -> tuple[int, Any]:
        """Run `farm verify --catalog` as somebody who has nothing but the trust configuration."""
        command = [FARM, "verify", "--catalog", "--json", "--trust-config", self.signer.trust_config]
        command += ["--identity", self.signer.identity.builder, "--issuer", self.signer.identity.issuer]
        environment = {"PATH": os.environ["PATH"], "HOME": str(self.consumer)}
        done = subprocess.run(
            [*map(str, command), "--index", self.index.root, *map(str, arguments)],
            capture_output=True, text=True, check=False, timeout=120, cwd=self.consumer, env=environment,
        )  # fmt: skip
        assert "Traceback" not in done.stderr, done.stderr
        return done.returncode, json.loads(done.stdout)


@pytest.fixture
def home(
    signer: SignerProcess,
    s3: RcloneServer,
    store: S3Store,
    index: IndexServer,
    job: JobRecord,
    result: RunResult,
    tmp_path: Path,
) -> Home:
    access = S3Settings(
        endpoint=s3.config().endpoint,
        access_key=s3.config().access_key,
        secret_key=s3.config().secret_key,
        repository_bucket=index.bucket,
    )
    settings = signer.settings.model_copy(update={"s3": access})
    wheel, metadata = make_wheel(tmp_path, "demo-pkg", "1.0")
    vault = S3Vault(MemoryStore())
    sbom = vault.put_bytes(b'{"bomFormat": "CycloneDX"}')
    said = result.model_copy(update={"byproducts": (Byproduct(name="sbom", media_type="application/json", blob=sbom),)})
    with SignerClient(signer.socket) as client:
        token = client.open_run(job)
        signed = client.sign(token, said, wheel.name, wheel)
        client.close_run(token)
    parts = {BUNDLE: signed.signature.encode(), PROVENANCE_BUNDLE: signed.provenance.encode(), METADATA: metadata}
    file = PublishFile(
        filename=wheel.name,
        blob=vault.put_file(wheel),
        sidecars={CYCLONEDX: sbom, **{suffix: vault.put_bytes(data) for suffix, data in parts.items()}},
    )
    publication = Publication(
        package=job.plan.package,
        recipe=job.plan.recipe_path,
        run_uri=job.run_uri,
        build_key=job.build_key,
        upload_time=UPLOAD_TIME,
        files=(file,),
    )
    publish(
        publication, layout=LAYOUT, vault=vault, store=store, gate=open_gate(settings), run_dir=tmp_path, work=tmp_path
    )  # fmt: skip
    consumer = tmp_path / "consumer"
    consumer.mkdir()
    entry = entry_of(job, wheel.name, signed.blob)
    return Home(signer, store, index, Runtime(settings), entry, wheel, consumer)


def test_a_night_is_published_and_a_consumer_verifies_it(home: Home) -> None:
    assert home.verify()[0] == VerificationError.exit_code  # nothing was published yet
    first = publish_catalog(home.runtime, [home.entry])
    code, said = home.verify()
    assert code == 0, said
    assert said["catalog"] == {
        "sequence": 1,
        "sha256": first.fingerprint(),
        "created": first.created,
        "entries": 1,
    }
    second = publish_catalog(home.runtime, [home.entry])
    assert (second.sequence, second.previous) == (2, first.fingerprint())
    code, said = home.verify()
    assert (code, said["catalog"]["sequence"]) == (0, 2)

    # The stock command verifies it too, under the catalog's own identity and not under the builder's.
    trust, identity = load_trust(home.signer.trust_config), catalog_identity(home.signer.identity)
    assert read_snapshot(home.store, trust=trust, identity=identity) == second
    document, bundle = home.consumer / "document.json", home.consumer / "bundle.json"
    key = f"catalog/snapshots/2-{second.fingerprint()}.json"
    document.write_bytes(home.store.get_bytes(key) or b"")
    bundle.write_bytes(home.store.get_bytes(f"{key}.sigstore.json") or b"")
    for builder, good in ((identity.builder, True), (home.signer.identity.builder, False)):
        command = [str(FARM.with_name("sigstore")), "--trust-config", str(home.signer.trust_config)]
        command += ["verify", "identity", "--offline", "--bundle", str(bundle), "--cert-identity", builder]
        command += ["--cert-oidc-issuer", identity.issuer, str(document)]
        done = subprocess.run(command, capture_output=True, text=True, check=False, timeout=120)
        assert (done.returncode == 0) == good, done.stderr


def test_a_file_must_be_named(home: Home) -> None:
    publish_catalog(home.runtime, [])
    code, said = home.verify(home.wheel)
    assert code == VerificationError.exit_code
    checks = {check["name"]: check["ok"] for check in said["files"][0]["checks"]}
    assert checks["catalog"] is False
    publish_catalog(home.runtime, [home.entry])
    _, said = home.verify(home.wheel)
    checks = {check["name"]: check["ok"] for check in said["files"][0]["checks"]}
    assert checks["catalog"] is True


def test_an_old_snapshot_that_is_put_back_is_noticed(home: Home) -> None:
    publish_catalog(home.runtime, [home.entry])
    old = home.store.get_bytes(POINTER_KEY)
    assert old is not None
    publish_catalog(home.runtime, [])
    assert home.verify()[0] == 0
    home.store.put_bytes(POINTER_KEY, old)
    code, said = home.verify()
    assert code == CatalogRollbackError.exit_code
    assert said["details"] == {"offered": 1, "seen": 2}


def test_a_night_that_died_after_the_signature_is_carried_on(home: Home) -> None:
    (lost,) = chain(1, [home.entry])
    with SignerClient(home.signer.socket) as client:
        client.sign_snapshot(lost.canonical())
    home.signer.stop(signal.SIGKILL)
    home.signer.start()
    after = publish_catalog(home.runtime, [home.entry])
    assert (after.sequence, after.previous) == (2, lost.fingerprint())
    assert home.store.get_bytes(f"catalog/snapshots/1-{lost.fingerprint()}.json") == lost.canonical()
    assert home.verify()[0] == 0


def test_a_signer_without_its_register_is_shown_what_it_signed(home: Home) -> None:
    home.signer.stop()
    register = home.signer.settings.data / "signer" / "signed.jsonl"
    assert register.stat().st_mode & 0o777 == 0o600
    register.unlink()
    home.signer.start()
    with SignerClient(home.signer.socket) as client, pytest.raises(SigningRefusedError, match="never signed") as caught:
        client.sign_snapshot(chain(1, [home.entry])[0].canonical())
    assert caught.value.details["unknown"] == [home.entry.files[0].sha256]
    assert publish_catalog(home.runtime, [home.entry]).sequence == 1
    assert home.verify()[0] == 0


def test_what_was_never_signed_is_not_published(home: Home) -> None:
    with pytest.raises(SigningRefusedError, match="never signed"):
        publish_catalog(home.runtime, [home.entry, made_up()])
    assert home.store.get_bytes(POINTER_KEY) is None


def test_ten_thousand_entries_are_signed(signer: SignerProcess, home: Home) -> None:
    """The signer looks each file up: a catalog of this size is an answer, not a time-out."""
    signer.stop()
    lines, entries = [], []
    register = signer.settings.data / "signer" / "signed.jsonl"
    template = json.loads(register.read_bytes().splitlines()[0])
    for number in range(10_000):
        name, sha256 = f"demo-{number}", f"{number:064x}"
        lines.append(json.dumps({**template, "sha256": sha256, "package": ["python", name, "1.0"]}))
        files = (home.entry.files[0].model_copy(update={"sha256": sha256}),)
        entries.append(home.entry.model_copy(update={"name": name, "files": files}))
    register.write_text("\n".join(lines) + "\n")
    signer.start()
    (snapshot,) = chain(1, entries)
    with SignerClient(signer.socket) as client:
        bundle = client.sign_snapshot(snapshot.canonical())
    identity = catalog_identity(signer.identity)
    verify_snapshot(load_trust(signer.trust_config), snapshot.canonical(), bundle, identity)
