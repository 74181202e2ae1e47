"""Many questions at once, a few at a time; one that fails does not end the others."""

from __future__ import annotations

from concurrent.futures import ThreadPoolExecutor
from typing import TYPE_CHECKING, TypeVar

from farm.errors import FarmError

if TYPE_CHECKING:
    from collections.abc import Callable, Iterable

__all__ = ["ask_all", "failure_of_all"]

_AT_ONCE = 8

T = TypeVar("T")
R = TypeVar("R")


def ask_all(items: Iterable[T], ask: Callable[[T], R]) -> tuple[R | FarmError, ...]:
    """Return what `ask` says of each item, in their order, or the error that it ended with."""

    def one(item: T) -> R | FarmError:
        try:
            return ask(item)
        except FarmError as error:
            return error

    with ThreadPoolExecutor(_AT_ONCE, thread_name_prefix="ask") as pool:
        return tuple(pool.map(one, items))


def failure_of_all(answers: Iterable[object]) -> FarmError | None:
    """Return the first error when every answer is one of the infrastructure: then it is not about any one item."""
    errors = [answer if isinstance(answer, FarmError) and answer.infrastructure else None for answer in answers]
    return errors[0] if errors and all(errors) else None
