"""The signer's side of the catalog: the chain, what it may name, what survives a crash."""

from __future__ import annotations

import json
import time
from dataclasses import dataclass
from typing import TYPE_CHECKING, Any

import pytest

from farm.errors import ServiceError, SigningRefusedError, VerificationError
from farm.model.base import sha256_bytes
from farm.model.catalog import RebuiltShare, following
from farm.model.lock import LockedFile
from farm.trust.identity import catalog_identity
from farm.trust.snapshots import verify_snapshot
from tests.fixtures_catalog import chain, entry_of, made_up, now

if TYPE_CHECKING:
    from pathlib import Path

    from farm.model.base import BlobRef
    from farm.model.catalog import CatalogEntry
    from farm.model.evidence import JobRecord, RunResult
    from farm.trust.authority.instance import Authority
    from farm.trust.identity import ExpectedIdentity
    from farm.trust.signer.signed import SignedFiles
    from farm.trust.signer.snapshots import CatalogSigner
    from farm.trust.verify import Trust

NAME = "demo_pkg-1.0-py3-none-any.whl"


@dataclass
class Bench:
    folder: Path
    authority: Authority
    trust: Trust
    builder: ExpectedIdentity
    job: JobRecord
    ahead: float = 0.0

    @property
    def identity(self) -> ExpectedIdentity:
        return catalog_identity(self.builder)

    def signed(self) -> SignedFiles:
        from farm.trust.signer.signed import SignedFiles  # noqa: PLC0415 - key code: after the role was declared

        return SignedFiles(self.folder / "signed.jsonl")

    def signer(self) -> CatalogSigner:
        """Start anew, as after a restart."""
        from farm.trust.signer.snapshots import CatalogSigner  # noqa: PLC0415 - the same

        return CatalogSigner(
            self.folder / "snapshots",
            self.signed(),
            self.authority,
            self.trust,
            self.identity,
            lambda: time.time() + self.ahead,
        )


def locked(name: str, origin: str, role: str) -> LockedFile:
    return LockedFile.model_validate(
        {
            "filename": f"{name}-1-py3-none-any.whl",
            "name": name,
            "version": "1",
            "sha256": sha256_bytes(name.encode()),
            "size": 1,
            "origin": origin,
            "roles": [role],
            "purl": f"pkg:pypi/{name}@1",
        }
    )


@pytest.fixture
def bench(tmp_path: Path, authority: Authority, trust: Trust, identity: ExpectedIdentity, job: JobRecord) -> Bench:
    inputs = (locked("own", "farm", "build"), locked("other", "index", "backend"), locked("tests", "farm", "test"))
    return Bench(tmp_path, authority, trust, identity, job.model_copy(update={"inputs": inputs}))


@pytest.fixture
def entry(bench: Bench, blob: BlobRef) -> CatalogEntry:
    """About a file that was signed."""
    bench.signed().add(bench.job, NAME, blob)
    return entry_of(bench.job, NAME, blob)


def test_a_snapshot_of_signed_files_verifies_and_is_in_the_log(bench: Bench, entry: CatalogEntry) -> None:
    (snapshot,) = chain(1, [entry])
    signed = bench.signer().sign(snapshot.canonical())
    assert (signed.sequence, signed.sha256) == (1, snapshot.fingerprint())
    assert verify_snapshot(bench.trust, snapshot.canonical(), signed.bundle, bench.identity) == snapshot
    assert len(bench.authority.log) == 1


def test_the_chain_goes_on_after_a_restart(bench: Bench, entry: CatalogEntry) -> None:
    for snapshot in chain(3, [entry]):
        signed = bench.signer().sign(snapshot.canonical())
        assert bench.signer().last() == signed
    assert signed.sequence == 3
    assert bench.signer().last() is not None


def test_the_last_one_again_gives_the_signature_again_on_any_day(bench: Bench) -> None:
    (snapshot,) = chain(1)
    signed = bench.signer().sign(snapshot.canonical())
    bench.ahead = 86400 * 30
    assert bench.signer().sign(snapshot.canonical()) == signed
    assert len(bench.authority.log) == 1


