"""`farm catalog rebuild`: through the Prefect server and its worker, or in this process."""

from __future__ import annotations

import os
import uuid
from typing import TYPE_CHECKING, Annotated, Literal

import typer

from farm.cli import options
from farm.cli.options import Force, Json
from farm.cli.render import Renderer
from farm.cli.runs import finish

if TYPE_CHECKING:
    from farm.catalog.night import NightOptions
    from farm.config import Settings

__all__ = ["rebuild"]


def rebuild(
    *,
    only: Annotated[
        list[str] | None,
        typer.Option("--only", metavar="RECIPE", help="This one with everything that it needs; may be repeated."),
    ] = None,
    keep_going: Annotated[
        bool,
        typer.Option("--keep-going/--fail-fast", help="Let a failure block its dependants only, or start nothing new."),
    ] = True,
    inputs: Annotated[
        Literal["rebuilt-first", "rebuilt-only", "locked"] | None,
        typer.Option("--inputs", help="What builds take of what the catalog rebuilds; default: the settings."),
    ] = None,
    retry_failed: Annotated[
        bool, typer.Option("--retry-failed", help="Repeat also what is remembered as failing.")
    ] = False,
    force: Force = False,
    nightly: Annotated[
        bool,
        typer.Option("--nightly", help="Also rebuild a share of what is unchanged from nothing, and look upstream."),
    ] = False,
    wait: Annotated[bool, typer.Option("--wait", help="Follow the log; end with the rebuild's exit code.")] = False,
    here: Annotated[
        bool, typer.Option("--here", help="Rebuild in this process, without the Prefect server and its worker.")
    ] = False,
    jobs: Annotated[
        int | None,
        typer.Option("--jobs", min=1, help="With --here: packages side by side; default: one for each CPU."),
    ] = None,
    json: Json = False,
) -> None:
    """Rebuild what changed, in the order of needs. A rebuild at work that was asked for the same is joined."""
    from farm.catalog.night import NightOptions

    renderer = Renderer(json=json)
    settings = options.settings()
    wanted = NightOptions(
        only=tuple(only or ()),
        keep_going=keep_going,
        inputs=inputs or "",
        retry_failed=retry_failed,
        force=force,
        reverify=nightly,
        watch=nightly,
    )
    if here:
        _here(renderer, settings, wanted, jobs or os.cpu_count() or 1)
        return
    from farm.flows import client, rebuilds

    submitted = rebuilds.submit_rebuild(settings, wanted)
    run = submitted.run
    renderer.line("joined run " if submitted.joined else "run ", (run.name, "bold"), f" {run.id}")
    renderer.line(f"  {run.url}")
    if not wait:
        renderer.data({**run.model_dump(mode="json"), "joined": submitted.joined})
        return
    finish(renderer, run, client.follow(settings, run.id, on_log=renderer.line))


def _here(renderer: Renderer, settings: Settings, wanted: NightOptions, jobs: int) -> None:
    from farm import log
    from farm.catalog.rebuild import run_night
    from farm.catalog.threads import ThreadExecutor
    from farm.cli.progress import Watched
    from farm.pipeline.runtime import Runtime

    log.configure(level="WARNING")
    with renderer.board() as board, ThreadExecutor(jobs) as threads:
        report = run_night(Runtime(settings), wanted, Watched(threads, board), run_id=str(uuid.uuid4()))
    renderer.data(report.model_dump(mode="json"))
    renderer.line((report.summary, "bold red" if report.ended_with else "bold green"))
    if report.path:
        renderer.line(f"  {report.path}")
    if report.ended_with:
        raise typer.Exit(report.ended_with)
