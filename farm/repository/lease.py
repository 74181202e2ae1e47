"""One publisher at a time: a lock on this host's file system and a lease in the bucket.

The lock keeps the workers of one installation in line; the lease keeps out publishers elsewhere. A crash leaves the
lease behind; the next publisher of the same installation (its **seat**) holds the lock, so it knows that the owner is
dead and takes the lease over at once. Others wait until it runs out.

Whether the server honours conditional writes shows by asking twice: a second `put_if` of the same key must fail. Where
it does not, the lease is settled by waiting a moment and reading again. What is published depends little on this being
watertight: pages are made from what is listed, and files are keyed by digest or, where a layout fixes their paths,
compared by the server with the record that names them.
"""

from __future__ import annotations

import json
import secrets
import time
from contextlib import contextmanager
from dataclasses import dataclass, field
from typing import TYPE_CHECKING, Any, Final

from filelock import FileLock, Timeout

from farm import log
from farm.errors import PublisherBusyError, StoreUnavailableError
from farm.model.base import canonical_json
from farm.store.objects import JSON

if TYPE_CHECKING:
    from collections.abc import Callable, Iterator
    from pathlib import Path

    from farm.store.objects import ObjectStore

__all__ = ["Lease", "publisher_lease"]

TTL: Final = 600.0
"""Seconds until a lease that nobody renews is free."""
SETTLE: Final = 0.05
"""Many times what passes between the look and the write of another publisher."""
_POLL: Final = 0.2

_log = log.get(__name__)


@dataclass
class Lease:
    """The right to publish, while it lasts."""

    store: ObjectStore
    key: str
    seat: str
    owner: str
    clock: Callable[[], float] = time.time
    expires: float = field(default=0.0)

    def check(self) -> None:
        """Make sure that the lease is still ours, and renew it when half of its time is over.

        Raises:
            PublisherBusyError: somebody took it.
        """
        held = _read(self.store, self.key)
        if held is None or held.get("owner") != self.owner:
            msg = "the publisher's lease was lost to another publisher while publishing"
            raise PublisherBusyError(msg)
        if self.expires - self.clock() < TTL / 2:
            self.write()

    def write(self) -> None:
        """Write the lease with a new expiry, whatever is there."""
        self.store.put_bytes(self.key, self.document(), content_type=JSON)

    def document(self) -> bytes:
        """Return the lease's JSON with a new expiry."""
        self.expires = self.clock() + TTL
        return canonical_json({"expires": int(self.expires), "owner": self.owner, "seat": self.seat})


@contextmanager
def publisher_lease(
    store: ObjectStore,
    key: str,
    run_dir: Path,
    *,
    wait: float = 60.0,
    clock: Callable[[], float] = time.time,
    lock_name: str = "publisher",
) -> Iterator[Lease]:
    """Hold the right to publish into `store`, or to do something else that only one may do at a time.

    Args:
        store: the repository's bucket.
        key: of the lease, see `farm.repository.model.lease_key`.
        run_dir: folder of this installation; the lock file and the seat's name are kept there.
        wait: seconds to wait for another publisher to end.
        clock: seconds since the epoch.
        lock_name: of the lock file; what has locks of different names does not wait for each other here.

    Raises:
        PublisherBusyError: another publisher held it for all of that time.
    """
    run_dir.mkdir(parents=True, exist_ok=True)
    deadline = time.monotonic() + wait
    lock = FileLock(run_dir / f"{lock_name}.lock", timeout=wait)
    try:
        lock.acquire()
    except Timeout as error:
        msg = f"another publisher of this installation has been at work for {wait:.0f} s"
        raise PublisherBusyError(msg) from error
    try:
        lease = Lease(store, key, _seat(run_dir), secrets.token_hex(16), clock)
        _take(lease, deadline)
        try:
            yield lease
        finally:
            _release(lease)
    finally:
        lock.release()


def _take(lease: Lease, deadline: float) -> None:
    while not _try(lease):
        if time.monotonic() >= deadline:
            msg = "a publisher elsewhere holds the lease of the repository"
            raise PublisherBusyError(msg, details={"lease": lease.key})
        time.sleep(_POLL)


def _try(lease: Lease) -> bool:
    store = lease.store
    now = store.head(lease.key)
    held = _read(store, lease.key)
    free = held is None or held.get("seat") == lease.seat or _expired(held, lease.clock())
    if not free:
        return False
    if not store.put_if(lease.key, lease.document(), etag=None if now is None else now.etag, content_type=JSON):
        return False
    if store.put_if(lease.key, lease.document(), etag=None, content_type=JSON):
        # The server ignores conditions: somebody may have written between our look and our write.
        time.sleep(SETTLE)
    held = _read(store, lease.key)
    return held is not None and held.get("owner") == lease.owner


def _release(lease: Lease) -> None:
    try:
        held = _read(lease.store, lease.key)
        if held is not None and held.get("owner") == lease.owner:
            lease.store.delete(lease.key)
    except StoreUnavailableError as error:
        # What was published stays published; this seat takes the lease over next time, others after it runs out.
        _log.warning("lease not given back", reason=error.message)


def _read(store: ObjectStore, key: str) -> dict[str, Any] | None:
    raw = store.get_bytes(key)
    if raw is None:
        return None
    try:
        held = json.loads(raw)
    except ValueError:
        held = None
    # An unreadable lease is nobody's, but it is there: it counts as one that has run out.
    return held if isinstance(held, dict) else {"expires": 0, "owner": "", "seat": ""}


def _expired(held: dict[str, Any], now: float) -> bool:
    expires = held.get("expires")
    return not isinstance(expires, int | float) or expires <= now


def _seat(run_dir: Path) -> str:
    """Return this installation's name; made once, under the lock."""
    path = run_dir / "publisher.seat"
    if not path.is_file():
        temporary = path.with_suffix(".new")
        temporary.write_text(secrets.token_hex(16), encoding="ascii")
        temporary.replace(path)
    return path.read_text(encoding="ascii")