def test_a_number_is_given_once_and_in_order(bench: Bench, entry: CatalogEntry) -> None:
    first, second, third = chain(3)
    signer = bench.signer()
    with pytest.raises(SigningRefusedError, match="number 0"):
        signer.sign(second.canonical())
    signer.sign(first.canonical())
    other = following(None, [entry], now())
    skipped = third
    foreign = following(other, [], now())
    for refused, why in ((other, "number 1"), (skipped, "number 3"), (foreign, "the last one is")):
        with pytest.raises(SigningRefusedError, match=why) as caught:
            signer.sign(refused.canonical())
        assert caught.value.details["status"] == 409
    signer.sign(second.canonical())
    with pytest.raises(SigningRefusedError, match="number 2"):
        signer.sign(first.canonical())


@pytest.mark.parametrize("seconds", [-86400, -301, 301, 86400])
def test_it_is_of_now(bench: Bench, seconds: int) -> None:
    (snapshot,) = chain(1)
    bench.ahead = -seconds
    with pytest.raises(SigningRefusedError, match="not now"):
        bench.signer().sign(snapshot.canonical())
    assert bench.signer().last() is None


@pytest.mark.parametrize(
    "change",
    [
        {"name": "other"},
        {"version": "2.0"},
        {"ecosystem": "maven"},
        {"target": "cp313-linux-amd64"},
        {"build_key": "f" * 64},
        {"rebuilt": RebuiltShare(own=2, total=2)},
        {"rebuilt": RebuiltShare(own=900, total=900)},
    ],
)
def test_a_signed_file_as_something_else_is_refused(bench: Bench, entry: CatalogEntry, change: dict[str, Any]) -> None:
    (snapshot,) = chain(1, [entry.model_copy(update=change)])
    with pytest.raises(SigningRefusedError, match="never signed") as caught:
        bench.signer().sign(snapshot.canonical())
    assert caught.value.details["unknown"] == [entry.files[0].sha256]
    assert len(bench.authority.log) == 0


@pytest.mark.parametrize("change", [{"sha256": "c" * 64}, {"filename": "demo_pkg-1.0-py2-none-any.whl"}, {"size": 1}])
def test_another_file_is_refused(bench: Bench, entry: CatalogEntry, change: dict[str, Any]) -> None:
    other = entry.model_copy(update={"files": (entry.files[0].model_copy(update=change),)})
    with pytest.raises(SigningRefusedError, match="never signed"):
        bench.signer().sign(chain(1, [other])[0].canonical())


def test_a_day_to_come_is_refused(bench: Bench, entry: CatalogEntry) -> None:
    (snapshot,) = chain(1, [entry.model_copy(update={"verified_on": "9999-01-01", "verdict": "reproduced"})])
    with pytest.raises(SigningRefusedError, match="after the snapshot"):
        bench.signer().sign(snapshot.canonical())


def test_a_crash_before_the_signature_leaves_a_number_that_can_be_finished(
    bench: Bench, monkeypatch: pytest.MonkeyPatch
) -> None:
    first, second = chain(2)

    def die(*_: object) -> None:
        raise ServiceError("made up: the disk is full")

    with monkeypatch.context() as patch:
        patch.setattr(bench.authority, "sign_document", die)
        with pytest.raises(ServiceError):
            bench.signer().sign(first.canonical())
    # The number is taken, by this document alone; whoever comes next gets it signed.
    with pytest.raises(SigningRefusedError):
        bench.signer().sign(following(None, [], "2026-01-01T00:00:00Z").canonical())
    last = bench.signer().last()
    assert last is not None
    assert verify_snapshot(bench.trust, last.document.encode(), last.bundle, bench.identity) == first
    assert bench.signer().sign(second.canonical()).sequence == 2


def test_a_changed_record_of_the_last_one_stops_the_signer(bench: Bench) -> None:
    bench.signer().sign(chain(1)[0].canonical())
    path = bench.folder / "snapshots" / "last.json"
    assert path.stat().st_mode & 0o777 == 0o600
    good = path.read_bytes()
    for bad in (b"", b"{}", good.replace(b"schema_version", b"schema-version"), good[:-2]):
        path.write_bytes(bad)
        with pytest.raises(VerificationError, match="unreadable"):
            bench.signer()
    path.write_bytes(good)
    bench.signer()


def test_the_register_survives_torn_and_damaged_lines(bench: Bench, entry: CatalogEntry, blob: BlobRef) -> None:
    path = bench.folder / "signed.jsonl"
    line = path.read_bytes()
    path.write_bytes(b"damaged\n" + line + b'{"sha256":"')
    signed = bench.signed()
    assert list(signed.unknown(entry)) == []
    signed.add(bench.job.model_copy(update={"build_key": "e" * 64}), NAME, blob)
    again = bench.signed()
    for key in (bench.job.build_key, "e" * 64):
        assert list(again.unknown(entry.model_copy(update={"build_key": key}))) == []
    assert list(again.unknown(made_up())) != []


