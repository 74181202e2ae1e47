"""The `farm` command: the tree of verbs, the way errors become exit codes."""

from __future__ import annotations

import sys
from typing import TYPE_CHECKING, Annotated

import typer

from farm import __version__
from farm.cli import (
    catalog,
    explaining,
    images,
    listing,
    packages,
    recipes,
    runs,
    schedule,
    scrub,
    services,
    using,
    verifying,
)
from farm.cli.render import Renderer
from farm.errors import FarmError

if TYPE_CHECKING:
    from collections.abc import Sequence

__all__ = ["app", "main"]

_INTERRUPTED = 130
"""Exit code after Ctrl-C, as shells have it (128 + SIGINT)."""

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
        Renderer().line(f"farm {__version__}")
        raise typer.Exit


@app.callback()
def _root(
    *,
    version: Annotated[
        bool, typer.Option("--version", callback=_version, is_eager=True, help="Print the version and end.")
    ] = False,
) -> None:
    del version


for group in (services, packages, runs, explaining, verifying, using, scrub):
    group.register(app)
listing.register(catalog.app)
app.add_typer(recipes.app, name="recipe")
app.add_typer(images.app, name="images")
app.add_typer(catalog.app, name="catalog")
app.add_typer(schedule.app, name="schedule")


def main(arguments: Sequence[str] | None = None) -> None:
    """Run the command line and leave the process with the exit code of the error's class (0 when there is none).

    A defect leaves with 1 and Python's trace on stderr; with `--json`, stdout still has an object for it.
    """
    arguments = list(sys.argv[1:] if arguments is None else arguments)
    renderer = Renderer(json="--json" in arguments)
    try:
        app(args=arguments, prog_name="farm", standalone_mode=True)
    except FarmError as error:
        renderer.error(error)
        sys.exit(error.exit_code)
    except SystemExit as end:
        if end.code == _INTERRUPTED:
            renderer.note("interrupted")  # Typer ends without a word
        raise
    finally:
        defect = sys.exception()
        if isinstance(defect, Exception):  # SystemExit is none
            renderer.data(FarmError(f"{type(defect).__name__}: {defect}").as_json())
