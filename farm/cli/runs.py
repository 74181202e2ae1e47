"""`farm submit`, `farm logs`: builds through the Prefect server and its worker."""

from __future__ import annotations

from typing import TYPE_CHECKING, Annotated

import typer

from farm.cli import options
from farm.cli.options import Force, Image, Json, Reference
from farm.cli.render import Renderer

if TYPE_CHECKING:
    from farm.flows.client import RunInfo, RunOutcome

__all__ = ["finish", "register"]

submit_app = typer.Typer(help="Submit work to the farm as a Prefect flow run.", no_args_is_help=True)


@submit_app.command("recipe")
def submit_recipe(
    reference: Reference,
    *,
    wait: Annotated[bool, typer.Option("--wait", help="Follow the log; end with the exit code of the build.")] = False,
    force: Force = False,
    image: Image = "",
    json: Json = False,
) -> None:
    """Submit the build of one recipe version; prints the run and its address in the Prefect UI."""
    from farm.flows import client

    renderer = Renderer(json=json)
    settings = options.settings()
    run = client.submit(settings, reference, force=force, image=image)
    renderer.line("run ", (run.name, "bold"), f" {run.id}")
    renderer.line(f"  {run.url}")
    if not wait:
        renderer.data(run.model_dump(mode="json"))
        return
    outcome = client.follow(settings, run.id, on_log=renderer.line)
    finish(renderer, run, outcome)


def finish(renderer: Renderer, run: RunInfo, outcome: RunOutcome) -> None:
    """Show how a run ended; end with its exit code."""
    renderer.data({"run": run.model_dump(mode="json"), "outcome": outcome.model_dump(mode="json")})
    colour = "green" if outcome.exit_code == 0 else "red"
    renderer.line((f"{run.name}: {outcome.state}", f"bold {colour}"))
    if outcome.exit_code:
        renderer.line(outcome.message)
        raise typer.Exit(outcome.exit_code)


def logs(
    run: Annotated[str, typer.Argument(metavar="RUN", help="Id or name of a flow run.")],
    *,
    follow: Annotated[bool, typer.Option("--follow", help="Go on until the run ends.")] = False,
    json: Json = False,
) -> None:
    """Print the log of a flow run."""
    from farm.flows import client

    renderer = Renderer(json=json)
    settings = options.settings()
    if follow:
        info = client.find_run(settings, run)
        finish(renderer, info, client.follow(settings, info.id, on_log=renderer.line))
        return
    entries = client.logs(settings, run)
    for entry in entries:
        renderer.line(entry.text)
    renderer.data([entry.model_dump(mode="json") for entry in entries])


def register(app: typer.Typer) -> None:
    """Add the verbs to `app`."""
    app.add_typer(submit_app, name="submit")
    app.command()(logs)
