"""The patches of a recipe version → the vault, so that every later step has them by digest."""

from __future__ import annotations

from typing import TYPE_CHECKING

from farm.errors import RecipeError

if TYPE_CHECKING:
    from collections.abc import Sequence
    from pathlib import Path

    from farm.model.base import BlobRef
    from farm.store.base import Vault

__all__ = ["store_patches"]

_LIMIT = 4 * 1024 * 1024
"""Largest patch, in bytes."""


def store_patches(vault: Vault, recipe_dir: Path, names: Sequence[str]) -> dict[str, BlobRef]:
    """Put the patches `names` of the recipe in `recipe_dir` into the vault.

    Returns:
        Name → digest and size.

    Raises:
        RecipeError: a patch is missing, no regular file, unreadable or too large.
        StoreUnavailableError.
    """
    return {name: _stored(vault, recipe_dir / "patches" / name) for name in names}


def _stored(vault: Vault, path: Path) -> BlobRef:
    shown = f"{path.parent.parent.name}/patches/{path.name}"
    # What a link leads to is not what was reviewed; a pipe would wait for a writer.
    if path.is_symlink() or not path.is_file():
        msg = f"the patch {shown} is {'no regular file' if path.exists() or path.is_symlink() else 'not there'}"
        raise RecipeError(msg)
    try:
        with path.open("rb") as stream:
            data = stream.read(_LIMIT + 1)
    except OSError as error:
        msg = f"the patch {shown} cannot be read: {error.strerror}"
        raise RecipeError(msg) from error
    if len(data) > _LIMIT:
        msg = f"the patch {shown} is larger than {_LIMIT} bytes"
        raise RecipeError(msg)
    return vault.put_bytes(data)
