"""The recorder: a Maven repository on a Unix socket that fetches what it is asked for and writes down what it saw.

It is the one thing that foreign code can reach while a lock is made, and the one that talks to the network then. The
sandbox shows the socket as a port of its own loopback; Maven's settings there name it as the mirror of everything. So a
client of it is hostile until shown otherwise:

- only GET and HEAD of plain repository paths are answered; everything else (a proxy's CONNECT, absolute addresses,
  uploads, bodies, queries) is refused, closed and written down;
- a file is fetched whole and checked before the first byte of the answer: no client ever holds half a file that looks
  complete. Maven waits for half an hour by default, and the copy from disk is much faster than any network;
- numbers of connections, paths and bytes are bounded.

Checksum files are computed from what is held and are no files of the recording. Signatures are files like others.
"""

from __future__ import annotations

import os
import socket
import tempfile
import threading
from contextlib import ExitStack
from http import HTTPStatus
from http.server import BaseHTTPRequestHandler, ThreadingHTTPServer
from pathlib import Path
from typing import TYPE_CHECKING, Any, ClassVar, Final, Self

from farm import log
from farm.ecosystems.maven.answers import Answers, Caps
from farm.ecosystems.maven.checksums import digest_of, verified
from farm.ecosystems.maven.paths import parse_path, parse_target
from farm.ecosystems.maven.recording import Recording, Refused
from farm.ecosystems.maven.transfer import UpstreamClient
from farm.errors import BlobCorruptError, ConfigError, FarmError
from farm.text import without_controls

if TYPE_CHECKING:
    from collections.abc import Callable, Sequence
    from types import TracebackType

    from farm.ecosystems.maven.answers import Held, Sink
    from farm.ecosystems.maven.paths import MavenPath
    from farm.ecosystems.maven.transfer import TransferLimits
    from farm.ecosystems.maven.upstreams import Upstream

__all__ = ["Recorder"]

_CONNECTIONS: Final = 128
_IDLE_SECONDS: Final = 300
"""Silence after which a connection is closed: tests run for minutes between two downloads."""
_REFUSALS: Final = 200
_LONGEST_WORD: Final = 200
_END_SECONDS: Final = 5.0

_log = log.get(__name__)


