"""The `farm` command: the tree of verbs, the way errors become exit codes."""

from __future__ import annotations

import sys
from typing import TYPE_CHECKING, Annotated

import typer

from farm import __version__
from farm.cli import images, packages, recipes, runs, services, verifying
from farm.cli.render import Renderer
from farm.errors import FarmError

if TYPE_CHECKING:
    from collections.abc import Sequence

__all__ = ["app", "main"]

app = typer.Typer(
    name="farm",
    help="Rebuild packages from pinned source, where no attacker can reach, and prove it.",
    no_args_is_help=True,
    add_completion=False,
    pretty_exceptions_enable=False,
    rich_markup_mode="markdown",
)


def _version(show: bool) -> None:  # noqa: FBT001 - Typer passes the flag's value by position
    if show:
        Renderer().plain(f"farm {__version__}")
        raise typer.Exit


@app.callback()
def _root(
    *,
    version: Annotated[
        bool, typer.Option("--version", callback=_version, is_eager=True, help="Print the version and end.")
    ] = False,
) -> None:
    del version


for group in (services, packages, runs, verifying):
    group.register(app)
app.add_typer(recipes.app, name="recipe")
app.add_typer(images.app, name="images")


def main(arguments: Sequence[str] | None = None) -> None:
    """Run the command line and leave the process with the exit code of the error's class (0 when there is none)."""
    arguments = list(sys.argv[1:] if arguments is None else arguments)
    try:
        app(args=arguments, prog_name="farm", standalone_mode=True)
    except FarmError as error:
        Renderer(json="--json" in arguments).error(error)
        sys.exit(error.exit_code)
