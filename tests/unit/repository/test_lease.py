from __future__ import annotations

import json
import threading
from typing import TYPE_CHECKING

import pytest

from farm.errors import PublisherBusyError, StoreUnavailableError
from farm.repository.lease import TTL, publisher_lease
from farm.repository.model import lease_key
from tests.fixtures_repository import MemoryStore, down

if TYPE_CHECKING:
    from pathlib import Path

LEASE_KEY = lease_key("python")


def put_lease(store: MemoryStore, *, expires: float, seat: str = "elsewhere") -> None:
    store.objects[LEASE_KEY] = json.dumps({"expires": expires, "owner": "them", "seat": seat}).encode()


@pytest.mark.parametrize("honours", [True, False])
def test_taken_and_given_back(tmp_path: Path, *, honours: bool) -> None:
    store = MemoryStore(honours_conditions=honours)
    with publisher_lease(store, LEASE_KEY, tmp_path, wait=0) as lease:
        assert json.loads(store.objects[LEASE_KEY])["owner"] == lease.owner
        lease.check()
    assert LEASE_KEY not in store.objects


def test_a_publisher_elsewhere_keeps_us_out(tmp_path: Path) -> None:
    store = MemoryStore()
    put_lease(store, expires=1000)
    with pytest.raises(PublisherBusyError), publisher_lease(store, LEASE_KEY, tmp_path, wait=0, clock=lambda: 999.0):
        pytest.fail("not ours")
    assert json.loads(store.objects[LEASE_KEY])["owner"] == "them"


@pytest.mark.parametrize("raw", [b"", b"[]", b"{}", b'{"expires": "x"}', b'{"expires": 999}'])
def test_a_lease_that_ran_out_or_is_unreadable_is_taken_over(tmp_path: Path, raw: bytes) -> None:
    store = MemoryStore(objects={LEASE_KEY: raw})
    with publisher_lease(store, LEASE_KEY, tmp_path, wait=0, clock=lambda: 1000.0) as lease:
        lease.check()


def test_a_crash_of_this_installation_does_not_lock_it_out(tmp_path: Path) -> None:
    store = MemoryStore()
    with publisher_lease(store, LEASE_KEY, tmp_path, wait=0):
        store.before = lambda op, key: down(op, key) if op == "delete" else None
    assert LEASE_KEY in store.objects
    with publisher_lease(store, LEASE_KEY, tmp_path, wait=0) as lease:
        lease.check()


def test_a_publisher_of_this_installation_waits_its_turn(tmp_path: Path) -> None:
    store, order = MemoryStore(), []
    inside = threading.Event()

    def other() -> None:
        inside.wait(10)
        with publisher_lease(store, LEASE_KEY, tmp_path, wait=10):
            order.append("second")

    thread = threading.Thread(target=other)
    thread.start()
    with publisher_lease(store, LEASE_KEY, tmp_path, wait=0):
        inside.set()
        with pytest.raises(PublisherBusyError), publisher_lease(store, LEASE_KEY, tmp_path, wait=0.01):
            pytest.fail("two at once")
        order.append("first")
    thread.join(10)
    assert order == ["first", "second"]


def test_losing_the_lease_is_noticed(tmp_path: Path) -> None:
    store = MemoryStore()
    with publisher_lease(store, LEASE_KEY, tmp_path, wait=0) as lease:
        put_lease(store, expires=10**12)
        with pytest.raises(PublisherBusyError, match="lost"):
            lease.check()
    assert json.loads(store.objects[LEASE_KEY])["owner"] == "them"


def test_a_long_publish_renews(tmp_path: Path) -> None:
    store, now = MemoryStore(), [1000.0]
    with publisher_lease(store, LEASE_KEY, tmp_path, wait=0, clock=lambda: now[0]) as lease:
        now[0] += TTL * 0.6
        lease.check()
        assert json.loads(store.objects[LEASE_KEY])["expires"] == now[0] + TTL


@pytest.mark.parametrize("honours", [True, False])
def test_a_race_for_a_free_lease_has_one_winner(tmp_path: Path, *, honours: bool) -> None:
    store = MemoryStore(honours_conditions=honours)
    holding, most, lock = [0], [0], threading.Lock()
    start = threading.Barrier(4)

    def publisher(seat: Path) -> None:
        start.wait()
        with publisher_lease(store, LEASE_KEY, seat, wait=20):
            with lock:
                holding[0] += 1
                most[0] = max(most[0], holding[0])
            with lock:
                holding[0] -= 1

    threads = [threading.Thread(target=publisher, args=(tmp_path / str(n),)) for n in range(4)]
    for thread in threads:
        thread.start()
    for thread in threads:
        thread.join(30)
    assert most == [1]


def test_the_store_down_is_said_at_once(tmp_path: Path) -> None:
    with pytest.raises(StoreUnavailableError), publisher_lease(MemoryStore(before=down), LEASE_KEY, tmp_path, wait=5):
        pytest.fail("no lease")
