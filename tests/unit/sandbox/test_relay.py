"""The guest's relay, in this process: a port on one side, a Unix socket on the other."""

from __future__ import annotations

import contextlib
import hashlib
import os
import socket
import threading
import time
from typing import TYPE_CHECKING

import pytest
from hypothesis import HealthCheck, given, settings
from hypothesis import strategies as st

from farm.sandbox.guest import relay as module
from farm.sandbox.guest.relay import Relay

if TYPE_CHECKING:
    from collections.abc import Callable, Iterator
    from pathlib import Path

SECONDS = 10
MEBI = 1 << 20


class Peer:
    """A listening Unix socket whose connections the test accepts by hand."""

    def __init__(self, folder: Path) -> None:
        self.path = str(folder / "s")
        self.listener = socket.socket(socket.AF_UNIX)
        self.listener.bind(self.path)
        self.listener.listen(8)
        self.listener.settimeout(SECONDS)

    def accept(self) -> socket.socket:
        connection, _ = self.listener.accept()
        connection.settimeout(SECONDS)
        return connection


@pytest.fixture
def peer(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Iterator[Peer]:
    # The name of a socket is short, the path of a test's folder may not be.
    monkeypatch.chdir(tmp_path)
    made = Peer(tmp_path.relative_to(tmp_path))
    yield made
    made.listener.close()


@pytest.fixture
def relay(peer: Peer) -> Iterator[Relay]:
    made = Relay(0, peer.path)
    peer.accept().close()
    made.start()
    yield made
    made.close()


def connect(relay: Relay) -> socket.socket:
    return socket.create_connection(("127.0.0.1", relay.port), timeout=SECONDS)


@contextlib.contextmanager
def joined(relay: Relay, peer: Peer) -> Iterator[tuple[socket.socket, socket.socket]]:
    with connect(relay) as client, peer.accept() as server:
        yield client, server


def read_all(source: socket.socket) -> bytes:
    parts = []
    while part := source.recv(MEBI):
        parts.append(part)
    return b"".join(parts)


def aside(call: Callable[[], object]) -> threading.Thread:
    thread = threading.Thread(target=call)
    thread.start()
    return thread


def until(condition: Callable[[], bool]) -> None:
    deadline = time.monotonic() + SECONDS
    while not condition():
        assert time.monotonic() < deadline
        time.sleep(0.01)


def test_what_is_said_arrives_and_so_does_the_end_of_it(relay: Relay, peer: Peer) -> None:
    with joined(relay, peer) as (client, server):
        client.sendall(b"question")
        client.shutdown(socket.SHUT_WR)
        assert read_all(server) == b"question"

        # One side has ended; the other goes on as long as it likes.
        server.sendall(b"a long ")
        time.sleep(0.05)
        server.sendall(b"answer")
        server.close()
        assert read_all(client) == b"a long answer"
    until(lambda: not relay._live)


def test_the_peer_may_end_first(relay: Relay, peer: Peer) -> None:
    with joined(relay, peer) as (client, server):
        server.shutdown(socket.SHUT_WR)
        assert client.recv(1) == b""
        client.sendall(b"still talking")
        client.close()
        assert read_all(server) == b"still talking"


@settings(
    suppress_health_check=[HealthCheck.function_scoped_fixture, HealthCheck.too_slow], max_examples=30, deadline=None
)
@given(st.lists(st.tuples(st.booleans(), st.integers(1, 300_000)), max_size=8))
def test_both_ways_at_once_whatever_the_sizes(relay: Relay, peer: Peer, parts: list[tuple[bool, int]]) -> None:
    sent = {way: b"".join(os.urandom(size) for w, size in parts if w is way) for way in (True, False)}

    with joined(relay, peer) as (client, server):

        def say(end: socket.socket, text: bytes) -> None:
            end.sendall(text)
            end.shutdown(socket.SHUT_WR)

        threads = [aside(lambda: say(client, sent[True])), aside(lambda: say(server, sent[False]))]
        got: list[bytes] = []
        threads.append(aside(lambda: got.append(read_all(server))))
        answer = read_all(client)
        for thread in threads:
            thread.join(SECONDS)

    assert got == [sent[True]]
    assert answer == sent[False]


def test_whoever_does_not_read_makes_the_other_wait_and_little_is_held(relay: Relay, peer: Peer) -> None:
    size, digest = 64 * MEBI, hashlib.sha256()

    with joined(relay, peer) as (client, server):
        sent = 0

        def say() -> None:
            nonlocal sent
            while sent < size:
                sent += server.send(bytes(min(MEBI, size - sent)))
            server.shutdown(socket.SHUT_WR)

        thread = aside(say)
        time.sleep(0.3)
        stalled = sent
        [connection] = relay._live
        held = sum(map(len, connection.held))
        got = 0
        while part := client.recv(MEBI):
            got += len(part)
            digest.update(part)
        thread.join(SECONDS)

    assert stalled < size // 2
    assert held <= module.CHUNK
    assert got == size
    assert digest.digest() == hashlib.sha256(bytes(size)).digest()


def test_one_that_stalls_does_not_hold_up_the_others(relay: Relay, peer: Peer) -> None:
    with joined(relay, peer) as (_, deaf), joined(relay, peer) as (client, server):
        deaf.settimeout(0)
        with contextlib.suppress(BlockingIOError):
            while True:
                deaf.send(bytes(MEBI))
        client.sendall(b"hello")
        assert server.recv(5) == b"hello"


def test_a_peer_that_breaks_off_is_an_error_to_the_client(relay: Relay, peer: Peer) -> None:
    with joined(relay, peer) as (client, server):
        client.sendall(b"never read")
        until(lambda: server.recv(1, socket.MSG_PEEK) == b"n")
        server.close()
        with pytest.raises(ConnectionResetError):
            read_all(client)
    until(lambda: not relay._live)


def test_a_client_that_breaks_off_ends_the_connection_to_the_peer(relay: Relay, peer: Peer) -> None:
    with joined(relay, peer) as (client, server):
        client.setsockopt(socket.SOL_SOCKET, socket.SO_LINGER, module.RESET)
        client.close()
        assert server.recv(1) == b""
    until(lambda: not relay._live)


def test_a_peer_that_is_gone_is_an_error_to_the_client_and_the_relay_goes_on(relay: Relay, peer: Peer) -> None:
    peer.listener.close()
    for _ in range(3):
        # Sometimes the error is there before the client is done with connecting.
        with pytest.raises(ConnectionResetError), connect(relay) as client:
            client.recv(1)
    assert relay._thread.is_alive()


def test_more_than_the_peer_takes_at_once_wait_for_it(relay: Relay, peer: Peer) -> None:
    clients = [connect(relay) for _ in range(40)]
    until(lambda: len(relay._live) == 40)
    assert relay._waiting

    servers = [peer.accept() for _ in clients]
    for number, server in enumerate(servers):
        server.sendall(b"%d." % number)
        server.close()

    assert sorted(read_all(client) for client in clients) == sorted(b"%d." % n for n in range(40))
    for client in clients:
        client.close()
    until(lambda: not relay._live)


def test_more_than_the_relay_takes_at_once_wait_for_it(
    relay: Relay, peer: Peer, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(module, "MAX_CONNECTIONS", 2)
    with joined(relay, peer), joined(relay, peer), connect(relay) as third:
        third.sendall(b"x")
        time.sleep(0.1)
        assert len(relay._live) == 2
    with peer.accept() as server:
        assert server.recv(1) == b"x"


def test_idle_connections_cost_no_time(relay: Relay, peer: Peer) -> None:
    with (
        joined(relay, peer) as (client, server),
        joined(relay, peer) as (half, other),
        joined(relay, peer) as (_, gone),
    ):
        client.sendall(b"x")
        half.shutdown(socket.SHUT_WR)
        assert other.recv(1) == b""
        gone.close()
        assert server.recv(1) == b"x"
        time.sleep(0.1)
        before = time.process_time()
        time.sleep(0.5)
        assert time.process_time() - before < 0.2


def test_closing_ends_what_is_open_and_frees_the_port(relay: Relay, peer: Peer) -> None:
    with joined(relay, peer) as (client, server):
        relay.close()
        assert server.recv(1) == b""
        with pytest.raises(ConnectionResetError):
            client.recv(1)
    with pytest.raises(ConnectionRefusedError):
        connect(relay)


def test_nobody_at_the_socket_or_a_taken_port_is_told_at_once(relay: Relay, peer: Peer) -> None:
    with pytest.raises(OSError, match="in use"):
        Relay(relay.port, peer.path)
    with pytest.raises(FileNotFoundError):
        Relay(0, peer.path + "-not")
