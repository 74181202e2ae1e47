"""`farm recipe check`."""

from __future__ import annotations

from pathlib import Path
from typing import Annotated

import typer

from farm.cli import options
from farm.cli.options import Json
from farm.cli.render import Renderer
from farm.errors import RecipeError

__all__ = ["app"]

app = typer.Typer(help="Recipes.", no_args_is_help=True)


@app.command("check")
def check(
    paths: Annotated[
        list[Path] | None,
        typer.Argument(metavar="[PATH]…", exists=True, help="Recipes or folders of them; default: the recipes folder."),
    ] = None,
    *,
    json: Json = False,
) -> None:
    """Lint recipes: file, line, what is wrong, the nearest known word. Exit code 10 when there is an error."""
    from farm.recipe import lint

    renderer = Renderer(json=json)
    settings = options.settings()
    problems = lint.check(paths or [settings.recipes], settings)
    for problem in problems:
        renderer.line(str(problem))
    errors = sum(problem.severity == "error" for problem in problems)
    renderer.line(f"{errors} errors, {len(problems) - errors} warnings")
    renderer.data([problem.model_dump(mode="json") for problem in problems])
    if errors:
        raise typer.Exit(RecipeError.exit_code)
