"""How files and their places in a repository may be spelled: a name, a path, nothing that leaves a folder."""

from __future__ import annotations

from typing import Annotated

from pydantic import StringConstraints

__all__ = ["Filename", "RepositoryPath"]

Filename = Annotated[str, StringConstraints(pattern=r"^[A-Za-z0-9][A-Za-z0-9_.+!-]*$", max_length=255)]
RepositoryPath = Annotated[
    str,
    StringConstraints(pattern=r"^([A-Za-z0-9_][A-Za-z0-9_.+-]*(/[A-Za-z0-9_][A-Za-z0-9_.+-]*)*)?$", max_length=1000),
]
"""Empty where the place follows from the name."""
