"""Arguments and options that several verbs share."""

from __future__ import annotations

from pathlib import Path
from typing import Annotated

import typer

__all__ = ["Force", "Json", "Reference"]

Json = Annotated[bool, typer.Option("--json", help="Print one JSON document instead of text.")]
Force = Annotated[bool, typer.Option("--force", help="Build although the result is known; equal bytes are expected.")]
Reference = Annotated[
    str,
    typer.Argument(
        metavar="RECIPE",
        help="`python/markupsafe`, `python/markupsafe@3.0.2`, or the path of a recipe.",
    ),
]
Files = Annotated[list[Path], typer.Argument(metavar="FILE…", exists=True, dir_okay=False)]
