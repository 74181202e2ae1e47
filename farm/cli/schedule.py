"""`farm schedule`: when the nightly rebuild of the catalog begins."""

from __future__ import annotations

from typing import TYPE_CHECKING, Annotated

import typer

from farm.cli import options
from farm.cli.options import Json
from farm.cli.render import Renderer

if TYPE_CHECKING:
    from farm.flows.schedules import ScheduleState

__all__ = ["app"]

app = typer.Typer(help="The schedule of the nightly rebuild, which the Prefect server keeps.", no_args_is_help=True)


def _show(renderer: Renderer, state: ScheduleState) -> None:
    renderer.data(state.model_dump(mode="json"))
    if not state.cron:
        renderer.line('no schedule; make one with farm schedule set "0 2 * * *"')
        renderer.line(f"  {state.url}")
        return
    origin = "as the settings say" if state.from_settings else "as it was set"
    paused = (", paused", "bold yellow") if state.paused else ""
    renderer.line((state.cron, "bold"), f" {state.timezone}, {origin}", paused)
    for time in state.next:
        renderer.line(f"  {time}")
    renderer.line(f"  {state.url}")


@app.command("show")
def show(*, json: Json = False) -> None:
    """Show the schedule, its next three times and whether it is paused."""
    from farm.flows import schedules

    _show(Renderer(json=json), schedules.show(options.settings()))


@app.command("set")
def set_(
    cron: Annotated[
        str,
        typer.Argument(metavar="CRON", help='Minute, hour, day of month, month, day of week: `"0 2 * * *"`.'),
    ],
    *,
    timezone: Annotated[
        str, typer.Option("--timezone", metavar="TZ", help="IANA name; default: as it is, at first the setting's.")
    ] = "",
    json: Json = False,
) -> None:
    """Set the schedule. It holds from now on, whatever the settings say; a paused one stays paused."""
    from farm.flows import schedules

    _show(Renderer(json=json), schedules.set_schedule(options.settings(), cron, timezone))


@app.command("pause")
def pause(*, json: Json = False) -> None:
    """Start no rebuild by schedule until `farm schedule resume`."""
    from farm.flows import schedules

    _show(Renderer(json=json), schedules.pause(options.settings()))


@app.command("resume")
def resume(*, json: Json = False) -> None:
    """Start rebuilds by schedule again."""
    from farm.flows import schedules

    _show(Renderer(json=json), schedules.resume(options.settings()))
