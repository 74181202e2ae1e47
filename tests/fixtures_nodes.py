"""Catalogs that are made up: nodes and locks, and a farm whose builds are a function, for runs without a sandbox."""

from __future__ import annotations

import random
import threading
from collections import Counter
from dataclasses import dataclass, field
from datetime import UTC, datetime, timedelta
from functools import partial
from types import SimpleNamespace
from typing import TYPE_CHECKING, Any

from farm.catalog.night import NightOptions, NodeEnd, NodeRun
from farm.catalog.nodes import Catalog, Need, Node, NodeProblem
from farm.catalog.work import Done
from farm.config import CatalogSettings, PolicySettings, Settings
from farm.ecosystems.python.ecosystem import ECOSYSTEM
from farm.errors import FarmError, LockMissingError, NotRebuiltError, registry
from farm.model.base import BlobRef, sha256_bytes
from farm.model.build import TestReport
from farm.model.catalog import following
from farm.model.key import KeyFields
from farm.model.lock import LockedFile, LockedName
from farm.model.outcome import Outcome, OutcomeFile
from farm.model.plan import PackageId, Target
from farm.pipeline.key import COMPRESSOR, RULES_VERSION
from tests.fixtures_repository import MemoryStore
from tests.fixtures_source import MemoryVault

if TYPE_CHECKING:
    from collections.abc import Callable, Iterable, Mapping
    from pathlib import Path

    import pytest

    from farm.catalog.night import NightReport
    from farm.catalog.state import Failure
    from farm.model.catalog import CatalogEntry, CatalogSnapshot
    from farm.pipeline.chain import Inputs
    from farm.pipeline.linking import Provider

TARGET = Target(platform="linux/amd64", interpreter="cp311")
OTHER_TARGET = Target(platform="linux/amd64", interpreter="cp313")
MOMENT = "2026-01-01T00:00:00Z"
IMAGE = "python311"
IMAGE_DIGEST = sha256_bytes(IMAGE.encode())


def digest(*words: str) -> str:
    return sha256_bytes("\0".join(words).encode())


def wheel(name: str, version: str = "1.0", *, tag: str = "py3-none-any", build: str = "") -> str:
    return f"{name.replace('-', '_')}-{version}{f'-{build}' if build else ''}-{tag}.whl"


def nid(name: str, version: str = "1.0", target: Target = TARGET) -> str:
    return f"python/{name}@{version}:{target.key}"


def name_of(node: str) -> str:
    return node.partition("@")[0].removeprefix("python/")


def need(name: str, version: str = "1.0", *roles: str, foreign: bool = True) -> Need:
    return Need(name, version, roles or ("build",), (wheel(name, version),), foreign)


def node_of(
    name: str,
    *needs: str | Need,
    version: str = "1.0",
    target: Target = TARGET,
    recipe: str = "",
    seed: str = "",
    locked: bool = True,
    cpus: float = 1.0,
    memory_mb: int = 100,
) -> Node:
    problem = NodeProblem("LockMissingError", LockMissingError.exit_code, f"{name}: there is no lock")
    return Node(
        id=nid(name, version, target),
        package=PackageId(ecosystem="python", name=name, version=version),
        reference=f"python/{name}@{version}",
        target=target,
        image=IMAGE,
        recipe=digest("recipe", name, recipe),
        source=digest("pin", name),
        lock=digest("lock", name) if locked else "",
        names=(name,),
        needs=tuple(item if isinstance(item, Need) else need(item) for item in needs),
        seed=seed,
        cpus=cpus,
        memory_mb=memory_mb,
        problem=None if locked else problem,
    )


def catalog_of(*nodes: Node) -> Catalog:
    return Catalog({node.id: node for node in sorted(nodes, key=lambda node: node.id)})


def file_of(filename: str, content: str, *, path: str = "") -> OutcomeFile:
    data = content.encode()
    blob = BlobRef(sha256=sha256_bytes(data), size=len(data))
    return OutcomeFile(
        filename=filename,
        path=path,
        blob=blob,
        raw_sha256=blob.sha256,
        signature=BlobRef(sha256=digest("signature", content), size=1),
        provenance=BlobRef(sha256=digest("provenance", content), size=1),
    )


