"""From the signer through the bucket to the consumer: crashes under way, and old snapshots that are put back."""

from __future__ import annotations

import json
from dataclasses import dataclass, field
from typing import TYPE_CHECKING

import pytest

from farm.consumer.catalog import check_in_catalog, remember
from farm.consumer.verdict import FileVerdict
from farm.errors import CatalogRollbackError, PublisherBusyError, StoreUnavailableError, VerificationError
from farm.model.catalog import SnapshotPointer
from farm.repository.snapshot import KEPT, POINTER_KEY, publish_snapshot, read_snapshot
from farm.trust.identity import catalog_identity
from tests.fixtures_catalog import chain, made_up
from tests.fixtures_repository import MemoryStore

if TYPE_CHECKING:
    from pathlib import Path

    from farm.model.catalog import CatalogEntry, CatalogSnapshot
    from farm.trust.authority.instance import Authority
    from farm.trust.identity import ExpectedIdentity
    from farm.trust.verify import Trust


@dataclass
class Farm:
    folder: Path
    authority: Authority
    trust: Trust
    identity: ExpectedIdentity
    store: MemoryStore = field(default_factory=MemoryStore)

    def sign(self, snapshot: CatalogSnapshot) -> str:
        """Sign whatever it is: what the signer refuses is tested elsewhere."""
        from farm.trust.authority.instance import Claims  # noqa: PLC0415 - key code: after the role was declared

        claims = Claims(self.identity.builder, self.identity.issuer, {})
        return self.authority.sign_document(bytes.fromhex(snapshot.fingerprint()), claims)

    def publish(self, snapshot: CatalogSnapshot, bundle: str = "") -> CatalogSnapshot:
        return publish_snapshot(
            self.store,
            snapshot.canonical(),
            bundle or self.sign(snapshot),
            trust=self.trust,
            identity=self.identity,
            run_dir=self.folder,
            wait=0,
        )

    def read(self) -> CatalogSnapshot | None:
        return read_snapshot(self.store, trust=self.trust, identity=self.identity)

    def see(self, snapshot: CatalogSnapshot, trust: Trust | None = None) -> None:
        remember(
            self.folder / "consumer" / "catalog.json",
            snapshot,
            snapshot.fingerprint(),
            trust=trust or self.trust,
            identity=self.identity,
        )


@pytest.fixture
def farm(tmp_path: Path, authority: Authority, trust: Trust, identity: ExpectedIdentity) -> Farm:
    return Farm(tmp_path, authority, trust, catalog_identity(identity))


def key(snapshot: CatalogSnapshot) -> str:
    return f"{KEPT}{snapshot.sequence}-{snapshot.fingerprint()}.json"


def test_the_present_one_is_read_and_all_are_kept(farm: Farm) -> None:
    assert farm.read() is None
    snapshots = chain(3, [made_up()])
    for snapshot in snapshots:
        assert farm.publish(snapshot) == snapshot
        assert farm.read() == snapshot
    kept = {f"{key(snapshot)}{end}" for snapshot in snapshots for end in ("", ".sigstore.json")}
    assert set(farm.store.objects) == kept | {POINTER_KEY}


def test_whatever_write_is_the_last_a_snapshot_verifies(farm: Farm) -> None:
    first, second = chain(2, [made_up()])
    farm.publish(first)
    done = 0
    for stop in range(20):
        writes = 0

        def die(operation: str, _: str, stop: int = stop) -> None:
            nonlocal writes
            writes += operation == "put"
            if writes > stop:
                raise StoreUnavailableError("made up: the power is gone")

        farm.store.before = die
        try:
            farm.publish(second)
        except (StoreUnavailableError, PublisherBusyError):
            done += 1
        else:
            break
        finally:
            farm.store.before = lambda _operation, _key: None
        assert farm.read() in {first, second}
    assert farm.read() == second
    assert done >= 4  # lease, document, bundle, pointer


def test_the_same_again_heals_what_is_kept(farm: Farm) -> None:
    (snapshot,) = chain(1)
    farm.publish(snapshot)
    for damaged in (key(snapshot), f"{key(snapshot)}.sigstore.json"):
        farm.store.objects[damaged] = b"{}"
        with pytest.raises(VerificationError):
            farm.read()
        farm.publish(snapshot)
        assert farm.read() == snapshot


def test_an_older_one_and_a_second_one_are_not_published(farm: Farm) -> None:
    first, second = chain(2)
    (other,) = chain(1, [made_up()])
    farm.publish(first)
    with pytest.raises(CatalogRollbackError):
        farm.publish(other)
    farm.publish(second)
    for old in (first, other):
        with pytest.raises(CatalogRollbackError):
            farm.publish(old)
    assert farm.read() == second


