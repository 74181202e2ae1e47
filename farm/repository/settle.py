"""Writing what follows from a listing, until the listing does not change any more under way."""

from __future__ import annotations

from typing import TYPE_CHECKING, Final

from farm.errors import PublisherBusyError

if TYPE_CHECKING:
    from collections.abc import Callable

__all__ = ["until_stable"]

_ROUNDS: Final = 8


def until_stable(listing: Callable[[], object], write: Callable[[], None], what: str) -> None:
    """Call `write`, and again while `listing` gives something else than before it.

    Raises:
        PublisherBusyError: it kept changing; `what` names what was to be written.
    """
    before = listing()
    for _ in range(_ROUNDS):
        write()
        after = listing()
        if after == before:
            return
        before = after
    msg = f"{what} could not be settled: other publishers kept writing"
    raise PublisherBusyError(msg)
