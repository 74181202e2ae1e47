"""`farm use`: how stock tools are told to use this farm's repository."""

from __future__ import annotations

from dataclasses import asdict
from typing import Annotated

import typer

from farm.cli import options
from farm.cli.options import Json
from farm.cli.render import Renderer

__all__ = ["register"]


def use(
    tool: Annotated[
        str, typer.Argument(metavar="[TOOL]", help="pip, uv, maven or gradle: its configuration alone, for a file.")
    ] = "",
    *,
    url: Annotated[
        str, typer.Option("--url", help="Address of the repository's root; default: that of the running index service.")
    ] = "",
    json: Json = False,
) -> None:
    """Print the configuration with which pip, uv, Maven and Gradle install from this farm's repository."""
    from farm.ecosystems.repositories import layouts
    from farm.errors import ConfigError, ServiceError
    from farm.services.registry import service_url

    renderer = Renderer(json=json)
    root = url or service_url(options.settings(), "index")
    if not root:
        raise ServiceError(
            "the index service is not running, so the repository has no address",
            remedy="Start it with `farm up`, or name the address with --url.",
        )
    guides = {guide.tool: guide for layout in layouts() for guide in layout.guides(f"{root.rstrip('/')}/")}
    if tool and tool not in guides:
        raise ConfigError(
            f"farm knows no configuration for {tool!r}", remedy=f"Name one of {', '.join(sorted(guides))}."
        )
    for guide in [guides[tool]] if tool else guides.values():
        if not tool:
            renderer.line((f"# {guide.tool}: {guide.place}", "bold"))
        renderer.line(guide.text.rstrip("\n"))
        if not tool:
            renderer.line()
    shown = [asdict(guide) for name, guide in sorted(guides.items()) if tool in {"", name}]
    renderer.data(shown[0] if tool else shown)


def register(app: typer.Typer) -> None:
    """Add the verb to `app`."""
    app.command()(use)
