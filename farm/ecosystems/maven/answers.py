"""What a recorder answers with: each path fetched once, from the first repository that has it, kept by digest.

Rules, all of them so that an answer does not depend on luck:

- Repositories are asked in order. One that fails ends the search: to take the file from the next would let whoever can
  disturb the first choose the origin.
- Metadata comes from farm's own repository and from the first configured one that has it, merged where both have it.
- Failures are not remembered: the next request for the path asks again. Answers and misses are.
- Every file goes to the sink in the background; `recording` waits for that.
"""

from __future__ import annotations

import tempfile
import threading
from concurrent.futures import Future, ThreadPoolExecutor
from dataclasses import dataclass
from pathlib import Path
from typing import TYPE_CHECKING, Final, Protocol

from farm import log
from farm.ecosystems.maven.checksums import Measure
from farm.ecosystems.maven.merge import merge_metadata
from farm.ecosystems.maven.recording import Problem, Recorded
from farm.errors import BlobCorruptError, FarmError, InputUnavailableError

if TYPE_CHECKING:
    from collections.abc import Callable, Sequence

    from farm.ecosystems.maven.checksums import Checked, Digests
    from farm.ecosystems.maven.paths import MavenPath
    from farm.ecosystems.maven.transfer import UpstreamClient
    from farm.ecosystems.maven.upstreams import Origin
    from farm.model.base import BlobRef

__all__ = ["Answers", "Caps", "Held", "Sink"]

_PUTS: Final = 2
_PROBLEMS: Final = 1000
"""Paths that are remembered as not answered; failures do not count as paths, and foreign code can make any number."""
_MORE: Final = "(further paths)"
"""What stands for those beyond: no path, so that nothing ever mends it."""

_log = log.get(__name__)


class Sink(Protocol):
    """Where files are kept: the vault."""

    def put_file(self, path: Path) -> BlobRef:
        """Store the file and return its name."""
        ...


@dataclass(frozen=True)
class Caps:
    """What one recording may come to. Foreign code chooses the paths, so there must be an end."""

    paths: int = 50_000
    bytes: int = 16 * 1024**3


@dataclass(frozen=True)
class Held:
    """A file that can be served."""

    file: Path
    record: Recorded


@dataclass(frozen=True)
class _Found:
    """A file of one repository on disk, or of two merged."""

    file: Path
    digests: Digests
    checked: Checked
    origin: Origin
    repository: str


