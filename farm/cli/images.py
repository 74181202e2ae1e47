"""`farm images build`, `farm images list`."""

from __future__ import annotations

from typing import Annotated

import typer

from farm.cli import options
from farm.cli.options import Force, Json
from farm.cli.render import Renderer

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
    from farm.ecosystems.python.indexconf import index_for_pip
    from farm.image.builder import ensure_image
    from farm.image.definition import image_names

    renderer = Renderer(json=json)
    settings = options.settings()
    index = index_for_pip(settings.python_index)
    reports = []
    for name in names or image_names(settings.images):
        with renderer.step(name) as line:
            image, made = ensure_image(
                settings, name, force=force, index=index, progress=lambda text: renderer.note((text, "dim"))
            )
            line.text = f"{'made' if made else 'reused'}, digest {image.digest}"
        reports.append({**image.model_dump(mode="json"), "made": made})
    renderer.data(reports)


@app.command("list")
def list_images(*, json: Json = False) -> None:
    """Show the builder images of this host with their identities."""
    from farm.errors import ImageMissingError
    from farm.image.builder import find_image
    from farm.image.definition import image_names

    renderer = Renderer(json=json)
    settings = options.settings()
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
