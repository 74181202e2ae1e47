"""What a target means to Python: interpreter version, compatibility tags, markers."""

from __future__ import annotations

import re
from dataclasses import dataclass
from functools import lru_cache
from typing import TYPE_CHECKING

from packaging.tags import Tag, compatible_tags, cpython_tags

from farm.errors import RecipeError

if TYPE_CHECKING:
    from farm.model.plan import Target

__all__ = [
    "Machine",
    "machine",
    "marker_environment",
    "python_version",
    "resolver_platform",
    "supported_tags",
]

_GLIBC_MINOR = 28
"""Locked wheels run on glibc 2.28 and later: every Debian, Ubuntu and manylinux image that builders are made from.

A fixed floor keeps the lock a function of the recipe, not of the image's point release.
"""
_LEGACY = {17: "manylinux2014", 12: "manylinux2010", 5: "manylinux1"}


@dataclass(frozen=True)
class Machine:
    """One processor architecture under the names that are in use for it."""

    name: str
    """As in wheel tags."""
    elf: int
    """`e_machine` of its ELF files."""
    oldest_glibc: int
    """Minor version of the first glibc that runs on it (its oldest manylinux tag)."""


_MACHINES = {
    "linux/amd64": Machine("x86_64", 62, 5),
    "linux/arm64": Machine("aarch64", 183, 17),
}


def machine(target: Target) -> Machine:
    """Return the machine of `target`.

    Raises:
        RecipeError: a platform that Python builds do not know.
    """
    found = _MACHINES.get(target.platform)
    if found is None:
        raise RecipeError(f"platform {target.platform} is not one of {', '.join(sorted(_MACHINES))}")
    return found


def python_version(target: Target) -> str:
    """Return `3.11` for `cp311`.

    Raises:
        RecipeError: an interpreter that is no CPython 3.
    """
    match = re.fullmatch(r"cp3(\d{1,2})", target.interpreter)
    if match is None:
        raise RecipeError(f"interpreter {target.interpreter!r} is not of the form cp311")
    return f"3.{match[1]}"


def resolver_platform(target: Target) -> str:
    """Return the platform in uv's words (`--python-platform`)."""
    return f"{machine(target).name}-manylinux_2_{_GLIBC_MINOR}"


def marker_environment(target: Target) -> dict[str, str]:
    """Return what PEP 508 markers evaluate to on `target`, with no extra asked for.

    The patch release of the interpreter is taken as 0, as the resolver does.
    """
    version = python_version(target)
    return {
        "extra": "",
        "implementation_name": "cpython",
        "implementation_version": f"{version}.0",
        "os_name": "posix",
        "platform_machine": machine(target).name,
        "platform_python_implementation": "CPython",
        "platform_release": "",
        "platform_system": "Linux",
        "platform_version": "",
        "python_full_version": f"{version}.0",
        "python_version": version,
        "sys_platform": "linux",
    }


def supported_tags(target: Target) -> tuple[Tag, ...]:
    """Return the wheel tags that install on `target`, best first (PEP 425, PEP 600)."""
    return _tags(python_version(target), machine(target))


@lru_cache(maxsize=8)
def _tags(version: str, kind: Machine) -> tuple[Tag, ...]:
    platforms: list[str] = []
    for minor in range(_GLIBC_MINOR, kind.oldest_glibc - 1, -1):
        platforms.append(f"manylinux_2_{minor}_{kind.name}")
        if minor in _LEGACY:
            platforms.append(f"{_LEGACY[minor]}_{kind.name}")
    platforms.append(f"linux_{kind.name}")
    major, minor_version = (int(part) for part in version.split("."))
    pair = (major, minor_version)
    native = cpython_tags(python_version=pair, abis=[f"cp{major}{minor_version}"], platforms=platforms)
    generic = compatible_tags(python_version=pair, interpreter=f"cp{major}{minor_version}", platforms=platforms)
    return (*native, *generic)
