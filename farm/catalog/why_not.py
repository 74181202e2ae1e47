"""`farm why-not`: why a node is not built; and of one that is, which of its inputs are not farm's own. Pure."""

from __future__ import annotations

from collections import defaultdict
from dataclasses import dataclass
from functools import cached_property
from typing import TYPE_CHECKING, Literal

from farm.catalog.finding import find, folder_of
from farm.catalog.graph import providers_for
from farm.catalog.nodes import normal
from farm.catalog.outlook import State
from farm.catalog.titles import package_of, titles
from farm.errors import CycleError, FarmError, RecipeNotFoundError, RecipeVanishedError, registry
from farm.model.base import Value
from farm.model.catalog import RebuiltShare
from farm.model.lock import LockedName

if TYPE_CHECKING:
    from collections.abc import Callable, Iterable, Mapping

    from farm.catalog.engine import Gathered
    from farm.catalog.nodes import Need, Node, NodeProblem
    from farm.catalog.outlook import Outlook
    from farm.ecosystems.base import Ecosystem

__all__ = ["ForeignInput", "WhyNot", "why_not"]

Reason = Literal[
    "built",
    "waits",
    "no-recipe",
    "broken-recipe",
    "lock",
    "cycle",
    "image",
    "failed",
    "blocked",
    "vanished",
]


class ForeignInput(Value):
    """Something that a result was built with and that is upstream's."""

    name: str
    version: str
    roles: tuple[str, ...]
    files: tuple[str, ...]
    why: str


class WhyNot(Value):
    """Why something is not built, or not from farm's own inputs alone."""

    id: str
    """Of the node; the reference itself where it means none."""
    title: str
    reason: Reason
    """`built`: it is, and counts. `waits`: nothing is in the way, it is the next rebuild's."""
    state: State | None = None
    """None where there is no recipe."""
    words: str
    remedy: str = ""
    way: tuple[str, ...] = ()
    """From the node to what it is blocked by."""
    built_on: str = ""
    """When the result was made that stays until there is another one; RFC 3339."""
    rebuilt: RebuiltShare = RebuiltShare(own=0, total=0)
    foreign: tuple[ForeignInput, ...] = ()
    """Locked files of upstream's that the result was built, run or tested with."""


def why_not(
    gathered: Gathered, outlooks: Mapping[str, Outlook], reference: str, ecosystem: Callable[[str], Ecosystem]
) -> tuple[WhyNot, ...]:
    """Return the answer for each node that `reference` means, and for each recipe that cannot be read, sorted.

    Args:
        gathered: what a run would start from: the whole catalog.
        outlooks: of all nodes.
        reference: as for `farm build`, without paths.
        ecosystem: gives the ecosystem by its name.
    """
    graph = gathered.graph
    try:
        meant = find(graph, gathered.state.nodes, (reference,))
    except RecipeNotFoundError as error:
        return (WhyNot(id=reference, title=reference, reason="no-recipe", words=error.message, remedy=_to_add(error)),)
    asked = _Asked(gathered, outlooks, ecosystem)
    found = [_broken(folder, graph.catalog.broken[folder]) for folder in meant.broken]
    found += [asked.of(name) for name in meant.nodes]
    return tuple(sorted(found, key=lambda answer: answer.id))


def _to_add(error: RecipeNotFoundError) -> str:
    if near := error.details.get("nearest"):
        return f"Ask again about {near}, or add a recipe."
    return "Add a recipe (docs/how-to/add-a-recipe.md)."


def _broken(folder: str, problem: NodeProblem) -> WhyNot:
    words = f"its recipe cannot be used: {problem.message}"
    remedy = registry().get(problem.exit_code, FarmError).default_remedy
    return WhyNot(id=folder, title=folder, reason="broken-recipe", state="invalid", words=words, remedy=remedy)