class Recorder:
    """Serves while it is entered; afterwards `recording` still answers.

    Args:
        socket_path: where to listen; its folder exists, and who can reach that folder can use the recorder.
        upstreams: the repositories to ask, in order; farm's own first (`own_upstream`), if it is to be asked.
        sink: where every file goes (the vault).
        scratch: folder in which files are kept while it runs.
        progress: called with files and bytes so far after each file.
        caps: what one recording may come to.
        limits: how much and how long for one file.

    Raises:
        ConfigError: upstreams that cannot be used, or in an order that lets a configured one hide farm's own.
    """

    def __init__(
        self,
        socket_path: Path,
        upstreams: Sequence[Upstream],
        sink: Sink,
        *,
        scratch: Path,
        progress: Callable[[int, int], None] | None = None,
        caps: Caps | None = None,
        limits: TransferLimits | None = None,
    ) -> None:
        origins = [upstream.origin for upstream in upstreams]
        if not origins or origins != sorted(origins):
            raise ConfigError("the recorder needs repositories to ask, farm's own first")
        self._path = socket_path
        self._upstreams = tuple(upstreams)
        self._sink = sink
        self._scratch = scratch
        self._progress = progress
        self._caps = caps or Caps()
        self._limits = limits
        self._open = ExitStack()
        self._answers: Answers | None = None
        self._refused: dict[Refused, None] = {}
        self._refusals = 0
        self._lock = threading.Lock()

    def __enter__(self) -> Self:
        with ExitStack() as stack:
            folder = stack.enter_context(tempfile.TemporaryDirectory(prefix="recorder-", dir=self._scratch))
            clients = []
            for upstream in self._upstreams:
                clients.append(UpstreamClient(upstream, self._limits))
                stack.callback(clients[-1].close)
            self._answers = Answers(clients, self._sink, Path(folder), self._caps, self._progress)
            stack.callback(self._answers.close)
            server = _Server(self._path, self)
            stack.callback(self._path.unlink, missing_ok=True)
            stack.callback(server.end)
            for client in clients:
                # First of all: what is under way ends, or the threads would be waited for.
                stack.callback(client.close)
            # Whoever may enter the folder may connect: the sandbox runs as a user of its own.
            self._path.chmod(0o666)
            thread = threading.Thread(target=server.serve_forever, args=(0.05,), name="recorder", daemon=True)
            thread.start()
            stack.callback(thread.join)
            stack.callback(server.shutdown)
            _log.info("recorder listens", repositories=[upstream.id for upstream in self._upstreams])
            self._open = stack.pop_all()
        return self

    def __exit__(
        self, kind: type[BaseException] | None, error: BaseException | None, trace: TracebackType | None
    ) -> None:
        self._open.close()

    def recording(self) -> Recording:
        """Return what was seen so far, as soon as every file of it is in the sink.

        Raises:
            StoreUnavailableError, BlobCorruptError: the sink failed.
        """
        answers = self.answers
        with self._lock:
            refused, refusals = sorted(self._refused, key=lambda r: (r.method, r.target, r.reason)), self._refusals
        return Recording(
            files=answers.files(),
            missing=answers.missing(),
            problems=answers.problems(),
            refused=tuple(refused),
            refusals=refusals,
        )

    @property
    def answers(self) -> Answers:
        """What it answers from; there as soon as it was entered."""
        if self._answers is None:
            raise RuntimeError("the recorder was not started")
        return self._answers

    def refuse(self, method: str, target: str, reason: str) -> None:
        """Write a refused request down."""
        refused = Refused(method=_word(method), target=_word(target), reason=_word(reason))
        with self._lock:
            self._refusals += 1
            if refused in self._refused or len(self._refused) >= _REFUSALS:
                return
            self._refused[refused] = None
        _log.warning("refused", method=refused.method, target=refused.target, reason=refused.reason)


class _Server(ThreadingHTTPServer):
    """HTTP on a Unix socket, a thread for each connection, bounded."""

    address_family = socket.AF_UNIX
    daemon_threads = True
    block_on_close = False
    request_queue_size = _CONNECTIONS

    def __init__(self, path: Path, recorder: Recorder) -> None:
        self.recorder = recorder
        self._path = path
        self._connections: set[socket.socket] = set()
        self._changed = threading.Condition()
        super().__init__(("recorder", 0), _Handler)

    def server_bind(self) -> None:
        """Bind through a descriptor of the folder: the address of a Unix socket must be short, folders need not be."""
        folder = os.open(self._path.parent, os.O_PATH | os.O_DIRECTORY)
        try:
            self.socket.bind(f"/proc/self/fd/{folder}/{self._path.name}")
        except OSError as error:
            msg = f"the recorder cannot listen on {self._path}: {error.strerror or error}"
            raise ConfigError(
                msg, remedy="Remove what is there, or let `data` in farm.toml name another folder."
            ) from error
        finally:
            os.close(folder)
        self.server_name, self.server_port = "recorder", 0

    def process_request(self, request: Any, client_address: Any) -> None:
        """Serve a connection in a thread of its own, or close it when there are too many."""
        with self._changed:
            full = len(self._connections) >= _CONNECTIONS
            if not full:
                self._connections.add(request)
        if full:
            self.recorder.refuse("", "", f"more than {_CONNECTIONS} connections at a time")
            self.shutdown_request(request)
            return
        super().process_request(request, client_address)

    def shutdown_request(self, request: Any) -> None:
        """Close a connection and forget it."""
        super().shutdown_request(request)
        with self._changed:
            self._connections.discard(request)
            self._changed.notify_all()

    def handle_error(self, request: Any, client_address: Any) -> None:
        """Log why a connection ended: a client that goes away is no reason for a trace on the terminal."""
        del request, client_address
        _log.debug("connection ended", exc_info=True)

    def end(self) -> None:
        """Close every connection and wait a moment for the threads that serve them."""
        self.server_close()
        with self._changed:
            for connection in self._connections:
                try:
                    connection.shutdown(socket.SHUT_RDWR)
                except OSError:
                    # The client was first.
                    continue
            self._changed.wait_for(lambda: not self._connections, timeout=_END_SECONDS)


