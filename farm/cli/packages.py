"""`farm build`, `farm lock`: the steps in this process, without a Prefect server."""

from __future__ import annotations

import uuid
from typing import TYPE_CHECKING, Annotated, Any, TypeVar

import typer

from farm.cli import options
from farm.cli.options import Force, Image, Json, Reference
from farm.cli.render import Renderer

if TYPE_CHECKING:
    from collections.abc import Callable

    from farm.model.build import TestReport
    from farm.model.outcome import Outcome
    from farm.pipeline.locking import LockChange

__all__ = ["register", "show_outcome"]

T = TypeVar("T")

_SHOWN = 40
"""Files of a changed lock that are listed for people; a Java lock holds hundreds."""


def show_outcome(renderer: Renderer, outcome: Outcome) -> None:
    """Print what a build came to."""
    word = "up to date" if outcome.reused else "published" if outcome.written else "has the bytes published before"
    renderer.line((f"{outcome.package} {word}", "bold green"))
    for file in outcome.files:
        renderer.line(f"  {file.filename}")
        renderer.line(f"    sha256 {file.blob.sha256}")
    renderer.line(f"  source {outcome.source_uri} ({outcome.source_strength})")
    renderer.line(f"  {len(outcome.inputs)} locked inputs, tests {_tests(outcome.test)}, SLSA Build L{outcome.level}")
    renderer.data(outcome.model_dump(mode="json"))


def _tests(report: TestReport) -> str:
    if report.counts is None or report.reason:
        return report.result
    return f"{report.result} ({report.counts.run} run, {report.counts.skipped} skipped)"


def build(reference: Reference, *, force: Force = False, image: Image = "", json: Json = False) -> None:
    """Build a package in this process: every step of a submitted build, without a server. For writing recipes."""
    from farm import log
    from farm.pipeline import build_package, describe
    from farm.pipeline.identity import RunIdentity
    from farm.pipeline.runtime import Runtime

    renderer = Renderer(json=json)
    log.configure(level="WARNING")
    runtime = Runtime(options.settings())

    def call(name: str, step: Callable[..., T], /, *values: Any) -> T:
        with renderer.step(name) as line:
            result = step(runtime, *values)
            line.text = describe(name, result)
        return result

    with log.about(reference):
        run = RunIdentity.new(str(uuid.uuid4()))
        outcome = build_package(reference, run=run, call=call, force=force, image=image)
    show_outcome(renderer, outcome)


def lock(
    reference: Reference,
    *,
    check: Annotated[bool, typer.Option("--check", help="Resolve, report differences, write nothing.")] = False,
    image: Annotated[
        str, typer.Option("--image", metavar="NAME", help="One of the images that the recipe names; default: all.")
    ] = "",
    json: Json = False,
) -> None:
    """Write (or rewrite) the locks of a recipe version: every file its build may read, with its digest and origin."""
    from farm import log
    from farm.pipeline import locking
    from farm.pipeline.runtime import Runtime

    renderer = Renderer(json=json)
    log.configure(level="WARNING")
    runtime = Runtime(options.settings())
    changes = []
    images = locking.lock_images(runtime, reference, image)
    for name in images:
        with log.about(reference), renderer.step("lock" if len(images) == 1 else f"lock {name}") as line:
            change = locking.write_recipe_lock(runtime, reference, image=name, check=check, tell=line.tell)
            line.text = f"{change.files} files"
        _show_change(renderer, change, check=check)
        changes.append(change)
    found = [change.model_dump(mode="json") for change in changes]
    if check and (stale := [change for change in changes if not change.same]):
        from farm.errors import LockStaleError

        # `--json` prints one document: here it is the error, with the changes in it.
        details = found[0] if len(found) == 1 else {"locks": found}
        raise LockStaleError(f"the lock of {stale[0].package} is not what would be resolved now", details=details)
    renderer.data(found[0] if len(found) == 1 else found)


def _show_change(renderer: Renderer, change: LockChange, *, check: bool) -> None:
    renderer.line(f"{'would write' if check else 'wrote'} {change.path}")
    for sign, names in (("+", change.added), ("-", change.removed)):
        for name in names[:_SHOWN]:
            renderer.line(f"  {sign} {name}")
        if len(names) > _SHOWN:
            renderer.line(f"  {sign} … and {len(names) - _SHOWN} more, all of them in --json")


def register(app: typer.Typer) -> None:
    """Add the verbs to `app`."""
    app.command()(build)
    app.command()(lock)
