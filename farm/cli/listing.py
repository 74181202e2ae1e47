"""`farm catalog list`, `farm catalog forget`: what is in the catalog, and what is to be no more."""

from __future__ import annotations

from enum import StrEnum
from typing import TYPE_CHECKING, Annotated, Any

import typer
from typer.core import TyperGroup

from farm.cli import options
from farm.cli.options import Json
from farm.cli.render import Renderer

if TYPE_CHECKING:
    from farm.catalog.listing import Row

__all__ = ["ListGroup", "register"]


class State(StrEnum):
    """As `farm.catalog.outlook.State`, which is not imported for `farm --help`."""

    CURRENT = "current"
    CHANGED = "changed"
    NOT_BUILT = "not-built"
    FAILED = "failed"
    BLOCKED = "blocked"
    INVALID = "invalid"
    VANISHED = "vanished"


class ListGroup(TyperGroup):
    """`farm catalog`, `farm catalog python/click`, `farm catalog --json`: the list, without its name."""

    def parse_args(self, ctx: Any, args: list[str]) -> list[str]:
        """Put the name of the list before what can only be meant for it."""
        first = args[0] if args else ""
        asks = first.startswith("-") or "/" in first or not first
        if asks and "--help" not in args and not self.commands.keys() & set(args):
            args = ["list", *args]
        return super().parse_args(ctx, args)


def list_catalog(
    references: Annotated[
        list[str] | None,
        typer.Argument(metavar="[RECIPE]…", help="`python/click`, `python/click@8.1.8`; default: everything."),
    ] = None,
    *,
    state: Annotated[
        list[State] | None, typer.Option("--state", help="Only what is in this state; may be repeated.")
    ] = None,
    json: Json = False,
) -> None:
    """Show every package version with its state, its rebuilt share, its last verdict, and why it is not built."""
    from farm import log
    from farm.catalog.finding import find
    from farm.catalog.listing import gather_to_look, plan, totals
    from farm.pipeline.runtime import Runtime

    renderer = Renderer(json=json)
    log.configure(level="ERROR")  # what is missing is said in the rows
    rt = Runtime(options.settings())
    gathered = gather_to_look(rt)
    meant = find(gathered.graph, gathered.state.nodes, references or ())
    shown = [
        row
        for row in plan(gathered, rt.ecosystem)
        if (not references or row.id in meant.nodes | meant.broken) and (not state or row.state in state)
    ]
    if shown:
        renderer.table(("package", "state", "rebuilt", "last verdict", ""), [_cells(row) for row in shown])
    found = totals(shown)
    renderer.line((str(found), "bold"))
    renderer.data({"nodes": [row.model_dump(mode="json") for row in shown], "totals": found.model_dump(mode="json")})


def _cells(row: Row) -> tuple[str, ...]:
    share = str(row.rebuilt) if row.files else "-"
    verdict = f"{row.verdict} {row.on[:10]}" if row.verdict else "-"
    return row.title, row.state.replace("-", " "), share, verdict, row.why or ", ".join(row.numbered)


def forget(
    reference: Annotated[str, typer.Argument(metavar="PACKAGE", help="`python/click`, or one version of it.")],
    *,
    json: Json = False,
) -> None:
    """Forget the results of a package whose recipe is gone on purpose. What is published stays published."""
    from farm import log
    from farm.catalog import rebuild
    from farm.pipeline.runtime import Runtime

    renderer = Renderer(json=json)
    log.configure(level="WARNING")
    found = rebuild.forget(Runtime(options.settings()), reference)
    for name in found:
        renderer.line(f"forgot {name}")
    renderer.data(list(found))


def register(app: typer.Typer) -> None:
    """Add the verbs to `app`."""
    app.command("list")(list_catalog)
    app.command("forget")(forget)
