"""`farm catalog`: all recipes together."""

from __future__ import annotations

from typing import TYPE_CHECKING, Annotated

import typer

from farm.cli import options
from farm.cli.listing import ListGroup
from farm.cli.options import Json
from farm.cli.rebuilding import rebuild
from farm.cli.render import Renderer

if TYPE_CHECKING:
    from farm.catalog.outdated import Standing

__all__ = ["app"]

app = typer.Typer(help="All recipes together. Without a command: `farm catalog list`.", cls=ListGroup)


app.command("rebuild")(rebuild)


@app.command("outdated")
def outdated(
    references: Annotated[
        list[str] | None,
        typer.Argument(metavar="[RECIPE]…", help="`python/click`, or the path of a recipe; default: all recipes."),
    ] = None,
    *,
    everything: Annotated[
        bool, typer.Option("--all", help="Show what is current and what nobody can be asked about, too.")
    ] = False,
    json: Json = False,
) -> None:
    """Show the newest releases upstream: what can be pinned, and what is younger than `policy.cooldown_days`."""
    from datetime import UTC, datetime

    from farm import log
    from farm.catalog.outdated import outdated as compare
    from farm.pipeline.runtime import Runtime

    renderer = Renderer(json=json)
    log.configure(level="WARNING")
    found = compare(Runtime(options.settings()), references or [], datetime.now(UTC))
    shown = [s for s in found if everything or references or s.state not in {"current", "not-asked"}]
    if shown:
        rows = [(s.package, s.pinned or "-", s.newest or "-", s.released[:10] or "-", _state(s)) for s in shown]
        renderer.table(("package", "pinned", "newest", "released", "state"), rows)
    left = len(found) - len(shown)
    if left:
        renderer.line(f"{left} more are current or not looked at; --all shows them")
    renderer.data([s.model_dump(mode="json") for s in found])


def _state(standing: Standing) -> str:
    word = {"current": "current", "outdated": "can be pinned"}.get(standing.state, "")
    return "; ".join(filter(None, (word, standing.reason)))
