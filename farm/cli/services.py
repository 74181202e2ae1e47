"""`farm up`, `farm down`, `farm status`, `farm serve`."""

from __future__ import annotations

from typing import TYPE_CHECKING, Annotated

import typer

from farm.cli import options
from farm.cli.options import Json
from farm.cli.render import Renderer

if TYPE_CHECKING:
    from collections.abc import Sequence

    from farm.services.model import ServiceState

__all__ = ["register"]

Names = Annotated[
    list[str] | None,
    typer.Argument(metavar="[SERVICE]…", help="Only these: s3, signer, index, prefect, worker. Default: all."),
]


def _show(renderer: Renderer, states: Sequence[ServiceState]) -> None:
    renderer.table(
        ("service", "state", "pid", "address", "log"),
        [
            (s.name, "healthy" if s.healthy else s.condition, str(s.pid or "-"), s.url or "-", str(s.log))
            for s in states
        ],
    )
    for state in states:
        if state.detail:
            renderer.line(f"{state.name}: {state.detail}")
    renderer.data([{**s.model_dump(mode="json"), "healthy": s.healthy} for s in states])


def up(names: Names = None, *, json: Json = False) -> None:
    """Start the embedded services: object store, signer, index, Prefect server and worker. Running ones are kept."""
    from farm import services

    renderer = Renderer(json=json)
    states = services.up(options.settings(), names or None, progress=lambda text: renderer.note((text, "dim")))
    _show(renderer, states)


def down(names: Names = None, *, json: Json = False) -> None:
    """Stop the embedded services. Data stays."""
    from farm import services

    renderer = Renderer(json=json)
    _show(renderer, services.down(options.settings(), names or None))


def status(*, json: Json = False) -> None:
    """Show the services, their addresses (the Prefect UI among them) and logs. Exit code 93 when one is not healthy."""
    from farm import services
    from farm.errors import ServiceError

    renderer = Renderer(json=json)
    states = services.status(options.settings())
    _show(renderer, states)
    if not all(s.healthy for s in states):
        raise typer.Exit(ServiceError.exit_code)


def serve(*, port: Annotated[int, typer.Option(help="Port on loopback; 0 = a free one.")] = 0) -> None:
    """Serve the repository in the foreground (`farm up` does it in the background)."""
    from farm.services import index_server

    index_server.serve(options.settings(), port=port)


def register(app: typer.Typer) -> None:
    """Add the verbs to `app`."""
    for verb in (up, down, status, serve):
        app.command()(verb)
