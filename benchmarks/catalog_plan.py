"""What a night costs that finds nothing to do, by the size of the catalog: time, memory, requests to the object store.

A synthetic catalog of recipes and locks in a temporary folder, the state of a finished rebuild in a real object store,
and then planning, each time in a new process: everything is read, every build key is worked out and compared. To read
the published bytes again, which a night does after that, is left out: it depends on their number by its nature. Needs
the builder images python311 and python313. Usage: python benchmarks/catalog_plan.py [ROUNDS] [RECIPES...]
"""

from __future__ import annotations

import json
import os
import random
import resource
import statistics
import subprocess
import sys
import tempfile
import time
from dataclasses import dataclass
from functools import partial
from pathlib import Path
from typing import TYPE_CHECKING, Final, NoReturn

import networkx as nx

from farm.catalog.decide import Results, key_of
from farm.catalog.engine import Engine
from farm.catalog.night import NightOptions
from farm.catalog.rebuild import gather, image_digests
from farm.catalog.state import CatalogState, NodeState, SourceFacts, save_state
from farm.config import load_settings
from farm.model.base import BlobRef, sha256_bytes
from farm.model.catalog import RebuiltShare
from farm.model.lock import Lock, LockedFile
from farm.model.outcome import OutcomeFile
from farm.pipeline.runtime import Runtime
from farm.recipe.locks import lock_path, lock_text
from farm.services.supervisor import down, up
from farm.store.s3 import S3Store

if TYPE_CHECKING:
    from collections.abc import Callable, Sequence

    from farm.catalog.night import NodeEnd, NodeRun
    from farm.catalog.nodes import Node
    from farm.config import Settings

CHECKOUT: Final = Path(__file__).resolve().parents[1]
SIZES: Final = (100, 1_000, 10_000)
LEVELS: Final = 16
LOCKED: Final = 8
"""Files in a lock; those of the recipes that ship have 7.6 on average."""
NATIVE: Final = 50
"""One recipe in so many is built for two interpreters."""
IMAGES: Final = {"cp311": "python311", "cp313": "python313"}
AIMS: Final = {1_000: 5.0, 10_000: 30.0}
AIM_MB: Final = 500
EPOCH: Final = 1_700_000_000


# --- the catalog ------------------------------------------------------------------------------------------------------


@dataclass(frozen=True)
class Made:
    """A recipe of the synthetic catalog."""

    name: str
    native: bool

    @classmethod
    def number(cls, number: int) -> Made:
        return cls(f"made-up-{number:05}", number % NATIVE == NATIVE - 1)

    def wheel(self, interpreter: str) -> str:
        tags = f"{interpreter}-{interpreter}-linux_x86_64" if self.native else "py3-none-any"
        return f"{self.name.replace('-', '_')}-1.0-{tags}.whl"


