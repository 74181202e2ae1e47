"""The relay: what connects to a port of 127.0.0.1 inside talks to a Unix socket that the host shows, and nothing else.

A thread of the guest, not a process: foreign code can neither kill nor stop it nor take its port, and it is not among
what a step leaves behind. It never looks at what it carries, and holds at most one chunk for each way of a connection:
whoever does not read makes the other side wait.
"""

from __future__ import annotations

import collections
import contextlib
import selectors
import socket
import struct
import threading

LOOPBACK = "127.0.0.1"
MAX_CONNECTIONS = 512
"""At a time; more wait to be accepted. Each takes two of the guest's open files, which it needs for its answer too."""
CHUNK = 64 * 1024
BACKLOG = 1024
RETRY_SECONDS = 0.005
RESET = struct.pack("ii", 1, 0)
"""struct linger of <linux/socket.h>: on, no seconds. Closing then resets, so that an error is not taken for an end."""


class Connection:
    """A client inside (end 0) and the peer (end 1)."""

    def __init__(self, client: socket.socket, peer: socket.socket) -> None:
        self.ends = (client, peer)
        self.held = [b"", b""]
        """What is still to be sent to each end."""
        self.talking = [True, True]
        """Which end may still say something."""


class Relay:
    """Listens from the time it is made; carries from `start` to `close`."""

    def __init__(self, port: int, path: str) -> None:
        """Listen on `port` of 127.0.0.1 for the socket at `path`, 0 for any port.

        Raises:
            OSError: the port cannot be had, or nobody listens at `path`.
        """
        self._path = path
        with socket.socket(socket.AF_UNIX) as attempt:
            attempt.connect(path)
        self._listener = socket.socket()
        try:
            self._listener.bind((LOOPBACK, port))
            self._listener.listen(BACKLOG)
        except OSError:
            self._listener.close()
            raise
        self.port = self._listener.getsockname()[1]
        self._listener.settimeout(0)
        self._bell, self._ring = socket.socketpair()
        self._selector = selectors.DefaultSelector()
        self._buffer = memoryview(bytearray(CHUNK))
        self._live: set[Connection] = set()
        self._waiting: collections.deque[Connection] = collections.deque()
        """Accepted, but the peer's queue was full."""
        self._thread = threading.Thread(target=self._serve, name="relay", daemon=True)

    def start(self) -> None:
        """Begin to carry; raises RuntimeError where no thread can be made."""
        self._thread.start()

    def close(self) -> None:
        """End every connection and stop listening. Once."""
        self._ring.close()
        if self._thread.ident is None:
            self._end()
        else:
            self._thread.join()

    def _serve(self) -> None:
        self._selector.register(self._bell, selectors.EVENT_READ)
        self._selector.register(self._listener, selectors.EVENT_READ)
        try:
            while self._turn():
                pass
        finally:
            # Whatever happened: nobody is left waiting for an answer.
            self._end()

    def _turn(self) -> bool:
        """Do what can be done now; return whether to go on."""
        for key, events in self._selector.select(RETRY_SECONDS if self._waiting else None):
            if key.fileobj is self._bell:
                return False
            if key.fileobj is self._listener:
                self._accept()
                continue
            connection, end = key.data
            # An earlier event of this turn may have ended it.
            if connection in self._live:
                self._carry(connection, end, events)
        while self._waiting and self._connect(self._waiting[0]):
            self._waiting.popleft()
        return True

    def _end(self) -> None:
        for connection in [*self._live]:
            self._drop(connection)
        self._listener.close()
        self._bell.close()
        self._ring.close()
        self._selector.close()

    def _accept(self) -> None:
        try:
            client, _ = self._listener.accept()
        except OSError:
            return  # gone before it was accepted
        client.settimeout(0)
        # Small writes are sent on as they come: nobody shall wait for an acknowledgement.
        client.setsockopt(socket.IPPROTO_TCP, socket.TCP_NODELAY, 1)
        peer = socket.socket(socket.AF_UNIX)
        peer.settimeout(0)
        connection = Connection(client, peer)
        self._live.add(connection)
        if len(self._live) == MAX_CONNECTIONS:
            self._selector.unregister(self._listener)
        if self._waiting or not self._connect(connection):
            self._waiting.append(connection)

    def _connect(self, connection: Connection) -> bool:
        """Connect to the peer, or give up; return False when it has to be tried again."""
        try:
            connection.ends[1].connect(self._path)
        except BlockingIOError:
            # A Unix socket whose queue is full says neither yes nor "in progress", and does not tell when it has room.
            return False
        except OSError:
            self._drop(connection)
        else:
            for end in (0, 1):
                self._selector.register(connection.ends[end], selectors.EVENT_READ, (connection, end))
        return True

    def _carry(self, connection: Connection, end: int, events: int) -> None:
        try:
            if events & selectors.EVENT_WRITE:
                self._flush(connection, end)
            if events & selectors.EVENT_READ:
                self._pump(connection, end)
        except OSError:
            self._drop(connection)
            return
        if any(connection.talking) or any(connection.held):
            self._watch(connection)
        else:
            self._drop(connection, reset=False)

    def _pump(self, connection: Connection, end: int) -> None:
        """Carry a chunk from `end` to the other one, or its end."""
        other = connection.ends[1 - end]
        try:
            size = connection.ends[end].recv_into(self._buffer)
        except BlockingIOError:
            return
        if not size:
            connection.talking[end] = False
            other.shutdown(socket.SHUT_WR)
            return
        sent = 0
        with contextlib.suppress(BlockingIOError):
            sent = other.send(self._buffer[:size])
        connection.held[1 - end] = bytes(self._buffer[sent:size])

    @staticmethod
    def _flush(connection: Connection, end: int) -> None:
        """Send to `end` what is held for it."""
        with contextlib.suppress(BlockingIOError):
            sent = connection.ends[end].send(connection.held[end])
            connection.held[end] = connection.held[end][sent:]

    def _watch(self, connection: Connection) -> None:
        """Wait for what each end can do next: nothing is read from one for which the other is not ready."""
        for end in (0, 1):
            wanted = 0
            if connection.talking[end] and not connection.held[1 - end]:
                wanted |= selectors.EVENT_READ
            if connection.held[end]:
                wanted |= selectors.EVENT_WRITE
            self._wait_for(connection, end, wanted)

    def _wait_for(self, connection: Connection, end: int, wanted: int) -> None:
        thing = connection.ends[end]
        key = self._selector.get_map().get(thing)
        if key is None:
            if wanted:
                self._selector.register(thing, wanted, (connection, end))
        elif not wanted:
            # Not "interested in nothing": that a connection broke would be told again and again.
            self._selector.unregister(thing)
        elif key.events != wanted:
            self._selector.modify(thing, wanted, key.data)

    def _drop(self, connection: Connection, *, reset: bool = True) -> None:
        """Close both ends; the client is told of an error unless all was said."""
        client, _ = connection.ends
        if reset:
            with contextlib.suppress(OSError):
                client.setsockopt(socket.SOL_SOCKET, socket.SO_LINGER, RESET)
        for thing in connection.ends:
            with contextlib.suppress(KeyError):
                self._selector.unregister(thing)
            thing.close()
        if len(self._live) == MAX_CONNECTIONS:
            self._selector.register(self._listener, selectors.EVENT_READ)
        self._live.discard(connection)
