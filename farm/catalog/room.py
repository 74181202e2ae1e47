"""A full disk, said in farm's own words."""

from __future__ import annotations

import errno
from contextlib import contextmanager
from typing import TYPE_CHECKING, Final

from farm.errors import DiskFullError

if TYPE_CHECKING:
    from collections.abc import Iterator

__all__ = ["needing_room"]

_NO_ROOM: Final = frozenset({errno.ENOSPC, errno.EDQUOT})


@contextmanager
def needing_room() -> Iterator[None]:
    """Do something that writes files.

    Raises:
        DiskFullError: there was no room left for one.
    """
    try:
        yield
    except OSError as error:
        if error.errno not in _NO_ROOM:
            raise
        msg = f"no room is left for {error.filename or 'a file'}"
        raise DiskFullError(msg) from error
