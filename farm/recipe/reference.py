"""How a recipe is named: `python/click`, `python/click@8.1.8`, or a path. Text only, so that it is cheap to import."""

from __future__ import annotations

from pathlib import Path

from farm.errors import RecipeNotFoundError

__all__ = ["absolute", "is_path", "split"]


def split(reference: str) -> tuple[str, str]:
    """Return what `reference` names and its version, empty when it has none. A leading word `recipe` is passed over.

    Raises:
        RecipeNotFoundError: an `@` without a version: a script's empty variable must not come to mean the newest.
    """
    text = reference.strip().removeprefix("recipe ").strip()
    name, at, version = text.rpartition("@")
    if at and not version:
        msg = f"{text!r} ends with an @, but no version follows"
        raise RecipeNotFoundError(msg)
    # A folder on the way may have an `@` in its name; a version never has a slash.
    return (name, version) if at and "/" not in version else (text, "")


def is_path(name: str) -> bool:
    """Return whether `name` is written as a path; `a/b` is a name even where there is a folder `a/b`."""
    return name.startswith((".", "/", "~")) or name.endswith((".yaml", "/")) or name.count("/") > 1


def absolute(reference: str) -> str:
    """Return `reference` such that it means the same in every working folder: a path comes back absolute."""
    name, version = split(reference)
    if is_path(name):
        name = str(Path(name).expanduser().resolve())
    return f"{name}@{version}" if version else name
