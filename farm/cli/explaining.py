"""`farm graph`, `farm why-rebuild`, `farm why-not`: what hangs together, and why something is, or is not, done."""

from __future__ import annotations

from typing import TYPE_CHECKING, Annotated

import typer

from farm.cli import options
from farm.cli.options import Json
from farm.cli.render import Renderer

if TYPE_CHECKING:
    from collections.abc import Mapping, Sequence

    from farm.catalog.drawing.picture import Picture
    from farm.catalog.engine import Gathered
    from farm.catalog.outlook import Outlook
    from farm.catalog.why_not import WhyNot
    from farm.catalog.why_rebuild import Reasons
    from farm.pipeline.runtime import Runtime

__all__ = ["register"]

_SHOWN = 40
"""Of a list for people; a Java build reads hundreds of files."""

Package = Annotated[str, typer.Argument(metavar="PACKAGE", help="`python/click`, `python/click@8.1.8`.")]


def _look() -> tuple[Runtime, Gathered, dict[str, Outlook]]:
    """Return what there is, and the outlook of all of it."""
    from farm import log
    from farm.catalog.listing import gather_to_look
    from farm.catalog.outlook import look_ahead
    from farm.pipeline.runtime import Runtime

    log.configure(level="ERROR")  # what is missing is in the outlooks
    rt = Runtime(options.settings())
    gathered = gather_to_look(rt)
    return rt, gathered, look_ahead(gathered, rt.ecosystem)


def _nodes(gathered: Gathered, outlooks: Mapping[str, Outlook], references: Sequence[str]) -> list[str]:
    """Return the nodes that references mean.

    Raises:
        RecipeNotFoundError: one means nothing, or a recipe that cannot be read.
    """
    from farm.catalog.finding import find
    from farm.errors import RecipeNotFoundError

    found = []
    for reference in references:
        meant = find(gathered.graph, gathered.state.nodes, (reference,))
        nodes = meant.nodes & outlooks.keys()
        if not nodes:
            problem = gathered.graph.catalog.broken[min(meant.broken)]
            raise RecipeNotFoundError(
                f"the recipe of {reference} cannot be used: {problem.message}",
                remedy=f"See `farm why-not {reference}`.",
            )
        found += sorted(nodes)
    return found


def graph(
    references: Annotated[
        list[str] | None,
        typer.Argument(metavar="[PACKAGE]…", help="`python/click`, `python/click@8.1.8`; default: everything."),
    ] = None,
    *,
    dot: Annotated[bool, typer.Option("--dot", help="Print text for Graphviz.")] = False,
    mermaid: Annotated[bool, typer.Option("--mermaid", help="Print a Mermaid flowchart.")] = False,
    svg: Annotated[bool, typer.Option("--svg", help="Print an SVG image.")] = False,
    dependants: Annotated[
        bool, typer.Option("--dependants", help="Show what needs the packages, not what they need.")
    ] = False,
    roles: Annotated[
        str, typer.Option("--roles", metavar="ROLE,…", help="Only these: build, backend, runtime, test.")
    ] = "",
    json: Json = False,
) -> None:
    """Show what packages need, with the state of each, as a tree or as a drawing."""
    from farm.catalog.drawing.picture import ROLES, make_picture

    renderer = Renderer(json=json)
    if dot + mermaid + svg + json > 1:
        raise typer.BadParameter("one of --dot, --mermaid, --svg and --json at a time")
    wanted = [role for role in roles.split(",") if role]
    if unknown := sorted(set(wanted) - set(ROLES)):
        raise typer.BadParameter(f"{unknown[0]!r} is none of {', '.join(ROLES)}", param_hint="--roles")
    _, gathered, outlooks = _look()
    starts = None
    if references:
        from farm.errors import RecipeVanishedError

        starts = _nodes(gathered, outlooks, references)
        if gone := [name for name in starts if name not in gathered.graph.catalog.nodes]:
            raise RecipeVanishedError(f"{gone[0]} has no place in the graph: its recipe is gone, or cannot be used")
    picture = make_picture(gathered.graph, outlooks, starts, dependants=dependants, roles=wanted)
    if dot:
        from farm.catalog.drawing.dot import dot as draw
    elif mermaid:
        from farm.catalog.drawing.mermaid import mermaid as draw
    elif svg:
        from farm.catalog.drawing.svg import MOST_LINES
        from farm.catalog.drawing.svg import svg as draw

        if len(picture.lines) > MOST_LINES:
            raise typer.BadParameter(
                f"an image of {len(picture.lines)} needs is too large; name packages or --roles, or use --dot",
                param_hint="--svg",
            )
    else:
        _show_tree(renderer, picture)
        return
    renderer.line(draw(picture).rstrip("\n"))


