"""Every stored byte is read; what has a source is right again, what has none is named, and nothing is made worse."""

from __future__ import annotations

from contextlib import contextmanager
from dataclasses import dataclass, field
from typing import TYPE_CHECKING, Any

import pytest

from farm.config import Settings
from farm.ecosystems.python.repository.layout import LAYOUT
from farm.errors import InputMissingError, StoreUnavailableError
from farm.model.base import BlobRef, canonical_json, sha256_bytes
from farm.model.lock import Lock, LockedFile
from farm.pipeline.runtime import Runtime
from farm.pipeline.scrub import scrub
from farm.pipeline.scrub.ahead import each
from farm.recipe.locks import lock_path, write_lock
from farm.repository.publish import publish
from farm.store.cache import BlobCache
from farm.store.vault import S3Vault, blob_key, record_key
from tests.fixtures_catalog import chain
from tests.fixtures_maven_repository import Version
from tests.fixtures_repository import FixedGate, MemoryStore, make_wheel, publication_of

if TYPE_CHECKING:
    from collections.abc import Callable, Iterator
    from pathlib import Path

    from farm.model.scrub import ScrubReport, StoreReport
    from farm.repository.model import Record


@dataclass
class Bench:
    """Two stores in memory with what a farm leaves in them, and an index that is a dictionary."""

    folder: Path
    blobs: MemoryStore = field(default_factory=MemoryStore)
    store: MemoryStore = field(default_factory=MemoryStore)
    index: dict[str, bytes] = field(default_factory=dict)
    asked: list[str] = field(default_factory=list)

    def __post_init__(self) -> None:
        self.runtime = Runtime(Settings(data=self.folder / "data", recipes=self.folder / "recipes"))
        made: dict[str, Any] = {
            "vault": self.vault,
            "repository": self.store,
            "cache": BlobCache(self.vault, self.folder / "cache"),
        }
        self.runtime.__dict__.update(made)

    @property
    def vault(self) -> S3Vault:
        return S3Vault(self.blobs)

    @contextmanager
    def fetcher(self, _settings: Settings, _own: str) -> Iterator[Callable[[LockedFile, Path], None]]:
        yield self.fetch

    def fetch(self, file: LockedFile, target: Path) -> None:
        self.asked.append(file.filename)
        if file.filename not in self.index:
            raise InputMissingError(file.filename)
        target.write_bytes(self.index[file.filename])

    def python(self, name: str = "sample-lib") -> Record:
        publication = publication_of(self.vault, make_wheel(self.folder, name))
        return publish(
            publication, layout=LAYOUT, vault=self.vault, store=self.store, gate=FixedGate(),
            run_dir=self.folder, work=self.folder,
        ).files[0]  # fmt: skip

    def maven(self) -> Record:
        return Version.multi().publish(self.vault, self.store, self.folder).files[0]

    def lock(self, *blobs: tuple[str, bytes]) -> None:
        files = tuple(
            LockedFile(
                filename=name, name=name, version="1", sha256=sha256_bytes(data), size=len(data), origin="index",
                roles=("build",), purl=f"pkg:generic/{name}",
            )
            for name, data in blobs
        )  # fmt: skip
        lock = Lock(package="p", target="t", image="i", basis="0" * 64, requirements={}, files=files)
        write_lock(lock_path(self.folder / "recipes" / "python" / "sample", "1.0", "t"), lock)

    def record(self, *refs: BlobRef) -> str:
        """Have a record of the vault name blobs; return its key."""
        self.vault.put_record("things", "of/test", canonical_json([ref.model_dump() for ref in refs]))
        return record_key("things", "of/test")

    def scrub(self, *, vault: bool = True, repository: bool = True) -> ScrubReport:
        report = scrub(self.runtime, vault=vault, repository=repository)
        scratch = self.folder / "data" / "work"
        assert not scratch.exists() or list(scratch.iterdir()) == []
        return report

    def scrub_vault(self) -> StoreReport:
        report = self.scrub(repository=False).vault
        assert report is not None
        return report

    def scrub_repository(self) -> StoreReport:
        report = self.scrub(vault=False).repository
        assert report is not None
        return report