def outcome_of(fields: KeyFields, files: Iterable[OutcomeFile], **more: Any) -> Outcome:
    return Outcome(
        package=fields.package,
        target=fields.target,
        build_key=fields.key,
        fields=fields,
        files=tuple(files),
        **{
            "run_id": "run", "source_uri": "", "source_strength": "git", "tree_digest": fields.source_tree,
            "image": IMAGE, "image_digest": fields.image, "inputs": (), "probe": "p", "builder_id": "b", "level": 3,
            "test": TestReport(result="passed", imports=(), command=()), "seconds": 2.0, **more,
        },
    )  # fmt: skip


@dataclass
class Package:
    """A recipe of the made-up farm."""

    name: str
    needs: tuple[str, ...] = ()
    seed: str = ""
    recipe: str = ""
    """Stands for everything in the recipe that changes no byte."""
    code: str = "1"
    carries: bool = False
    """Whether its bytes depend on what it is built with."""
    locked: bool = True
    fails: FarmError | None = None
    cpus: float = 1.0
    memory_mb: int = 100

    @property
    def node(self) -> Node:
        return node_of(
            self.name, *self.needs, recipe=self.recipe + self.code, seed=self.seed, locked=self.locked, cpus=self.cpus,
            memory_mb=self.memory_mb,
        )  # fmt: skip


class Interrupted(KeyboardInterrupt):
    """Somebody stops the run."""


@dataclass
class FakeExecutor:
    """Runs what was started when it is waited for, in an order of its own; can be interrupted."""

    seed: int | None = None
    """None: one after the other, in the order in which they were started."""
    interrupt_after: int | None = None
    started: list[str] = field(default_factory=list)
    shown: list[NodeRun] = field(default_factory=list)
    most: int = 0
    _waiting: list[tuple[str, Callable[[], NodeEnd]]] = field(default_factory=list)
    _ended: int = 0

    def start(self, node: NodeRun, work: Callable[[], NodeEnd]) -> None:
        self.started.append(node.id)
        self.shown.append(node)
        self._waiting.append((node.id, work))
        self.most = max(self.most, len(self._waiting))

    def wait(self) -> tuple[NodeEnd, ...]:
        if not self._waiting:
            raise RuntimeError("waiting for nodes, but none is running")
        if self.interrupt_after is not None and self._ended >= self.interrupt_after:
            raise Interrupted
        self._ended += 1
        place = 0 if self.seed is None else random.Random(f"{self.seed} {self._ended}").randrange(len(self._waiting))  # noqa: S311 - an order, no secret
        _, work = self._waiting.pop(place)
        return (work(),)