def write_catalog(recipes: Path, count: int) -> None:
    """Write recipes and locks. What a recipe needs lies on the levels below its own, most of it directly below."""
    chance = random.Random(count)  # noqa: S311 - the same catalog each time
    made = [Made.number(number) for number in range(count)]
    wide = max(1, count // LEVELS)
    for number, each in enumerate(made):
        start = number // wide * wide
        near, far = made[max(0, start - wide) : start], made[:start]
        needs = {*chance.sample(near, min(len(near), LOCKED - 2)), *chance.sample(far, min(len(far), 2))}
        folder = recipes / "python" / each.name
        (folder / "locks").mkdir(parents=True)
        (folder / "recipe.yaml").write_text(recipe_text(each), encoding="utf-8")
        for interpreter in IMAGES if each.native else ("cp311",):
            lock = lock_of(each, sorted(needs, key=lambda need: need.name), interpreter)
            lock_path(folder, "1.0", f"{interpreter}-linux-amd64").write_text(lock_text(lock), encoding="utf-8")


def recipe_text(made: Made) -> str:
    image = f"[{', '.join(IMAGES.values())}]" if made.native else "python311"
    tags = '"{interpreter}-{interpreter}-linux"' if made.native else "py3-none-any"
    return f"""\
# A recipe of a benchmark.
schema: 1
ecosystem: python
name: {made.name}
source:
  archive:
    pypi-sdist: {made.name}
versions:
  "1.0":
    sha256: {sha256_bytes(made.name.encode())}
build:
  image: {image}
  tags: {tags}
test:
  imports: [{made.name.replace("-", "_")}]
  command: [python, -m, pytest, -q, tests]
  requires: ["pytest==8.4.2"]
"""


def lock_of(made: Made, needs: Sequence[Made], interpreter: str) -> Lock:
    def locked(place: int, need: Made) -> LockedFile:
        filename = need.wheel(interpreter)
        return LockedFile(
            filename=filename,
            name=need.name,
            version="1.0",
            sha256=sha256_bytes(f"upstream's {filename}".encode()),
            size=1,
            origin="index",
            roles=("build",) if place % 2 else ("runtime", "test"),
            purl=f"pkg:pypi/{need.name}@1.0",
        )

    return Lock(
        package=f"python/{made.name}@1.0",
        target=f"{interpreter}-linux-amd64",
        image=IMAGES[interpreter],
        basis=sha256_bytes(made.name.encode()),
        requirements={"build": tuple(need.name for need in needs)},
        files=tuple(locked(place, need) for place, need in enumerate(needs)),
    )


def finished(rt: Runtime, options: NightOptions) -> CatalogState:
    """Return the state after a rebuild in which everything was built: with made-up bytes and the true build keys."""
    start = gather(rt, options)
    graph, images = start.graph, image_digests(rt, IMAGES.values())
    ecosystem = rt.ecosystem("python")
    files: dict[str, tuple[OutcomeFile, ...]] = {}
    nodes: dict[str, NodeState] = {}
    sources: dict[str, SourceFacts] = {}
    whole: nx.DiGraph[str] = nx.DiGraph()
    whole.add_nodes_from(graph.catalog.nodes)
    whole.add_edges_from((need, name) for name, needs in graph.edges.items() for need in needs)
    for name in nx.topological_sort(whole):
        node = graph.catalog.nodes[name]
        assert node.problem is None, node.problem
        sources[node.source] = SourceFacts(tree=sha256_bytes(node.source.encode()), epoch=EPOCH)
        fields = key_of(node, graph, Results(files), sources[node.source], images[node.image], ecosystem, start.policy)
        assert fields is not None
        files[name] = (outcome_file(node),)
        nodes[name] = NodeState(
            fields=fields,
            build_key=fields.key,
            files=files[name],
            share=RebuiltShare(own=len(node.needs), total=len(node.needs)),
            needs=tuple(graph.edges[name]),
            names=node.names,
            seconds=4.5,
            built_on="2026-01-01T02:00:00Z",
            verified_on="2026-01-01T02:00:00Z",
        )
    return CatalogState(nodes=nodes, sources=sources)


def outcome_file(node: Node) -> OutcomeFile:
    filename = Made.number(int(node.package.name.rpartition("-")[2])).wheel(node.target.interpreter)
    digest = sha256_bytes(filename.encode())
    blob = BlobRef(sha256=digest, size=10_000)
    return OutcomeFile(filename=filename, blob=blob, raw_sha256=digest, signature=blob, provenance=blob)


# --- one process ------------------------------------------------------------------------------------------------------


class Nobody:
    """An executor that must not be needed (`farm.catalog.night.Executor`)."""

    def start(self, node: NodeRun, work: Callable[[], NodeEnd]) -> NoReturn:
        del work
        msg = f"{node.id} is not unchanged"
        raise AssertionError(msg)

    def wait(self) -> NoReturn:
        msg = "nothing was started"
        raise AssertionError(msg)


def measure() -> None:
    """Plan a night; print what it took. The working folder is the farm's."""
    rt, options = Runtime(load_settings()), NightOptions()
    asked: list[str] = []
    begun, cpu = time.perf_counter(), time.process_time()
    for store in (rt.vault._store, rt.repository):  # noqa: SLF001 - the vault shows its store to nobody
        assert isinstance(store, S3Store)
        store.client.meta.events.register("before-send.s3.*", partial(_note, asked))
    engine = Engine(rt, gather(rt, options), options, Nobody(), lambda: None)
    engine.run()
    seconds, cpu = time.perf_counter() - begun, time.process_time() - cpu
    assert {end.state for end in engine.ends.values()} == {"unchanged"}
    peak = resource.getrusage(resource.RUSAGE_SELF).ru_maxrss // 1024
    print(json.dumps({"nodes": len(engine.ends), "seconds": seconds, "cpu": cpu, "peak_mb": peak, "requests": asked}))


def _note(asked: list[str], request: object, event_name: str, **_: object) -> None:
    del request
    asked.append(event_name.rpartition(".")[2])


# --- all of it --------------------------------------------------------------------------------------------------------


@dataclass(frozen=True)
class Run:
    """One process."""

    nodes: int
    seconds: float
    """Planning."""
    cpu: float
    """Of them, on a processor: what others run at the same time is not in it."""
    process: float
    """From its start to its end, imports included."""
    peak_mb: int
    requests: list[str]


def one(home: Path) -> Run:
    env = {key: value for key, value in os.environ.items() if not key.startswith("FARM_")}
    begun = time.perf_counter()
    command = [sys.executable, "-P", __file__, "measure"]
    done = subprocess.run(command, cwd=home, env=env, check=True, stdout=subprocess.PIPE)
    return Run(process=time.perf_counter() - begun, **json.loads(done.stdout))


def settings_of(home: Path) -> Settings:
    """Write the farm.toml of a farm in `home` and return its settings."""
    text = f'data = "data"\nrecipes = "recipes"\nimages = {json.dumps(str(CHECKOUT / "images"))}\n'
    (home / "farm.toml").write_text(text, encoding="utf-8")
    os.environ["FARM_CONFIG"] = str(home / "farm.toml")
    return load_settings()


def size(recipes: int, rounds: int) -> tuple[list[Run], list[Run]]:
    """Measure one size: with nothing read before, and as every night but the first."""
    with tempfile.TemporaryDirectory(prefix="farm-plan-") as name:
        home = Path(name)
        write_catalog(home / "recipes", recipes)
        settings = settings_of(home)
        up(settings, ["s3"])
        try:
            rt = Runtime(settings)
            save_state(rt.vault, finished(rt, NightOptions()))
            cold, warm = [], []
            for _ in range(rounds):
                (settings.data / "cache" / "catalog.json").unlink()
                cold.append(one(home))
                warm.append(one(home))
        finally:
            down(settings, ["s3"])
    return cold, warm


def main(rounds: int, sizes: Sequence[int]) -> None:
    """Measure and print."""
    requests: set[tuple[str, ...]] = set()
    print("recipes  nodes  cache  planning, median (min - max)  processor   process     peak  requests")
    for recipes in sizes:
        for cache, runs in zip(("cold", "warm"), size(recipes, rounds), strict=True):
            requests |= {tuple(run.requests) for run in runs}
            seconds = [run.seconds for run in runs]
            aim = f"  (aim {AIMS[recipes]:.0f} s, {AIM_MB} MiB)" if recipes in AIMS else ""
            print(
                f"{recipes:>7} {runs[0].nodes:>6}  {cache:<5} {statistics.median(seconds):>7.2f} s"
                f"  ({min(seconds):5.2f} - {max(seconds):5.2f})    {statistics.median(run.cpu for run in runs):>7.2f} s"
                f" {statistics.median(run.process for run in runs):>7.2f} s {max(run.peak_mb for run in runs):>4} MiB"
                f"  {len(runs[0].requests):>8}{aim}",
                flush=True,
            )
    print(f"requests to the object store, in every run: {' or '.join(', '.join(each) for each in sorted(requests))}")


if __name__ == "__main__":
    if sys.argv[1:] == ["measure"]:
        measure()
    else:
        numbers = [int(argument) for argument in sys.argv[1:]]
        main(numbers[0] if numbers else 3, numbers[1:] or SIZES)
