"""Synthetic catalogs for what people look at: nodes, what was built of them, and a gathered whole."""

from __future__ import annotations

from dataclasses import dataclass, field, replace
from typing import TYPE_CHECKING, Any

from farm.catalog.board import Capacity
from farm.catalog.decide import Results, key_of
from farm.catalog.engine import Gathered
from farm.catalog.graph import make_graph
from farm.catalog.nodes import Catalog, Need, Node, NodeProblem
from farm.catalog.state import CatalogState, Failure, NodeState, SourceFacts
from farm.ecosystems.python.ecosystem import ECOSYSTEM
from farm.model.base import BlobRef, sha256_bytes
from farm.model.catalog import RebuiltShare
from farm.model.outcome import OutcomeFile
from farm.model.plan import PackageId, Target

if TYPE_CHECKING:
    from collections.abc import Iterable, Mapping

    from farm.catalog.graph import Graph
    from farm.ecosystems.base import Ecosystem
    from farm.model.key import KeyFields
    from farm.pipeline.linking import Policy

TARGET = Target(platform="linux/amd64", interpreter="cp311")
IMAGE = sha256_bytes(b"image")
DAY = "2026-03-10T02:00:00Z"


def ecosystem(name: str) -> Ecosystem:
    assert name == "python"
    return ECOSYSTEM


def digest(text: str) -> str:
    return sha256_bytes(text.encode())


def wheel(name: str, version: str, content: str = "", build: str = "") -> OutcomeFile:
    """What was published of a package version."""
    spelled = name.replace("-", "_")
    blob = BlobRef(sha256=digest(f"{name} {version} {content}"), size=1)
    plain = f"{spelled}-{version}-py3-none-any.whl"
    filename = f"{spelled}-{version}-{build}-py3-none-any.whl" if build else plain
    unnumbered = {"filename": plain, "sha256": blob.sha256} if build else None
    data = {"filename": filename, "blob": blob, "raw_sha256": blob.sha256, "signature": blob, "provenance": blob}
    return OutcomeFile.model_validate({**data, "unnumbered": unnumbered})


def node(reference: str, *needs: str, seed: str = "", target: Target = TARGET, **more: Any) -> Node:
    """A node `name@version`; a need is `name@version` or `name@version:role,role`."""
    name, _, version = reference.partition("@")
    values: dict[str, Any] = {
        "id": f"python/{reference}:{target.key}",
        "package": PackageId(ecosystem="python", name=name, version=version),
        "reference": f"python/{reference}",
        "target": target,
        "image": "python311",
        "recipe": digest(f"recipe of {reference}"),
        "source": digest(f"source of {reference}"),
        "lock": digest(f"lock of {reference} {needs}"),
        "names": (name,),
        "needs": tuple(map(_need, needs)),
        "seed": seed,
    }
    return Node(**{**values, **more})


def _need(text: str) -> Need:
    reference, _, roles = text.partition(":")
    name, _, version = reference.partition("@")
    filename = f"{name.replace('-', '_')}-{version}-py3-none-any.whl"
    return Need(name, version, tuple(sorted(filter(None, roles.split(",")))) or ("build",), (filename,))


def missing_lock(reference: str) -> NodeProblem:
    return NodeProblem("LockMissingError", 30, f"python/{reference}: there is no lock")


@dataclass
class World:
    """A catalog, and what was built of it."""

    nodes: dict[str, Node] = field(default_factory=dict)
    broken: dict[str, NodeProblem] = field(default_factory=dict)
    states: dict[str, NodeState] = field(default_factory=dict)
    sources: dict[str, SourceFacts] = field(default_factory=dict)
    images: dict[str, str] = field(default_factory=lambda: {"python311": IMAGE})
    policy: Policy = "rebuilt-first"

    @classmethod
    def of(cls, *nodes: Node) -> World:
        return cls({each.id: each for each in nodes})

    @property
    def graph(self) -> Graph:
        return make_graph(Catalog(dict(sorted(self.nodes.items())), self.broken))

    @property
    def gathered(self) -> Gathered:
        return Gathered(
            graph=self.graph,
            state=CatalogState(nodes=self.states, sources=self.sources),
            selected=frozenset(self.nodes),
            images=self.images,
            policy=self.policy,
            capacity=Capacity(1, 1),
        )

    def id(self, reference: str) -> str:
        """Return the id of `click@8`, for the usual target."""
        return f"python/{reference}:{TARGET.key}"

    def change(self, reference: str, **update: Any) -> None:
        name = self.id(reference)
        self.nodes[name] = replace(self.nodes[name], **update)

    def key(self, name: str) -> KeyFields:
        each, graph = self.nodes[name], self.graph
        results = Results({known: state.files for known, state in self.states.items() if state.build_key})
        source = self.sources.setdefault(each.source, SourceFacts(tree=digest(f"tree of {each.source}"), epoch=1))
        fields = key_of(each, graph, results, source, self.images[each.image], ECOSYSTEM, self.policy)
        assert fields is not None
        return fields

    def build(self, *references: str, content: str = "", build: str = "", on: str = DAY) -> None:
        """Note results, in this order; all nodes for none."""
        for name in map(self.id, references) if references else self.order():
            each = self.nodes[name]
            file = wheel(each.package.name, each.package.version, content, build)
            # A member of a cycle is built with its own result, too.
            self.states[name] = NodeState(build_key="f" * 64, files=(file,))
        for name in map(self.id, references) if references else self.order():
            fields = self.key(name)
            self.states[name] = NodeState(
                fields=fields,
                build_key=fields.key,
                files=self.states[name].files,
                share=RebuiltShare(own=len(fields.rebuilt), total=len(self.nodes[name].needs)),
                needs=tuple(self.graph.edges[name]),
                names=self.nodes[name].names,
                seconds=1.0,
                built_on=on,
                verified_on=on,
            )

    def order(self) -> Iterable[str]:
        return tuple(self.nodes)

    def fail(self, reference: str, message: str = "it does not compile", *, key: str = "") -> None:
        """Note that a node failed, with what it would be built with now or under `key`."""
        name = self.id(reference)
        failure = Failure(
            build_key=key or self.key(name).key, error="BuildFailedError", exit_code=41, message=message, on=DAY
        )
        self.states[name] = self.states.get(name, NodeState()).model_copy(update={"failure": failure})

    def remove(self, reference: str) -> None:
        """Take a recipe away."""
        del self.nodes[self.id(reference)]


def by_title(found: Mapping[str, Any]) -> dict[str, Any]:
    """Return values by `click@8` instead of by id."""
    return {name.removeprefix("python/").rpartition(":")[0]: value for name, value in found.items()}
