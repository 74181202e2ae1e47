"""Build numbers of wheels: the build tag of the binary distribution format (PEP 427), as farm gives it.

A published file never changes, but a version can come out with other content later: another patch, another dependency
inside. The first wheel of a version has no number, each one after it the next, and installers take the highest.
"""

from __future__ import annotations

import re
from typing import TYPE_CHECKING, NamedTuple

from packaging.utils import parse_wheel_filename

from farm.errors import VerificationError

if TYPE_CHECKING:
    from collections.abc import Callable, Iterable, Mapping

    from packaging.tags import Tag

__all__ = [
    "Wheels",
    "build_number",
    "highest",
    "number_of",
    "published_numbers",
    "wheel_file_with",
    "wheels_of",
    "with_number",
]

_NUMBER = re.compile(r"[1-9][0-9]{0,8}")


class Wheels(NamedTuple):
    """What wheels have in common of which an installer takes the one with the highest number."""

    project: str
    version: str
    tags: frozenset[Tag]


def wheels_of(filename: str) -> Wheels:
    """Return which wheels a file is one of; raises ValueError for what is no file name of a wheel."""
    name, version, _, tags = parse_wheel_filename(filename)
    return Wheels(str(name), str(version), tags)


def number_of(filename: str) -> int:
    """Return the build number in a file name, 0 for none.

    Raises:
        ValueError: no file name of a wheel, or a build tag of another form than farm's: one number has one spelling.
    """
    build = parse_wheel_filename(filename)[2]
    if not build:
        return 0
    text = filename.split("-")[2]
    if not _NUMBER.fullmatch(text):
        msg = f"{text!r} is no build number (1, 2, 3, …)"
        raise ValueError(msg)
    return int(text)


def with_number(filename: str, number: int) -> str:
    """Return the name of a wheel without a build tag with the number in it; 0 leaves it as it is."""
    name, version, *tags = filename.split("-")
    return "-".join((name, version, str(number), *tags)) if number else filename


def wheel_file_with(data: bytes, number: int) -> bytes:
    """Return the WHEEL file with its line for the number, which it does not have yet; 0 leaves it as it is."""
    if not number:
        return data
    lines = data.splitlines(keepends=True)
    end = next((position for position, line in enumerate(lines) if not line.strip()), len(lines))
    head = b"".join(lines[:end])
    gap = b"" if head.endswith((b"\n", b"\r")) else b"\n"
    return head + gap + f"Build: {number}\n".encode() + b"".join(lines[end:])


def published_numbers(published: Mapping[str, str], filename: str) -> dict[int, str]:
    """Choose from what is published of a version (file name → SHA-256) the wheels that `filename` is one of.

    Returns:
        Build number → SHA-256.

    Raises:
        VerificationError: a published name that is none of farm's.
    """
    wanted = wheels_of(filename)
    named = {name: _published(name) for name in published}
    return {number: published[name] for name, (wheels, number) in named.items() if wheels == wanted}


def build_number(published: Mapping[int, str], candidate: Callable[[int], str]) -> int:
    """Decide which number a finished wheel gets.

    Equal content in a row is the file that is there. Anything else gets a new highest number, also where content comes
    back that a lower number has: installers take the highest.

    Args:
        published: number → SHA-256 of what is published of these wheels.
        candidate: gives the SHA-256 that the finished wheel has with a number; the number is part of its bytes.
    """
    if not published:
        return 0
    top = max(published)
    return top if candidate(top) == published[top] else top + 1


def highest(filenames: Iterable[str]) -> frozenset[str]:
    """Return those of the wheels that have the highest number of their kind: what installers take.

    Raises:
        VerificationError: a name that is none of farm's.
    """
    found: dict[Wheels, tuple[int, str]] = {}
    for filename in filenames:
        wheels, number = _published(filename)
        found[wheels] = max((number, filename), found.get(wheels, (-1, "")))
    return frozenset(filename for _, filename in found.values())


def _published(filename: str) -> tuple[Wheels, int]:
    try:
        return wheels_of(filename), number_of(filename)
    except ValueError as error:
        msg = f"the repository has {filename}, a name that farm gives no wheel: {error}"
        raise VerificationError(msg) from error
