"""What only describes a run must not end it."""

from __future__ import annotations

from contextlib import contextmanager
from typing import TYPE_CHECKING

import httpx
from prefect.exceptions import PrefectException

from farm import log

if TYPE_CHECKING:
    from collections.abc import Iterator

__all__ = ["beside_the_run"]

_logger = log.get(__name__)


@contextmanager
def beside_the_run(lost: str) -> Iterator[None]:
    """Let Prefect's API fail in what only describes a run: a build does not end for it, let alone a published one."""
    try:
        yield
    except (httpx.HTTPError, PrefectException) as error:
        _logger.warning(lost, reason=f"{type(error).__name__}: {error}")
