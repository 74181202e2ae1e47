"""Read single files from a source snapshot's archive without unpacking it."""

from __future__ import annotations

import tarfile
import tomllib
from typing import TYPE_CHECKING, Any

from farm.errors import BuildFailedError, SourceUnsafeError

if TYPE_CHECKING:
    from pathlib import Path

__all__ = ["DEFAULT_REQUIRES", "build_requires", "read_member"]

DEFAULT_REQUIRES = ("setuptools>=40.8.0",)
"""What PEP 518 and pip take where pyproject.toml or its [build-system] table is missing."""
_MAX_MEMBER = 4 * 1024 * 1024


def read_member(archive: Path, name: str) -> bytes | None:
    """Return the content of the file `name` in the tar `archive`, None when there is none.

    Raises:
        SourceUnsafeError: it is no regular file, or larger than any such file should be.
    """
    with tarfile.open(archive, "r:") as tar:
        for member in tar:
            if member.name.removeprefix("./") != name:
                continue
            stream = tar.extractfile(member) if member.isfile() else None
            if stream is None or member.size > _MAX_MEMBER:
                raise SourceUnsafeError(f"{name} in the source is no regular file below {_MAX_MEMBER} bytes")
            return stream.read()
    return None


def build_requires(archive: Path, subdirectory: str) -> tuple[str, ...]:
    """Return `[build-system].requires` of the project in the archive (PEP 518), or its default.

    Raises:
        BuildFailedError: pyproject.toml is no TOML, or its table is not what PEP 518 says.
    """
    name = f"{subdirectory}/pyproject.toml" if subdirectory else "pyproject.toml"
    content = read_member(archive, name)
    if content is None:
        return DEFAULT_REQUIRES
    try:
        data: dict[str, Any] = tomllib.loads(content.decode("utf-8"))
    except ValueError as error:
        raise BuildFailedError(f"{name} of the source: {error}") from error
    table = data.get("build-system")
    if table is None:
        return DEFAULT_REQUIRES
    requires = table.get("requires") if isinstance(table, dict) else None
    if not isinstance(requires, list) or not all(isinstance(item, str) for item in requires):
        raise BuildFailedError(f"{name} of the source: [build-system] has no list `requires`")
    return tuple(requires)