def test_what_does_not_verify_is_not_published(farm: Farm) -> None:
    first, second = chain(2)
    for bundle in ("{}", farm.sign(second)):
        with pytest.raises(VerificationError):
            farm.publish(first, bundle)
    # Signed, but what it follows is not here.
    with pytest.raises(VerificationError, match="is gone"):
        farm.publish(second)
    assert farm.store.objects == {}


@pytest.mark.parametrize(
    "attack", ["pointer", "pointer-number", "document", "bundle", "before", "before-gone", "swapped-bundle"]
)
def test_a_changed_bucket_is_noticed(farm: Farm, attack: str) -> None:
    first, second, third = chain(3, [made_up()])
    for snapshot in (first, second, third):
        farm.publish(snapshot)
    objects, present = farm.store.objects, key(third)
    match attack:
        case "pointer":
            objects[POINTER_KEY] = b"{"
        case "pointer-number":
            wrong = SnapshotPointer(sequence=9, sha256=third.fingerprint())
            objects[POINTER_KEY] = wrong.canonical()
            for end in ("", ".sigstore.json"):
                objects[f"catalog/{wrong.path}{end}"] = objects[present + end]
        case "document":
            objects[present] = objects[present].replace(b'"1.0"', b'"1.1"')
        case "bundle":
            del objects[f"{present}.sigstore.json"]
        case "before":
            objects[key(second)] = objects[key(first)]
        case "before-gone":
            del objects[key(second)]
        case "swapped-bundle":
            objects[f"{present}.sigstore.json"] = objects[f"{key(second)}.sigstore.json"]
    with pytest.raises(VerificationError):
        farm.read()


def test_a_pointer_that_was_put_back_is_put_right_by_the_next_publish(farm: Farm) -> None:
    first, second, third = chain(3)
    farm.publish(first)
    old = farm.store.objects[POINTER_KEY]
    farm.publish(second)
    farm.store.objects[POINTER_KEY] = old
    assert farm.read() == first  # by its signature alone it is right: consumers remember
    assert farm.publish(third) == third
    assert farm.read() == third


def test_a_consumer_that_saw_a_newer_one_refuses_an_older_one(farm: Farm) -> None:
    first, second, third = chain(3)
    farm.see(second)
    farm.see(second)
    with pytest.raises(CatalogRollbackError) as caught:
        farm.see(first)
    assert caught.value.details == {"offered": 1, "seen": 2}
    farm.see(third)
    for old in (first, second):
        with pytest.raises(CatalogRollbackError):
            farm.see(old)


def test_a_consumer_refuses_a_second_one_of_a_number(farm: Farm) -> None:
    farm.see(chain(1)[0])
    with pytest.raises(CatalogRollbackError, match="two catalog snapshots"):
        farm.see(chain(1, [made_up()])[0])


def test_two_farms_of_one_name_are_two(farm: Farm, tmp_path: Path) -> None:
    from farm.trust.authority.instance import Authority  # noqa: PLC0415 - key code: after the role was declared
    from farm.trust.verify import parse_trust  # noqa: PLC0415 - beside it

    first, second = chain(2)
    farm.see(second)
    elsewhere = Authority(tmp_path / "other", "farm.example")
    other = parse_trust(json.dumps(elsewhere.trust_config(farm.identity.issuer)).encode(), "test")
    farm.see(first, other)
    with pytest.raises(CatalogRollbackError):
        farm.see(first)


@pytest.mark.parametrize("content", [b"", b"[]", b'{"newest": {"a": 1}}', b'{"more": 1}'])
def test_a_memory_that_cannot_be_read_is_no_blank_one(farm: Farm, content: bytes) -> None:
    first, second = chain(2)
    farm.see(second)
    (farm.folder / "consumer" / "catalog.json").write_bytes(content)
    with pytest.raises(VerificationError, match="does not say"):
        farm.see(first)


def test_a_file_is_verified_only_when_the_snapshot_names_it() -> None:
    entry: CatalogEntry = made_up()
    (snapshot,) = chain(1, [entry])
    name, sha256 = entry.files[0].filename, entry.files[0].sha256
    verdict = FileVerdict(file=name, verified=True, sha256=sha256, size=1, checks=(), facts=None, log=None)
    assert check_in_catalog(verdict, snapshot).verified
    assert not check_in_catalog(verdict.model_copy(update={"verified": False}), snapshot).verified
    for change in ({"sha256": "d" * 64}, {"sha256": ""}, {"file": "other.whl"}):
        refused = check_in_catalog(verdict.model_copy(update=change), snapshot)
        assert not refused.verified
        assert [check.name for check in refused.failures] == ["catalog"]
