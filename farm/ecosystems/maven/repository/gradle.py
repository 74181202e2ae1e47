"""Gradle module metadata: held against where it lies and against the files that are published with it.

Gradle prefers a `.module` file to the POM, so what it says of names and digests must be what is there
(Gradle Module Metadata 1.1 specification).
"""

from __future__ import annotations

import json
import posixpath
from typing import TYPE_CHECKING, Any, Final

from farm.errors import VerificationError
from farm.model.base import unique_keys

if TYPE_CHECKING:
    from collections.abc import Mapping
    from pathlib import Path

    from farm.ecosystems.maven.paths import Coordinates
    from farm.ecosystems.maven.repository.model import PublishedPath

__all__ = ["check_module"]

_LIMIT: Final = 16 * 1024 * 1024


def check_module(path: Path, where: Coordinates, published: Mapping[str, PublishedPath]) -> None:
    """Check a `.module` file.

    Args:
        path: its bytes.
        where: the coordinates of the place where it is to lie.
        published: path → every file of the publication.

    Raises:
        VerificationError: unreadable, of another component, or it names a file that is not published with these bytes.
    """
    name = where.path.rpartition("/")[2]
    root = _object(_load(path, name), name)
    component = _object(root.get("component"), name)
    said = tuple(component.get(key) for key in ("group", "module", "version"))
    own = "url" not in component  # else this is a variant of a component that lies elsewhere
    if own and said != (where.group, where.artifact, where.version):
        raise VerificationError(f"{name} is of {':'.join(map(str, said))}, not of {where}")
    folder = posixpath.dirname(where.path)
    if not own:
        _published(folder, component.get("url"), name, published)
    for variant in _list(root.get("variants", []), name):
        described = _object(variant, name)
        if "available-at" in described:
            _published(folder, _object(described["available-at"], name).get("url"), name, published)
        for file in _list(described.get("files", []), name):
            _check_file(folder, _object(file, name), name, published)


def _check_file(folder: str, said: dict[str, Any], name: str, published: Mapping[str, PublishedPath]) -> None:
    found = _published(folder, said.get("url"), name, published)
    actual = {"size": found.blob.size, **found.checksums}
    for key, value in actual.items():
        if key in said and said[key] != value:
            raise VerificationError(f"{name} says of {found.filename} that its {key} is {said[key]!r}; it is {value!r}")


def _published(folder: str, url: object, name: str, published: Mapping[str, PublishedPath]) -> PublishedPath:
    found = published.get(posixpath.normpath(f"{folder}/{url}")) if isinstance(url, str) and url else None
    if found is None:
        raise VerificationError(f"{name} names {url!r}, which is not published with it")
    return found


def _load(path: Path, name: str) -> Any:
    with path.open("rb") as stream:
        data = stream.read(_LIMIT + 1)
    if len(data) > _LIMIT:
        raise VerificationError(f"{name} is larger than {_LIMIT} bytes")
    try:
        return json.loads(data, object_pairs_hook=unique_keys)
    except (ValueError, RecursionError) as error:
        raise VerificationError(f"{name} is no readable JSON: {error}") from error


def _object(value: object, name: str) -> dict[str, Any]:
    if not isinstance(value, dict):
        raise VerificationError(f"{name} is no Gradle module metadata")
    return value


def _list(value: object, name: str) -> list[Any]:
    if not isinstance(value, list):
        raise VerificationError(f"{name} is no Gradle module metadata")
    return value
