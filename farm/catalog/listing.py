"""`farm catalog`: what there is, and what a rebuild would do with it."""

from __future__ import annotations

from collections import Counter
from typing import TYPE_CHECKING, Literal

from farm.catalog.board import Capacity
from farm.catalog.engine import Gathered
from farm.catalog.graph import make_graph
from farm.catalog.load import load_catalog
from farm.catalog.outlook import STATES, State, look_ahead
from farm.catalog.rebuild import image_digests
from farm.catalog.state import NodeState, load_state
from farm.catalog.titles import package_of, target_of, titles
from farm.errors import DockerUnavailableError
from farm.model.base import Value
from farm.model.catalog import RebuiltShare

if TYPE_CHECKING:
    from collections.abc import Callable, Iterable, Mapping

    from farm.catalog.outlook import Outlook
    from farm.ecosystems.base import Ecosystem
    from farm.pipeline.runtime import Runtime

__all__ = ["Row", "Totals", "Verdict", "gather_to_look", "plan", "rows", "totals"]

Verdict = Literal["", "made", "reproduced", "drifted"]


class Row(Value):
    """One node, or a recipe of which no node can be made."""

    id: str
    """`python/click@8.1.8:cp311-linux-amd64`; the folder of a recipe that cannot be read."""
    title: str
    """The package version, and the target where there are several."""
    package: str
    """`python/click@8.1.8`."""
    target: str = ""
    state: State
    why: str = ""
    """In a few words; empty where there is nothing to say."""
    files: tuple[str, ...] = ()
    """Names of what was published last."""
    numbered: tuple[str, ...] = ()
    """Those of them that have a build number."""
    rebuilt: RebuiltShare = RebuiltShare(own=0, total=0)
    """How many of the files that its build read are farm's own."""
    verdict: Verdict = ""
    """What came of the last build from nothing; `made` where the result was not compared since."""
    on: str = ""
    """When that was; RFC 3339."""
    seeds: tuple[str, ...] = ()
    """Files of upstream's that the first stage of its cycle was built with."""


class Totals(Value):
    """Over several rows."""

    states: dict[State, int]
    rebuilt: RebuiltShare

    def __str__(self) -> str:
        counts = [f"{count} {state.replace('-', ' ')}" for state, count in self.states.items() if count]
        words = ", ".join(counts) or "no recipes"
        if not self.rebuilt.total:
            return words
        percent = 100 * self.rebuilt.own // self.rebuilt.total  # 100 % is said of nothing less
        return f"{words}; {self.rebuilt} build inputs are farm's own ({percent} %)"


def gather_to_look(rt: Runtime) -> Gathered:
    """Read what is needed to look at the catalog: the state in one request, recipes, locks, images.

    Without a Docker Engine all images count as missing.

    Raises:
        StoreUnavailableError.
    """
    state = load_state(rt.vault)
    graph = make_graph(load_catalog(rt.settings))
    try:
        images = image_digests(rt, {node.image for node in graph.catalog.nodes.values()})
    except DockerUnavailableError:
        images = {}
    return Gathered(
        graph=graph,
        state=state,
        selected=frozenset(graph.catalog.nodes),
        images=images,
        policy=rt.settings.policy.inputs,
        capacity=Capacity(0.0, 0),  # nothing is run
    )


def plan(gathered: Gathered, ecosystem: Callable[[str], Ecosystem]) -> tuple[Row, ...]:
    """Return a row for each selected node, for what vanished, and for recipes that cannot be read, sorted.

    Args:
        gathered: what a run would start from.
        ecosystem: gives the ecosystem by its name.
    """
    return rows(gathered, look_ahead(gathered, ecosystem))


def rows(gathered: Gathered, outlooks: Mapping[str, Outlook]) -> tuple[Row, ...]:
    """Return a row for each outlook, and for recipes that cannot be read, sorted."""
    named = titles(outlooks)
    found = [_row(name, named[name], outlook, gathered.state.nodes.get(name)) for name, outlook in outlooks.items()]
    found += [
        Row(id=folder, title=folder, package=folder, state="invalid", why=problem.message)
        for folder, problem in gathered.graph.catalog.broken.items()
    ]
    return tuple(sorted(found, key=lambda row: row.id))


def _row(name: str, title: str, outlook: Outlook, known: NodeState | None) -> Row:
    known = known or NodeState()
    verdict: Verdict = known.verdict or ("made" if known.build_key else "")
    return Row(
        id=name,
        title=title,
        package=package_of(name),
        target=target_of(name),
        state=outlook.state,
        why=outlook.why,
        files=tuple(file.filename for file in known.files),
        numbered=tuple(file.filename for file in known.files if file.unnumbered is not None),
        rebuilt=known.share,
        verdict=verdict,
        on=(known.verified_on or known.built_on) if known.verdict else known.built_on,
        seeds=known.seeds,
    )


def totals(found: Iterable[Row]) -> Totals:
    """Count the rows by state, and their inputs."""
    listed = tuple(found)
    counts = Counter(row.state for row in listed)
    share = RebuiltShare(own=sum(row.rebuilt.own for row in listed), total=sum(row.rebuilt.total for row in listed))
    return Totals(states={state: counts[state] for state in STATES}, rebuilt=share)
