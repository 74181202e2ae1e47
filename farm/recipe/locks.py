"""Where the locks of a recipe are, and reading and writing them."""

from __future__ import annotations

import json
import os
import tempfile
from pathlib import Path

from pydantic import ValidationError

from farm.errors import LockMissingError, LockStaleError
from farm.model.lock import Lock

__all__ = ["lock_path", "lock_text", "read_lock", "write_lock"]

_MAX_BYTES = 16 * 1024 * 1024


def lock_path(recipe_dir: Path, version: str, target_key: str) -> Path:
    """Return where the lock of `version` for a target is: `locks/3.0.2-cp311-linux-amd64.json` beside the recipe."""
    return recipe_dir / "locks" / f"{version}-{target_key}.json"


def lock_text(lock: Lock) -> str:
    """Return the lock as it is committed: JSON, sorted keys, two spaces, one newline at the end."""
    value = lock.model_dump(mode="json", exclude_none=True)
    return json.dumps(value, indent=2, sort_keys=True, ensure_ascii=False) + "\n"


def read_lock(path: Path) -> Lock:
    """Read the lock at `path`.

    Raises:
        LockMissingError: no such file.
        LockStaleError: a file that is no lock of this farm's format.
    """
    if path.exists() and not path.is_file():
        # To open a pipe would wait for somebody who writes to it.
        msg = f"the lock {_shown(path)} is no file"
        raise LockStaleError(msg, details={"lock": str(path)})
    try:
        with path.open("rb") as stream:
            data = stream.read(_MAX_BYTES + 1)
    except FileNotFoundError:
        msg = f"there is no lock {_shown(path)}"
        raise LockMissingError(msg, details={"lock": str(path)}) from None
    except OSError as error:
        msg = f"the lock {_shown(path)} cannot be read: {error.strerror}"
        raise LockStaleError(msg, details={"lock": str(path)}) from error
    if len(data) > _MAX_BYTES:
        msg = f"the lock {_shown(path)} is larger than {_MAX_BYTES // 1024 // 1024} MiB"
        raise LockStaleError(msg, details={"lock": str(path)})
    try:
        return Lock.model_validate_json(data)
    except ValidationError as error:
        first = error.errors(include_url=False)[0]
        where = ".".join(map(str, first["loc"])) or "the file"
        msg = f"the lock {_shown(path)} is no lock of this format: {where}: {first['msg']}"
        raise LockStaleError(msg, details={"lock": str(path)}) from None


def write_lock(path: Path, lock: Lock) -> None:
    """Write the lock to `path`, whole or not at all; folders are made."""
    path.parent.mkdir(parents=True, exist_ok=True)
    handle, name = tempfile.mkstemp(prefix=f".{path.name}-", dir=path.parent)
    temporary = Path(name)
    try:
        with os.fdopen(handle, "w", encoding="utf-8", newline="\n") as stream:
            stream.write(lock_text(lock))
            os.fchmod(stream.fileno(), 0o644)
        temporary.replace(path)
    finally:
        temporary.unlink(missing_ok=True)


def _shown(path: Path) -> str:
    """Return the part of the path that a user knows it by: `markupsafe/locks/3.0.2-….json`."""
    return "/".join(path.parts[-3:])