class _Handler(BaseHTTPRequestHandler):
    server: _Server

    protocol_version = "HTTP/1.1"
    timeout: ClassVar[int] = _IDLE_SECONDS
    wbufsize = 64 * 1024

    def do_GET(self) -> None:
        """Answer with the file."""
        self._answer()

    def do_HEAD(self) -> None:
        """Answer with the headers of the file."""
        self._answer()

    def finish(self) -> None:
        """Close both directions, also where the client is gone before the last bytes."""
        try:
            super().finish()
        finally:
            self.rfile.close()

    def _answer(self) -> None:
        if self.request_version == self.default_request_version:
            self._refuse(HTTPStatus.BAD_REQUEST, "a request without a version of HTTP")
            return
        if self.headers.get("Transfer-Encoding") or self.headers.get("Content-Length", "0").strip() != "0":
            self._refuse(HTTPStatus.BAD_REQUEST, "a request with a body")
            return
        try:
            # Not `self.path`: the standard library makes one slash of two at its beginning.
            path = parse_target(self.requestline.split()[1])
        except ValueError as error:
            self._refuse(HTTPStatus.BAD_REQUEST, str(error))
            return
        try:
            self._send(path)
        except FarmError as error:
            # Nothing was sent yet; the words are for Maven's log, where the user reads them.
            self._text(HTTPStatus.BAD_GATEWAY, error.message)

    def _send(self, path: MavenPath) -> None:
        of = parse_path(path.of) if path.kind == "checksum" else path
        held = None if of.kind == "checksum" else self.server.recorder.answers.get(of)
        if held is None:
            self._text(HTTPStatus.NOT_FOUND, "no repository has it")
        elif path.kind == "checksum":
            known = {"sha1": held.record.sha1, "sha256": held.record.sha256}
            self._text(HTTPStatus.OK, known.get(path.algorithm) or digest_of(held.file, path.algorithm))
        else:
            self._file(path, held)

    def _file(self, path: MavenPath, held: Held) -> None:
        self.send_response(HTTPStatus.OK)
        self.send_header("Content-Type", "application/octet-stream")
        self.send_header("Content-Length", str(held.record.size))
        self.end_headers()
        if self.command == "HEAD":
            return
        try:
            for chunk in verified(held.file, held.record.ref):
                self.wfile.write(chunk)
        except BlobCorruptError as error:
            # The length was promised and is not kept: the client sees a broken transfer, not a file.
            self.server.recorder.answers.drop(path.text)
            self.server.recorder.answers.problem(path.text, error)
            self.close_connection = True

    def _text(self, status: HTTPStatus, text: str) -> None:
        data = without_controls(text).encode()
        self.send_response(status)
        self.send_header("Content-Type", "text/plain; charset=utf-8")
        self.send_header("Content-Length", str(len(data)))
        if self.close_connection:
            self.send_header("Connection", "close")
        self.end_headers()
        if self.command != "HEAD":
            self.wfile.write(data)

    def _refuse(self, status: HTTPStatus, reason: str) -> None:
        # What follows on the connection may be the body of this request.
        self.close_connection = True
        self.server.recorder.refuse(self.command or "", getattr(self, "path", ""), reason)
        self._text(status, f"refused: {reason}")

    def send_error(self, code: int, message: str | None = None, explain: str | None = None) -> None:
        """Refuse: the standard library calls this for methods and request lines that it does not serve."""
        del explain
        self._refuse(HTTPStatus(code), message or HTTPStatus(code).phrase)

    def version_string(self) -> str:
        """Return the name of the server, without versions."""
        return "farm"

    def log_message(self, format: str, *args: Any) -> None:  # noqa: A002 - the name in the standard library
        """Write nothing: what counts is in the recording."""


def _word(text: str) -> str:
    return without_controls(text).replace("\n", " ")[:_LONGEST_WORD]
