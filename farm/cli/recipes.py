"""`farm recipe check`, `farm recipe bump`."""

from __future__ import annotations

from pathlib import Path
from typing import Annotated

import typer

from farm.cli import options
from farm.cli.options import Json, Reference
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


@app.command("bump")
def bump(
    reference: Reference,
    version: Annotated[
        str, typer.Argument(metavar="[VERSION]", help="Default: the newest release that is old enough.")
    ] = "",
    *,
    dry_run: Annotated[bool, typer.Option("--dry-run", help="Decide, fetch and check; write nothing.")] = False,
    allow_young: Annotated[
        bool, typer.Option("--allow-young", help="Take a release that is younger than `policy.cooldown_days`, too.")
    ] = False,
    json: Json = False,
) -> None:
    """Add a version to a recipe, with its pin: SHA-256 of the archive, or commit of the tag, as upstream has it now."""
    from datetime import UTC, datetime

    from farm import log
    from farm.catalog.bump import bump as add
    from farm.pipeline.runtime import Runtime

    renderer = Renderer(json=json)
    log.configure(level="WARNING")
    runtime = Runtime(options.settings())
    with log.about(reference), renderer.step("bump") as line:
        found = add(runtime, reference, version, datetime.now(UTC), allow_young=allow_young, dry_run=dry_run)
        line.text = f"{found.package} {found.version}"
    if found.state == "current":
        renderer.line(f"{found.package} is current: upstream has nothing newer than {found.version}")
    else:
        renderer.line(f"{'pinned' if found.state == 'pinned' else 'would pin'} {found.package} {found.version}")
        renderer.line(f"  {found.kind} {found.pin}")
        renderer.line(f"  released {found.released or 'nobody says when'}")
        for note in found.notes:
            renderer.line(f"  note: {note}")
        renderer.line(f"  in {found.recipe}; review what changed upstream, then:")
        for command in found.next:
            renderer.line(f"    {command}")
    renderer.data(found.model_dump(mode="json"))
