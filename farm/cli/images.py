"""`farm images build`, `farm images list`."""

from __future__ import annotations

from typing import Annotated

import typer

from farm.cli.options import Force, Json
from farm.cli.render import Renderer
from farm.config import load_settings

__all__ = ["app"]

app = typer.Typer(help="Builder images.", no_args_is_help=True)


@app.command("build")
def build_images(
    names: Annotated[
        list[str] | None, typer.Argument(metavar="[NAME]…", help="Folders under images/; default: all.")
    ] = None,
    *,
    force: Force = False,
    json: Json = False,
) -> None:
    """Make the builder images from their definitions. An unchanged definition is not built again."""
    from farm.image.builder import ensure_image  # noqa: PLC0415 - the Docker SDK is imported with it
    from farm.image.definition import image_names  # noqa: PLC0415 - the same

    renderer = Renderer(json=json)
    settings = load_settings()
    made = []
    for name in names or image_names(settings.images):
        with renderer.step(name) as line:
            identity = ensure_image(settings, name, force=force, progress=lambda text: renderer.note(f"[dim]{text}[/]"))
            line.text = f"digest {identity.digest}"
        made.append(identity)
    renderer.data([identity.model_dump(mode="json") for identity in made])


@app.command("list")
def list_images(*, json: Json = False) -> None:
    """Show the builder images of this host with their identities."""
    from farm.errors import ImageMissingError  # noqa: PLC0415 - caught here only
    from farm.image.builder import find_image  # noqa: PLC0415 - the Docker SDK is imported with it
    from farm.image.definition import image_names  # noqa: PLC0415 - the same

    renderer = Renderer(json=json)
    settings = load_settings()
    rows, found = [], []
    for name in image_names(settings.images):
        try:
            identity = find_image(settings, name)
        except ImageMissingError:
            rows.append((name, "-", "not built"))
            continue
        rows.append((name, identity.interpreter, identity.digest))
        found.append(identity)
    renderer.table(("image", "interpreter", "digest"), rows)
    renderer.data([identity.model_dump(mode="json") for identity in found])