@pytest.fixture
def bench(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Bench:
    made = Bench(tmp_path)
    monkeypatch.setattr(Runtime, "ecosystem", lambda _self, _name: made)
    monkeypatch.setattr(Runtime, "own_index", lambda _self, _name: "")
    return made


def flip(store: MemoryStore, key: str) -> bytes:
    """Change one byte; return what it was before."""
    good = store.objects[key]
    store.objects[key] = bytes([good[0] ^ 1]) + good[1:]
    return good


def test_nothing_is_wrong(bench: Bench) -> None:
    bench.python()
    bench.maven()
    bench.record(bench.vault.put_bytes(b"a log"))
    before = dict(bench.blobs.objects), dict(bench.store.objects)
    report = bench.scrub()
    assert (dict(bench.blobs.objects), dict(bench.store.objects)) == before
    assert report.vault is not None
    assert report.repository is not None
    assert report.lost == ()
    assert (report.vault.healed, report.repository.healed) == ((), ())
    blobs = {key: data for key, data in before[0].items() if key.startswith("blobs/")}
    assert (report.vault.objects, report.vault.size) == (len(blobs), sum(map(len, blobs.values())))
    assert (report.vault.records, report.repository.records) == (1, 2)
    assert report.vault.orphans.count == 0
    assert report.repository.orphans.count == 0
    assert bench.asked == []


def test_a_blob_comes_back_from_what_is_published(bench: Bench) -> None:
    record = bench.python()
    (ref,) = record.blobs.values()
    good = flip(bench.blobs, blob_key(ref.sha256))
    report = bench.scrub_vault()
    assert [(item.key, item.source.split()[0]) for item in report.healed] == [(blob_key(ref.sha256), "published")]
    assert report.lost == ()
    assert bench.vault.read(ref) == good
    assert [key for key in bench.blobs.objects if key.startswith("quarantine/")] != []
    assert bench.scrub_vault().healed == ()


def test_every_blob_of_a_publication_comes_back_also_when_it_is_gone(bench: Bench) -> None:
    bench.python()
    bench.maven()
    before = dict(bench.blobs.objects)
    for number, key in enumerate(before):
        if number % 2:
            del bench.blobs.objects[key]
        else:
            bench.blobs.objects[key] = bench.blobs.objects[key][:-1]
    report = bench.scrub_vault()
    assert report.lost == ()
    assert {item.key for item in report.healed} == set(before)
    assert {key: data for key, data in bench.blobs.objects.items() if key.startswith("blobs/")} == before


@pytest.mark.parametrize("damage", ["flip", "cut", "gone"])
@pytest.mark.parametrize("language", ["python", "maven"])
def test_every_published_object_comes_back_from_the_vault(bench: Bench, language: str, damage: str) -> None:
    record = getattr(bench, language)()
    before = dict(bench.store.objects)
    for key in record.objects():
        match damage:
            case "flip":
                flip(bench.store, key)
            case "cut":
                bench.store.objects[key] = b""
            case "gone":
                del bench.store.objects[key]
    report = bench.scrub_repository()
    assert report.lost == ()
    assert {item.key for item in report.healed} == set(record.objects())
    assert bench.store.objects == before


def test_a_blob_comes_back_from_this_hosts_cache(bench: Bench) -> None:
    ref = bench.vault.put_bytes(b"an input")
    bench.record(ref)
    bench.runtime.cache.link(ref, bench.folder / "linked")
    flip(bench.blobs, blob_key(ref.sha256))
    assert [item.source for item in bench.scrub_vault().healed] == ["this host's cache"]
    assert bench.vault.read(ref) == b"an input"


def test_a_damaged_cache_is_no_source(bench: Bench) -> None:
    ref = bench.vault.put_bytes(b"an input")
    bench.record(ref)
    kept = bench.folder / "cache" / ref.sha256[:2] / ref.sha256
    kept.parent.mkdir(parents=True)
    kept.write_bytes(b"no input")
    flip(bench.blobs, blob_key(ref.sha256))
    assert [item.key for item in bench.scrub_vault().lost] == [blob_key(ref.sha256)]


def test_a_blob_comes_back_from_where_a_lock_says(bench: Bench) -> None:
    wanted, other = b"a locked wheel", b"another"
    bench.lock(("wanted.whl", wanted), ("other.whl", other))
    bench.index = {"wanted.whl": wanted, "other.whl": other}
    for data in (wanted, other):
        bench.vault.put_bytes(data)
    flip(bench.blobs, blob_key(sha256_bytes(wanted)))
    report = bench.scrub_vault()
    assert [item.source for item in report.healed] == ["wanted.whl of the lock sample/1.0-t.json, fetched again"]
    assert bench.asked == ["wanted.whl"]


@pytest.mark.parametrize("offered", [None, b"other bytes"])
def test_what_the_index_has_not_or_has_otherwise_is_lost(bench: Bench, offered: bytes | None) -> None:
    data = b"a locked wheel"
    bench.lock(("wanted.whl", data))
    if offered is not None:
        bench.index["wanted.whl"] = offered
    bench.vault.put_bytes(data)
    flip(bench.blobs, blob_key(sha256_bytes(data)))
    (lost,) = bench.scrub_vault().lost
    assert lost.key == blob_key(sha256_bytes(data))
    assert lost.key not in bench.blobs.objects  # nobody meets wrong bytes
    assert offered is None or all(offered != data for data in bench.blobs.objects.values())


def test_what_nothing_has_is_lost_for_as_long_as_it_is_named(bench: Bench) -> None:
    ref = bench.vault.put_bytes(b"a build's log")
    holder = bench.record(ref)
    good = flip(bench.blobs, blob_key(ref.sha256))
    for reason in ("other bytes", holder):
        report = bench.scrub()
        assert [item.key for item in report.lost] == [blob_key(ref.sha256)]
        assert reason in report.lost[0].reason
    bench.vault.put_bytes(good)
    assert bench.scrub().lost == ()


def test_damaged_records_are_named(bench: Bench) -> None:
    record = bench.python()
    holder = bench.record()
    flip(bench.blobs, holder)
    good = flip(bench.store, record.key)
    assert {item.key for item in bench.scrub().lost} == {holder, record.key}
    assert holder not in bench.blobs.objects
    assert bench.store.objects[record.key] != good  # published: it stays for whoever restores it
    assert {item.key for item in bench.scrub().lost} == {record.key}


def test_a_record_under_another_name_is_damage(bench: Bench) -> None:
    one, two = bench.python(), bench.python("other-lib")
    bench.store.objects[one.key] = bench.store.objects[two.key]
    bench.store.objects["records/python/x/y/z.json"] = b"{}"
    assert {item.key for item in bench.scrub_repository().lost} == {one.key, "records/python/x/y/z.json"}


def test_what_is_damaged_in_both_stores_is_lost_in_both(bench: Bench) -> None:
    record = bench.python()
    (ref,) = record.blobs.values()
    place = next(iter(record.objects()))
    flip(bench.blobs, blob_key(ref.sha256))
    flip(bench.store, place)
    assert {item.key for item in bench.scrub().lost} == {blob_key(ref.sha256), place}


def test_orphans_are_counted_and_stay(bench: Bench) -> None:
    bench.python()
    bench.maven()
    bench.vault.put_bytes(b"named by nothing")
    bench.blobs.objects["blobs/sha256/no-blob"] = b"xx"
    bench.store.objects["files/aa/left-by-a-crash.whl"] = b"yyy"
    before = dict(bench.blobs.objects), dict(bench.store.objects)
    report = bench.scrub()
    assert report.vault is not None
    assert report.repository is not None
    assert (report.vault.orphans.count, report.vault.orphans.size) == (2, len(b"named by nothing") + 2)
    assert (report.repository.orphans.count, report.repository.orphans.size) == (1, 3)
    assert report.lost == ()
    assert (dict(bench.blobs.objects), dict(bench.store.objects)) == before


def test_kept_catalog_snapshots_are_held_against_their_names(bench: Bench) -> None:
    for snapshot in chain(2):
        key = f"catalog/snapshots/{snapshot.sequence}-{snapshot.fingerprint()}.json"
        bench.store.objects[key] = snapshot.canonical()
    assert bench.scrub_repository().lost == ()
    flip(bench.store, key)
    assert [item.key for item in bench.scrub_repository().lost] == [key]


def test_each_store_alone(bench: Bench) -> None:
    assert bench.scrub(repository=False).repository is None
    assert bench.scrub(vault=False).vault is None


def power_cut_after(bench: Bench, stop: int) -> bool:
    """Scrub until the power goes with the operation `stop` of the two stores; return whether it came to its end."""
    count = 0

    def die(*_: str) -> None:
        nonlocal count
        count += 1
        if count > stop:
            raise StoreUnavailableError("made up: the power is gone")

    bench.blobs.before = bench.store.before = die
    try:
        bench.scrub()
    except StoreUnavailableError:
        return False
    else:
        return True
    finally:
        bench.blobs.before = bench.store.before = lambda *_: None


def test_interrupted_anywhere_the_next_one_ends_well(bench: Bench) -> None:
    """At every operation of either store in turn the power goes; what was right stays right, and all heals after it."""
    record = bench.python()
    ref = bench.vault.put_bytes(b"an input")
    bench.record(ref)
    bench.runtime.cache.link(ref, bench.folder / "linked")
    whole = {**bench.blobs.objects, **bench.store.objects}
    blobs, published = dict(bench.blobs.objects), dict(bench.store.objects)
    (wheel,) = record.blobs.values()
    damaged = {blob_key(wheel.sha256), blob_key(ref.sha256), list(record.objects())[2]}
    ended, stop = False, 0
    while not ended:
        bench.blobs.objects, bench.store.objects = dict(blobs), dict(published)
        for key in damaged:
            flip(bench.blobs if key in blobs else bench.store, key)
        ended = power_cut_after(bench, stop)
        now = {**bench.blobs.objects, **bench.store.objects}
        assert {key for key in whole if now.get(key) != whole[key]} <= damaged
        assert bench.scrub().lost == ()
        now = {**bench.blobs.objects, **bench.store.objects}
        assert {k: v for k, v in now.items() if not k.startswith(("quarantine/", "leases/"))} == whole
        stop += 1
    assert stop > 20


def test_a_stream_is_never_far_ahead_of_its_reader() -> None:
    taken = 0

    def stream() -> Iterator[int]:
        nonlocal taken
        for number in range(10_000):
            taken += 1
            yield number

    for seen, (item, double) in enumerate(each(lambda number: number * 2, stream())):
        assert (item, double) == (seen, seen * 2)
        assert taken - seen <= 64
    assert taken == 10_000


def test_what_fails_in_a_thread_is_raised_to_the_reader() -> None:
    def fail(number: int) -> int:
        if number == 3:
            raise StoreUnavailableError("made up")
        return number

    seen: list[int] = []
    with pytest.raises(StoreUnavailableError):
        seen.extend(item for item, _ in each(fail, iter(range(1000))))
