"""Arguments and options that several verbs share."""

from __future__ import annotations

from pathlib import Path
from typing import TYPE_CHECKING, Annotated

import typer

if TYPE_CHECKING:
    from farm.config import Settings

__all__ = ["Files", "Force", "Image", "Json", "Reference", "settings"]


def settings() -> Settings:
    """Read the settings, when a verb runs: reading them imports more than `farm --help` may cost."""
    from farm.config import load_settings

    return load_settings()


Json = Annotated[bool, typer.Option("--json", help="Print one JSON document instead of text.")]
Force = Annotated[bool, typer.Option("--force", help="Build although the result is known; equal bytes are expected.")]
Image = Annotated[
    str,
    typer.Option("--image", metavar="NAME", help="One of the images that the recipe names; default: the first."),
]
Reference = Annotated[
    str,
    typer.Argument(
        metavar="RECIPE",
        help="`python/markupsafe`, `python/markupsafe@3.0.2`, or the path of a recipe.",
    ),
]
Files = Annotated[list[Path] | None, typer.Argument(metavar="FILE…")]
"""Not checked here: a file that is missing is a verdict like any other, and the rest is looked at all the same."""
