"""Side by side, one machine, one call: a recorded and a replayed Maven build against bare Maven of the same version.

Prints ratios. Needs `farm up`, the builder image and a JDK of the same major on this host (JAVA_HOME, else the first on
the PATH); repositories are asked as they are configured. Usage: python benchmarks/maven_speed.py [ROUNDS] [RECIPE]
"""

from __future__ import annotations

import itertools
import json
import os
import shutil
import statistics
import subprocess
import sys
import tarfile
import tempfile
import time
from contextlib import contextmanager
from dataclasses import dataclass, field
from pathlib import Path
from typing import TYPE_CHECKING

from farm.config import load_settings
from farm.ecosystems.maven.basis import COMMAND, DISTRIBUTION
from farm.ecosystems.maven.command import LOCAL, OUT_REPOSITORY, SETTINGS, build_environment
from farm.ecosystems.maven.depot import make_depot
from farm.ecosystems.maven.ecosystem import ECOSYSTEM
from farm.model.lock import LinkedLock
from farm.pipeline import steps
from farm.pipeline.runtime import Runtime
from farm.source.unpack import unpack
from farm.store.cache import BlobCache

if TYPE_CHECKING:
    from collections.abc import Iterator

    from farm.model.lock import Lock, LockedFile
    from farm.model.plan import BuildPlan
    from farm.model.source import SourceSnapshot

REFERENCE = "maven/org.apache.maven.shared.maven-filtering"
DEPOT_FILES = 1000


@dataclass
class Times:
    """What was measured, in seconds."""

    seconds: dict[str, list[float]] = field(default_factory=dict)

    @contextmanager
    def of(self, name: str) -> Iterator[None]:
        start = time.perf_counter()
        yield
        self.seconds.setdefault(name, []).append(time.perf_counter() - start)

    def median(self, name: str) -> float:
        return statistics.median(self.seconds[name])


class Bare:
    """The same Maven with the same goals in a folder of this host, its local repository beside it."""

    def __init__(self, runtime: Runtime, plan: BuildPlan, snapshot: SourceSnapshot, lock: Lock, work: Path) -> None:
        (distribution,) = [file for file in lock.files if file.filename == lock.requirements[DISTRIBUTION][0]]
        for name in ("maven", "source", "home"):
            (work / name).mkdir()
        archive = work / "maven.zip"
        runtime.vault.fetch(distribution.ref, archive)
        unpack(archive, work / "maven")
        runtime.vault.fetch(snapshot.archive, work / "source.tar")
        with tarfile.open(work / "source.tar") as tar:
            tar.extractall(work / "source", filter="data")
        (maven,) = (work / "maven").iterdir()
        self.local = work / "m2"
        self.cwd = work / "source" / snapshot.subdirectory
        self.argv = [
            word.replace("/maven/bin/mvn", str(maven / "bin/mvn"))
            .replace(LOCAL, str(self.local))
            .replace(OUT_REPOSITORY, str(work / "deployed"))
            for word in lock.requirements[COMMAND]
            if SETTINGS not in word
        ]
        java = os.environ.get("JAVA_HOME") or str(Path(shutil.which("java") or "java").resolve().parents[1])
        self.env = {
            **build_environment(plan, snapshot, replay=False),
            "HOME": str(work / "home"),
            "JAVA_HOME": java,
            "PATH": f"{java}/bin:{os.environ['PATH']}",
        }

    def run(self) -> None:
        subprocess.run(self.argv, cwd=self.cwd, env=self.env, check=True, capture_output=True)


def main(rounds: int, reference: str) -> None:
    """Measure and print."""
    times = Times()
    runtime = Runtime(load_settings())
    plan = steps.plan(runtime, reference)
    snapshot = steps.source(runtime, plan)
    image = runtime.image(plan.build.image)
    assert not plan.build.patches, "choose a recipe without patches"
    with tempfile.TemporaryDirectory() as name:
        work = Path(name)
        bare: Bare | None = None
        for _ in range(rounds):
            with runtime.context("lock", "maven", image) as ctx, times.of("record"):
                lock = ECOSYSTEM.resolve(plan, snapshot, ctx)
            bare = bare or Bare(runtime, plan, snapshot, lock, work)
            shutil.rmtree(bare.local, ignore_errors=True)
            with times.of("bare mvn, empty local repository"):
                bare.run()
            with times.of("bare mvn, warm local repository"):
                bare.run()
            with times.of("inputs, all in the vault"):
                steps.inputs(runtime, plan, LinkedLock.plain(lock))
            with runtime.context("build", "maven", image) as ctx, times.of("replay"):
                result = ECOSYSTEM.build(plan, snapshot, lock, ctx)
            times.seconds.setdefault("  of it in the sandbox", []).append(result.usage.seconds)
            files = thousand(lock)
            cache = BlobCache(runtime.vault, work / "cache")
            shutil.rmtree(work / "cache", ignore_errors=True)
            for state in ("cold", "warm"):
                with times.of(f"depot of {len(files)} files, {state} cache"):
                    make_depot(files, cache, work / "depot")
                shutil.rmtree(work / "depot")
    report(times, rounds, len(lock.files))


def thousand(lock: Lock) -> list[LockedFile]:
    """Return the locked files often enough, under paths of their own."""
    endless = (
        file if turn == 0 else file.model_copy(update={"filename": f"turn{turn}/{file.filename}"})
        for turn in itertools.count()
        for file in lock.files
    )
    return list(itertools.islice(endless, DEPOT_FILES))


def report(times: Times, rounds: int, files: int) -> None:
    """Print medians and the ratios that the project holds itself to."""
    for name, seconds in times.seconds.items():
        print(f"{name:<36} {statistics.median(seconds):7.2f} s   (min {min(seconds):.2f})")
    replay = times.median("replay") / times.median("bare mvn, warm local repository")
    record = times.median("record") / times.median("bare mvn, empty local repository")
    print(f"replay against bare, warm: {replay:.2f} (aim 1.1); record against bare, empty: {record:.2f} (aim 1.3)")
    print(json.dumps({"replay": round(replay, 3), "record": round(record, 3), "files": files, "rounds": rounds}))


if __name__ == "__main__":
    main(int(sys.argv[1]) if len(sys.argv) > 1 else 3, sys.argv[2] if len(sys.argv) > 2 else REFERENCE)