@dataclass(frozen=True)
class _Asked:
    gathered: Gathered
    outlooks: Mapping[str, Outlook]
    ecosystem: Callable[[str], Ecosystem]

    @cached_property
    def titles(self) -> dict[str, str]:
        return titles(self.outlooks)

    def of(self, name: str) -> WhyNot:
        outlook, known = self.outlooks[name], self.gathered.state.nodes.get(name)
        reason, words, remedy = self._answer(name, outlook)
        node = self.gathered.graph.catalog.nodes.get(name)
        built = known is not None and known.build_key != ""
        return WhyNot(
            id=name,
            title=self.titles[name],
            reason=reason,
            state=outlook.state,
            words=words,
            remedy=remedy,
            way=tuple(self.titles[each] for each in outlook.blocked_by),
            built_on=known.built_on if known and built else "",
            rebuilt=known.share if known else RebuiltShare(own=0, total=0),
            foreign=self._foreign(node, known.fields.rebuilt) if node and known and built and known.fields else (),
        )

    def _answer(self, name: str, outlook: Outlook) -> tuple[Reason, str, str]:  # noqa: PLR0911 - one for each state
        catalog = self.gathered.graph.catalog
        node, broken = catalog.nodes.get(name), catalog.broken.get(folder_of(name))
        if node is None and broken is not None:
            return "broken-recipe", outlook.why, registry().get(broken.exit_code, FarmError).default_remedy
        if node is None:
            return "vanished", f"{outlook.why}; its last result stays published", RecipeVanishedError.default_remedy
        again = f"farm catalog rebuild --only {node.reference}"
        if outlook.state == "current":
            return "built", "it is built, and nothing differs from its last build", ""
        if outlook.state == "invalid" and node.problem is not None:
            error = registry().get(node.problem.exit_code, FarmError)
            return "lock", node.problem.message, self._relock(node, error)
        if outlook.state == "invalid":
            return "cycle", outlook.why, CycleError.default_remedy
        if outlook.state == "failed":
            remedy = f"Correct what it says; or repeat it as it is: `{again} --retry-failed`."
            return "failed", outlook.why, remedy
        if outlook.state == "blocked":
            return "blocked", outlook.why, self._unblock(outlook)
        if outlook.absent_image:
            words = f"builder image {node.image} is not on this host"
            return "image", words, f"Run `farm images build {node.image}`."
        return "waits", f"nothing is in its way, it waits for the next rebuild: {outlook.why}", f"Run `{again}`."

    def _relock(self, node: Node, error: type[FarmError]) -> str:
        if node.lock:
            return error.default_remedy
        return f"Run `farm lock {node.reference}` and commit the file it writes."

    def _unblock(self, outlook: Outlook) -> str:
        if not outlook.blocked_by:
            return "Add the recipes, or set policy.inputs to rebuilt-first."
        last = self.titles[outlook.blocked_by[-1]]
        return f"See `farm why-not {last}`."

    # --- inputs ---------------------------------------------------------------------------------------------------

    def _foreign(self, node: Node, rebuilt: Mapping[str, str]) -> tuple[ForeignInput, ...]:
        found = []
        for need in node.needs:
            files = tuple(name for name in need.filenames if name not in rebuilt)
            if need.foreign and files:
                why = self._why(node, need, files)
                found.append(ForeignInput(name=need.name, version=need.version, roles=need.roles, files=files, why=why))
        return tuple(found)

    def _why(self, node: Node, need: Need, files: Iterable[str]) -> str:
        graph, states = self.gathered.graph, self.gathered.state.nodes
        providers = providers_for(graph.catalog, node, need) if need.version else ()
        if not providers:
            return self._no_provider(node, need)
        package = package_of(providers[0])
        if self.gathered.policy == "locked":
            return f"{package} has a recipe, but the policy is locked"
        results = tuple(file for name in providers if name in states for file in states[name].files)
        if not results:
            return f"{package} has a recipe and is not built yet"
        choose = self.ecosystem(node.package.ecosystem).choose
        locked = [LockedName(filename=name, name=need.name, version=need.version) for name in files]
        if any(choose(each, results, node.target) for each in locked):
            return f"{package} has a result since: the next build takes it"
        return f"{package} has no file that fits the target {node.target.key}"

    def _no_provider(self, node: Node, need: Need) -> str:
        if not need.version:
            return "it belongs to no version, so no recipe can provide it"
        ecosystem = node.package.ecosystem
        name = normal(ecosystem, need.name, need.version)[0]
        if versions := self._versions.get((ecosystem, name)):
            return f"its recipe has other versions: {', '.join(sorted(versions))}"
        if folder_of(f"{ecosystem}/{name}") in self.gathered.graph.catalog.broken:
            return "its recipe cannot be used"
        return "no recipe provides it"

    @cached_property
    def _versions(self) -> Mapping[tuple[str, str], set[str]]:
        """Versions that recipes have of what others call by a name."""
        found: dict[tuple[str, str], set[str]] = defaultdict(set)
        for node in self.gathered.graph.catalog.nodes.values():
            for name in node.names:
                found[node.package.ecosystem, name].add(node.package.version)
        return found
