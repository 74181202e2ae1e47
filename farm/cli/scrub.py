"""`farm scrub`: read every stored byte again."""

from __future__ import annotations

from typing import TYPE_CHECKING, Annotated

import typer

from farm.cli import options
from farm.cli.options import Json
from farm.cli.render import Renderer

if TYPE_CHECKING:
    from farm.model.scrub import StoreReport

__all__ = ["register"]

_SHOWN = 40
"""Objects of a kind that are listed for people."""


def scrub(
    *,
    vault: Annotated[bool, typer.Option("--vault", help="Only the vault.")] = False,
    repository: Annotated[bool, typer.Option("--repository", help="Only what is published.")] = False,
    json: Json = False,
) -> None:
    """Read every stored byte again: heal what has a source (repository, vault, index, source), report the rest."""
    from farm import log
    from farm.errors import StoredBytesLostError
    from farm.pipeline.runtime import Runtime
    from farm.pipeline.scrub import scrub as run

    renderer = Renderer(json=json)
    log.configure(level="ERROR")
    every = vault == repository
    with renderer.step("scrub") as line:
        report = run(Runtime(options.settings()), vault=vault or every, repository=repository or every, tell=line.tell)
        lost = len(report.lost)
        line.text = f"{lost} objects are lost" if lost else "everything is as it was written"
    for name, part in (("vault", report.vault), ("repository", report.repository)):
        if part is not None:
            _show(renderer, name, part)
    found = report.model_dump(mode="json")
    if lost:
        # `--json` prints one document: here it is the error, with the report in it.
        named = ", ".join(item.key for item in report.lost[:3])
        raise StoredBytesLostError(f"{lost} stored objects cannot be healed: {named}", details=found)
    renderer.data(found)


def _show(renderer: Renderer, name: str, report: StoreReport) -> None:
    size = f"{report.size / 1024 / 1024:.1f} MiB"
    renderer.line((name, "bold"), f": {report.objects} objects, {size} read, {report.records} records")
    if report.orphans.count:
        orphans = f"{report.orphans.count} objects, {report.orphans.size / 1024 / 1024:.1f} MiB"
        renderer.line(f"  named by nothing: {orphans}")
    for item in report.healed[:_SHOWN]:
        renderer.line("  ", ("healed", "green"), f" {item.key}")
        renderer.line(f"         from {item.source}")
    for loss in report.lost[:_SHOWN]:
        renderer.line("  ", ("lost", "bold red"), f"   {loss.key}")
        renderer.line(f"         {loss.reason}")
    for kind, count in (("healed", len(report.healed)), ("lost", len(report.lost))):
        if count > _SHOWN:
            renderer.line(f"  … and {count - _SHOWN} more {kind}, all of them in --json")


def register(app: typer.Typer) -> None:
    """Add the verb to `app`."""
    app.command()(scrub)