@dataclass
class World:
    """A farm whose builds are a function of the recipe's code and, where it `carries`, of the inputs."""

    packages: dict[str, Package]
    folder: Path
    vault: MemoryVault = field(default_factory=MemoryVault)
    repository: MemoryStore = field(default_factory=MemoryStore)
    outcomes: dict[str, Outcome] = field(default_factory=dict)
    """What the vault knows, by build key."""
    published: dict[str, tuple[OutcomeFile, ...]] = field(default_factory=dict)
    """By node."""
    built: list[str] = field(default_factory=list)
    """Units that were really built, in order."""
    linked: list[tuple[str, KeyFields, Inputs]] = field(default_factory=list)
    released: list[str] = field(default_factory=list)
    reproduced: list[str] = field(default_factory=list)
    damaged: dict[str, str] = field(default_factory=dict)
    """Node → what is wrong with what is published of it."""
    settings: dict[str, Any] = field(default_factory=dict)
    moment: int = 0
    signed: CatalogSnapshot | None = None
    """The last snapshot of the catalog."""
    ids: Counter[str] = field(default_factory=Counter)
    _lock: threading.Lock = field(default_factory=threading.Lock)

    # --- what the engine asks for -------------------------------------------------------------------------------------

    @property
    def catalog(self) -> Catalog:
        return catalog_of(*(package.node for package in self.packages.values()))

    @property
    def rt(self) -> Any:
        settings = Settings(
            data=self.folder / "data",
            catalog=CatalogSettings(cpus=2.0, memory_mb=1000, **self.settings),
            policy=PolicySettings(),
        )
        return SimpleNamespace(
            settings=settings, vault=self.vault, repository=self.repository, ecosystem=lambda _: ECOSYSTEM
        )

    def night(self, executor: Any = None, **options: Any) -> NightReport:
        """Run a rebuild."""
        from farm.catalog.rebuild import run_night  # noqa: PLC0415 - after the test has put its doubles in

        self.built.clear()
        self.linked.clear()
        self.released.clear()
        self.reproduced.clear()
        return run_night(self.rt, NightOptions(**options), executor or FakeExecutor(), run_id="r" * 12)

    def put_in(self, monkeypatch: pytest.MonkeyPatch) -> World:
        """Let farm use this world in the place of a pipeline."""
        monkeypatch.setattr("farm.catalog.rebuild.load_catalog", lambda _: self.catalog)
        monkeypatch.setattr("farm.catalog.rebuild.publish_catalog", self._publish_catalog)
        monkeypatch.setattr("farm.catalog.rebuild.last_signed", lambda _: self.signed)
        monkeypatch.setattr("farm.catalog.engine._days_ago", lambda _: MOMENT)
        monkeypatch.setattr("farm.catalog.rebuild.image_digests", lambda *_: {IMAGE: IMAGE_DIGEST})
        monkeypatch.setattr("farm.catalog.after.fallen", lambda _rt, package, _files: self._fallen(str(package)))
        for module in ("engine", "bootstrap", "after"):
            monkeypatch.setattr(f"farm.catalog.{module}.build_node", self.build_node)
        monkeypatch.setattr("farm.catalog.bootstrap.release_node", self.release_node)
        for module in ("engine", "after"):
            monkeypatch.setattr(f"farm.catalog.{module}.now", self._now)
        monkeypatch.setattr("farm.catalog.after.reproduce_node", self.reproduce_node)
        return self

    def _publish_catalog(self, _rt: Any, named: Iterable[CatalogEntry], _provenances: Any) -> CatalogSnapshot:
        self.signed = following(self.signed, named, MOMENT)
        return self.signed

    def _now(self) -> str:
        """Return a moment that is later than all before it."""
        self.moment += 1
        return (datetime(2026, 1, 1, tzinfo=UTC) + timedelta(seconds=self.moment)).strftime("%Y-%m-%dT%H:%M:%SZ")

    def _fallen(self, package: str) -> str:
        (name,) = (node for node in self.catalog.nodes if node.startswith(f"{package}:"))
        return self.damaged.pop(name, "")

    # --- the pipeline -------------------------------------------------------------------------------------------------

    def _fields(self, node: Node, inputs: Inputs) -> tuple[KeyFields, tuple[LockedFile, ...], tuple[str, ...]]:
        """Do what the steps plan, source, lock and link do."""
        provider: Provider = inputs.provider  # type: ignore[assignment]
        rebuilt: dict[str, str] = {}
        read: list[LockedFile] = []
        seeds = set(inputs.seeds)
        left: list[str] = []
        for item in node.needs:
            locked = LockedName(filename=item.filenames[0], name=item.name, version=item.version)
            provided = provider(item.name, item.version)
            found = ECOSYSTEM.choose(locked, provided.files, node.target) if provided and not provided.seed else None
            if provided and provided.seed:
                seeds.add(locked.filename)
            elif found is None:
                left.append(locked.filename)
            if found is not None:
                rebuilt[locked.filename] = found.blob.sha256
            sha = found.blob.sha256 if found else digest("upstream", locked.filename)
            read.append(
                LockedFile(
                    **locked.model_dump(), sha256=sha, size=1, origin="farm" if found else "index", roles=("build",),
                    purl="",
                )
            )  # fmt: skip
        if inputs.policy == "rebuilt-only" and left:
            raise NotRebuiltError(f"{node.package}: {left}")
        fields = KeyFields(
            package=str(node.package), target=node.target.key, recipe=node.recipe,
            source_tree=digest("tree", node.package.name), source_epoch=1, image=IMAGE_DIGEST, lock=node.lock,
            rebuilt=dict(sorted(rebuilt.items())), compressor=COMPRESSOR, rules=RULES_VERSION,
        )  # fmt: skip
        return fields, tuple(read), tuple(sorted(seeds))

    def _make(self, node: Node, unit: str, inputs: Inputs, fields: KeyFields) -> tuple[OutcomeFile, ...]:
        package = self.packages[node.package.name]
        with self._lock:
            self.built.append(unit)
            self.ids[unit] += 1
        if package.fails is not None:
            raise package.fails
        del inputs
        content = f"{node.package}:{package.code}" + (f":{sorted(fields.rebuilt.items())}" if package.carries else "")
        return (file_of(wheel(node.package.name, node.package.version), content),)

    def build_node(
        self, _rt: Any, node: Node, name: str, inputs: Inputs, *, force: bool = False, failure: Failure | None = None
    ) -> Done:
        return self._done(node, name, partial(self._build, node, name, inputs, force=force), failure)

    def _build(self, node: Node, unit: str, inputs: Inputs, told: Done, failure: Failure | None, force: bool) -> Done:  # noqa: FBT001 - as the step hands it on
        fields, read, seeds = self._fields(node, inputs)
        self.linked.append((unit, fields, inputs))
        known = self.outcomes.get(fields.key)
        whole = known is not None and (inputs.stage or self.published.get(node.id) == known.files)
        if known is not None and whole and not force:
            told.end, told.outcome = NodeEnd(id=unit, state="unchanged"), known.model_copy(update={"reused": True})
            return told
        told.build_key = fields.key
        if failure is not None and failure.build_key == fields.key:
            raise registry()[failure.exit_code](failure.again)
        files = self._make(node, unit, inputs, fields)
        made = outcome_of(fields, files, inputs=read, seeds=seeds, stage=inputs.stage)
        self.outcomes[fields.key] = made
        if not inputs.stage:
            self.published[node.id] = files
        told.end, told.outcome = NodeEnd(id=unit, state="built", message=files[0].filename), made
        return told

    def release_node(self, _rt: Any, node: Node, outcome: Outcome, inputs: Inputs) -> Done:
        del inputs
        self.released.append(node.id)
        self.published[node.id] = outcome.files
        return Done(NodeEnd(id=node.id, state="built", message=outcome.files[0].filename), outcome, outcome.build_key)

    def reproduce_node(self, _rt: Any, node: Node, name: str, published: Mapping[str, str], inputs: Inputs) -> Done:
        self.reproduced.append(node.id)
        fields, _, _ = self._fields(node, inputs)
        told = Done(NodeEnd(id=name, state="failed"))

        def work(told: Done, _failure: Failure | None) -> Done:
            found = {file.filename: file.blob.sha256 for file in self._make(node, name, inputs, fields)}
            told.end = NodeEnd(id=name, state="reproduced" if found == published else "drifted")
            return told

        del told
        return self._done(node, name, work, None)

    def _done(self, node: Node, name: str, work: Callable[..., Done], failure: Failure | None) -> Done:
        told = Done(NodeEnd(id=name, state="failed"))
        if not node.lock:
            told.end = failed(name, LockMissingError("there is no lock"))
            return told
        try:
            return work(told, failure)
        except FarmError as error:
            told.end = failed(name, error)
            return told


def failed(name: str, error: FarmError) -> NodeEnd:
    kind = type(error)
    return NodeEnd(id=name, state="failed", message=error.message, error=kind.__name__, exit_code=kind.exit_code)


def states(report: NightReport) -> dict[str, str]:
    """Name of the package → how it ended."""
    return {name_of(end.id): end.state for end in report.nodes}


def ends(report: NightReport) -> dict[str, NodeEnd]:
    """Name of the package → its end."""
    return {name_of(end.id): end for end in report.nodes}