def test_the_same_signing_again_adds_no_line(bench: Bench, entry: CatalogEntry, blob: BlobRef) -> None:
    before = (bench.folder / "signed.jsonl").read_bytes()
    bench.signed().add(bench.job, NAME, blob)
    assert (bench.folder / "signed.jsonl").read_bytes() == before
    assert len(bench.signed()) == 1
    del entry


def test_a_lost_register_is_learned_again_from_own_provenance(
    bench: Bench, blob: BlobRef, result: RunResult, tmp_path: Path
) -> None:
    from farm.evidence.claim import BuilderFacts, claim  # noqa: PLC0415 - beside the key code
    from farm.evidence.provenance import BuilderClaim  # noqa: PLC0415 - the same
    from farm.trust.authority.instance import Authority  # noqa: PLC0415 - key code: after the role was declared
    from farm.trust.signer.signing import FileSigner  # noqa: PLC0415 - the same
    from farm.trust.verify import parse_trust  # noqa: PLC0415 - beside them

    level = claim(BuilderFacts(provenance_signed=True)).level
    described = BuilderClaim(
        id=bench.builder.builder, build_type_namespace="https://farm.example", level=level, version={"farm": "0"}
    )
    entry = entry_of(bench.job, NAME, blob)
    assert str(entry.rebuilt) == "1/2"
    own = FileSigner(bench.authority, bench.trust, described, bench.builder.issuer).sign(bench.job, result, NAME, blob)
    assert list(bench.signed().unknown(entry)) != []

    # Of another signer that goes by the same names nothing is learned.
    elsewhere = Authority(tmp_path / "other", "farm.example")
    theirs = parse_trust(json.dumps(elsewhere.trust_config(bench.builder.issuer)).encode(), "test")
    foreign = FileSigner(elsewhere, theirs, described, bench.builder.issuer).sign(bench.job, result, NAME, blob)
    for bundle in (foreign.provenance, own.signature, "", "{}", own.provenance.replace(blob.sha256[:20], "0" * 20)):
        if bundle != own.provenance:
            with pytest.raises(VerificationError):
                bench.signed().learn(bundle, bench.trust, bench.builder)
    assert list(bench.signed().unknown(entry)) != []

    assert bench.signed().learn(own.provenance, bench.trust, bench.builder) == blob.sha256
    assert list(bench.signed().unknown(entry)) == []


def test_the_builders_own_signature_over_such_bytes_is_none(bench: Bench, entry: CatalogEntry) -> None:
    """A worker can have any bytes signed as a file of its package: that must not make a snapshot."""
    from farm.trust.authority.instance import Claims  # noqa: PLC0415 - key code: after the role was declared

    document = chain(1, [entry])[0].canonical()
    claims = Claims(bench.builder.builder, bench.builder.issuer, {})
    as_file, _ = bench.authority.sign(bytes.fromhex(sha256_bytes(document)), b"{}", claims)
    with pytest.raises(VerificationError):
        verify_snapshot(bench.trust, document, as_file, bench.identity)


def test_a_tampered_document_and_a_foreign_one_do_not_verify(bench: Bench, entry: CatalogEntry) -> None:
    first, second = chain(2, [entry])
    signer = bench.signer()
    bundle = signer.sign(first.canonical()).bundle
    signer.sign(second.canonical())
    tampered = first.canonical().replace(b'"1.0"', b'"1.1"')
    for document in (tampered, second.canonical(), b"", first.canonical() + b" "):
        with pytest.raises(VerificationError):
            verify_snapshot(bench.trust, document, bundle, bench.identity)
    with pytest.raises(VerificationError):
        verify_snapshot(bench.trust, first.canonical(), bundle, bench.builder)


def test_what_is_signed_but_no_snapshot_is_refused(bench: Bench) -> None:
    from farm.trust.authority.instance import Claims  # noqa: PLC0415 - key code: after the role was declared

    claims = Claims(bench.identity.builder, bench.identity.issuer, {})
    bundle = bench.authority.sign_document(bytes.fromhex(sha256_bytes(b"{}")), claims)
    with pytest.raises(VerificationError, match="no catalog snapshot"):
        verify_snapshot(bench.trust, b"{}", bundle, bench.identity)