class Answers:
    """Finds, keeps and remembers files. Safe to use from several threads; `close()` it.

    Args:
        clients: the repositories in order; those of origin `farm` first.
        sink: where every file goes.
        folder: scratch folder of its own, made by the caller.
        caps: what a recording may come to.
        progress: called with files and bytes so far after each file, from any thread, never twice at a time.
    """

    def __init__(
        self,
        clients: Sequence[UpstreamClient],
        sink: Sink,
        folder: Path,
        caps: Caps,
        progress: Callable[[int, int], None] | None = None,
    ) -> None:
        self._clients = tuple(clients)
        self._sink = sink
        self._folder = folder
        self._caps = caps
        self._progress = progress
        self._lock = threading.Lock()
        self._flights: dict[str, Future[Held | None]] = {}
        self._problems: dict[str, FarmError] = {}
        self._puts: dict[str, Future[None]] = {}
        self._putters = ThreadPoolExecutor(_PUTS, thread_name_prefix="recorder-put")
        self._files = 0
        self._bytes = 0

    def get(self, path: MavenPath) -> Held | None:
        """Return the file of `path`, None when no repository has it; fetched once, however many ask.

        Raises:
            FarmError: it could not be had; this is remembered as a problem.
        """
        with self._lock:
            flight = self._flights.get(path.text)
            if flight is None:
                mine: Future[Held | None] = Future()
                self._flights[path.text] = mine
        if flight is not None:
            return flight.result()
        outcome: FarmError = InputUnavailableError(f"{path.text} cannot be answered: the recorder broke off")
        try:
            held = self._obtain(path)
        except FarmError as error:
            outcome = error
            raise
        except OSError as error:
            outcome = InputUnavailableError(f"{path.text} cannot be kept: {error.strerror}")
            raise outcome from error
        else:
            mine.set_result(held)
            return held
        finally:
            if not mine.done():
                self._fail(path, mine, outcome)

    def problem(self, path: str, error: FarmError) -> None:
        """Remember that `path` could not be answered, and log it."""
        with self._lock:
            full = path not in self._problems and len(self._problems) >= _PROBLEMS
            self._problems[_MORE if full else path] = error
        if full:
            return
        _log.warning("not answered", path=path, error=type(error).__name__, message=error.message)

    def drop(self, path: str) -> None:
        """Forget what is held for `path`, so that the next request fetches it again."""
        with self._lock:
            self._flights.pop(path, None)

    def files(self) -> tuple[Recorded, ...]:
        """Return what was served, sorted by path, as soon as all of it is in the sink.

        Raises:
            StoreUnavailableError: the sink failed.
            BlobCorruptError: the sink got other bytes than were fetched.
        """
        with self._lock:
            puts = list(self._puts.values())
        for put in puts:
            put.result()
        return tuple(held.record for _, held in self._ended() if held is not None)

    def missing(self) -> tuple[str, ...]:
        """Return the paths that nobody has, sorted."""
        return tuple(path for path, held in self._ended() if held is None)

    def problems(self) -> tuple[Problem, ...]:
        """Return what went wrong, sorted by path, the last error of each."""
        answered = dict(self._ended())
        with self._lock:
            found = sorted(self._problems.items())
        return tuple(
            Problem(
                path=path,
                error=type(error).__name__,
                message=error.message,
                remedy=error.remedy,
                mended=path in answered,
            )
            for path, error in found
        )

    def close(self) -> None:
        """End what is under way and close the connections."""
        for client in self._clients:
            client.close()
        self._putters.shutdown(wait=True)

    def _ended(self) -> list[tuple[str, Held | None]]:
        with self._lock:
            flights = sorted(self._flights.items())
        return [(path, f.result()) for path, f in flights if f.done() and f.exception() is None]

    def _fail(self, path: MavenPath, flight: Future[Held | None], error: FarmError) -> None:
        with self._lock:
            self._flights.pop(path.text, None)
        self.problem(path.text, error)
        flight.set_exception(error)

    def _obtain(self, path: MavenPath) -> Held | None:
        with self._lock:
            full = len(self._flights) > self._caps.paths or self._bytes > self._caps.bytes
        if full:
            msg = f"{path.text} is not answered: the recording has {self._caps.paths} paths or {self._caps.bytes} bytes"
            raise InputUnavailableError(msg, remedy="Find out what asks for so much; a build does not.")
        with tempfile.TemporaryDirectory(prefix="fetch-", dir=self._folder) as folder:
            found = self._search(path, Path(folder))
            return None if found is None else self._keep(path, found)

    def _search(self, path: MavenPath, folder: Path) -> _Found | None:
        own: _Found | None = None
        for number, client in enumerate(self._clients):
            target = folder / str(number)
            fetched = client.fetch(path, target)
            if fetched is None:
                continue
            found = _Found(target, fetched.digests, fetched.checked, client.upstream.origin, client.upstream.id)
            if path.kind != "metadata":
                return found
            if found.origin == "farm":
                own = own or found
                continue
            return found if own is None else _merged(own, found, path.text, folder / "merged")
        return own

    def _keep(self, path: MavenPath, found: _Found) -> Held:
        digests = found.digests
        kept = self._folder / digests.sha256
        found.file.replace(kept)
        with self._lock:
            self._files += 1
            self._bytes += digests.size
            if digests.sha256 not in self._puts:
                self._puts[digests.sha256] = self._putters.submit(self._put, kept, digests.ref)
            if self._progress is not None:
                self._progress(self._files, self._bytes)
        record = Recorded(
            path=path.text,
            origin=found.origin,
            repository=found.repository,
            size=digests.size,
            sha256=digests.sha256,
            sha1=digests.sha1,
            checked=found.checked,
        )
        return Held(kept, record)

    def _put(self, kept: Path, ref: BlobRef) -> None:
        stored = self._sink.put_file(kept)
        if stored != ref:
            msg = f"the file {ref.sha256} of the recorder's folder was changed while the recorder ran"
            raise BlobCorruptError(msg, details={"expected": ref.sha256, "actual": stored.sha256})


def _merged(own: _Found, other: _Found, path: str, target: Path) -> _Found:
    data = merge_metadata(own.file.read_bytes(), other.file.read_bytes(), path)
    target.write_bytes(data)
    measure = Measure()
    measure.update(data)
    return _Found(target, measure.digests(), "", other.origin, f"{own.repository}+{other.repository}")