def _show_tree(renderer: Renderer, picture: Picture) -> None:
    from farm.catalog.drawing.colours import TERMINAL
    from farm.catalog.drawing.tree import tree_lines

    for line in tree_lines(picture):
        state = (line.state.replace("-", " "), TERMINAL[line.state])
        notes = (f"  {line.notes}" if line.notes else "", "red" if line.bad else "dim")
        renderer.line(line.branch, f"{line.title}  ", state, notes)
    renderer.data(
        {
            "nodes": [
                {"id": box.id, "title": box.title, "state": box.state, "why": box.why, "seed": box.seed}
                for box in picture.boxes.values()
            ],
            "edges": [
                {"dependant": line.dependant, "dependency": line.dependency, "roles": list(line.roles)}
                for line in picture.lines
            ],
            "cycles": [
                {"members": sorted(group.members), "seeds": list(group.seeds), "buildable": not group.unseeded}
                for group in picture.groups
            ],
        }
    )


def why_rebuild(reference: Package, *, json: Json = False) -> None:
    """Show what differs from the last build of a package: what a rebuild would build it for."""
    from farm.catalog.why_rebuild import why_rebuild as reasons

    renderer = Renderer(json=json)
    _, gathered, outlooks = _look()
    found = reasons(gathered, outlooks, _nodes(gathered, outlooks, (reference,)))
    for each in found:
        _show_reasons(renderer, each)
    renderer.data([each.model_dump(mode="json") for each in found])


def _show_reasons(renderer: Renderer, reasons: Reasons) -> None:
    renderer.line((reasons.title, "bold"), f": {reasons.words}")
    _show_some(renderer, [each.words for each in reasons.differences])
    if reasons.causes and (reasons.differences or not reasons.built):
        renderer.line("  what it is built with is to be built first:")
    words = [
        f"{' → '.join(cause.way)}: {'; '.join(each.words for each in cause.differences) or cause.why}"
        for cause in reasons.causes
    ]
    _show_some(renderer, words)


def _show_some(renderer: Renderer, words: Sequence[str]) -> None:
    for text in words[:_SHOWN]:
        renderer.line(f"    {text}")
    if len(words) > _SHOWN:
        renderer.line(f"    … and {len(words) - _SHOWN} more, all of them in --json")


def why_not(reference: Package, *, json: Json = False) -> None:
    """Show why a package is not built; of one that is, which of its inputs are not farm's own, and why."""
    from farm.catalog.why_not import why_not as ask

    renderer = Renderer(json=json)
    rt, gathered, outlooks = _look()
    found = ask(gathered, outlooks, reference, rt.ecosystem)
    for each in found:
        _show_answer(renderer, each)
    renderer.data([each.model_dump(mode="json") for each in found])


def _show_answer(renderer: Renderer, answer: WhyNot) -> None:
    renderer.line((answer.title, "bold"), f": {answer.words}")
    if answer.way:
        renderer.line(f"  {' → '.join(answer.way)}")
    if answer.remedy:
        renderer.line(f"  → {answer.remedy}")
    if not answer.built_on:
        return
    renderer.line(f"  built on {answer.built_on}; {answer.rebuilt} of its build inputs are farm's own")
    if answer.foreign:
        renderer.line("  these of its inputs are not:")
    _show_some(
        renderer, [f"{each.name} {each.version} [{', '.join(each.roles)}]: {each.why}" for each in answer.foreign]
    )


def register(app: typer.Typer) -> None:
    """Add the verbs to `app`."""
    app.command()(graph)
    app.command("why-rebuild")(why_rebuild)
    app.command("why-not")(why_not)
