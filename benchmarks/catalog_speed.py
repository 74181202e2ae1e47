"""Side by side, one machine, one call: the closure of click, attrs, markupsafe, tomlkit from sdists, against fromager.

Both sides build the same versions: fromager is given those of the recipes as constraints. Each round begins with
nothing: an empty vault here, empty folders there, nothing downloaded on either side; builder images and fromager itself
are there. Nothing changed then, and both are run again. fromager runs no tests. The recipes do, and what the tests need
is built as well; so they are measured as they ship, and with imports for a test, which leaves the same wheels to build.
Needs the builder image python311. Usage: python benchmarks/catalog_speed.py [ROUNDS] [PYTHON], with the Python that
fromager runs (and builds) with: which of its releases is the newest depends on it.
"""

from __future__ import annotations

import json
import os
import shutil
import statistics
import subprocess
import sys
import tempfile
import time
from dataclasses import dataclass, field
from pathlib import Path
from typing import TYPE_CHECKING, Any, Final

from packaging.version import Version
from ruamel.yaml import YAML

from farm import log
from farm.catalog.graph import make_graph
from farm.catalog.load import load_catalog
from farm.catalog.night import NightOptions
from farm.catalog.rebuild import capacity, run_night, select
from farm.catalog.threads import ThreadExecutor
from farm.config import load_settings
from farm.ecosystems.python.basis import basis
from farm.pipeline import steps
from farm.pipeline.runtime import Runtime
from farm.recipe.locks import lock_path, read_lock, write_lock
from farm.services.supervisor import down, up

if TYPE_CHECKING:
    from collections.abc import Mapping, Sequence

    from farm.config import Settings

CHECKOUT: Final = Path(__file__).resolve().parents[1]
PACKAGES: Final = ("click", "attrs", "markupsafe", "tomlkit")
TARGET: Final = "cp311-linux-amd64"
SERVICES: Final = ("s3", "signer")
QUIET: Final = 4.0
PATIENCE: Final = 120.0
"""Seconds that a measurement waits at most for the machine's load to fall below `QUIET`."""
AIMS: Final = {"cold": 0.7, "nothing changed": 1.0}

FARM, ALONE, AGAIN = "farm, as the recipes ship", "farm, tested by import alone", "farm, nothing changed"
BOOTSTRAP, PARALLEL, SKIPPED = (
    "fromager bootstrap",
    "fromager build-parallel",
    "fromager build-parallel, nothing changed",
)


@dataclass
class Times:
    """Wall times in seconds, by what was run."""

    seconds: dict[str, list[float]] = field(default_factory=dict)

    def run(self, name: str, argv: Sequence[str], cwd: Path, env: Mapping[str, str]) -> str:
        """Run a command to its end when the machine is quiet, and return what it printed."""
        deadline = time.monotonic() + PATIENCE
        while os.getloadavg()[0] > QUIET and time.monotonic() < deadline:
            time.sleep(2)
        told = cwd / "log.txt"
        with told.open("w", encoding="utf-8") as stderr:
            begun = time.perf_counter()
            done = subprocess.run(argv, cwd=cwd, env=env, check=False, stdout=subprocess.PIPE, stderr=stderr, text=True)
            self.seconds.setdefault(name, []).append(time.perf_counter() - begun)
        assert done.returncode == 0, f"{' '.join(argv)}\n{told.read_text(encoding='utf-8')[-4000:]}"
        print(f"  {name:<42} {self.seconds[name][-1]:7.2f} s   (load {os.getloadavg()[0]:.1f})", flush=True)
        return done.stdout

    def median(self, *names: str) -> float:
        return sum(statistics.median(self.seconds[name]) for name in names)


# --- this side --------------------------------------------------------------------------------------------------------


def settings_of(home: Path, recipes: Path) -> Settings:
    """Write the farm.toml of a farm in `home`, with the images of this checkout, and return its settings."""
    home.mkdir()
    folders = {"data": "data", "recipes": str(recipes), "images": str(CHECKOUT / "images")}
    text = "".join(f"{key} = {json.dumps(value)}\n" for key, value in folders.items())
    (home / "farm.toml").write_text(text, encoding="utf-8")
    os.environ["FARM_CONFIG"] = str(home / "farm.toml")
    return load_settings()


def wanted(settings: Settings) -> tuple[tuple[str, ...], dict[str, str]]:
    """Return the nodes of the packages' newest versions, and the versions of all that they need, by name."""
    graph = make_graph(load_catalog(settings))
    nodes = graph.catalog.nodes
    only = []
    for name in PACKAGES:
        found = [node for node in graph.catalog.find(f"python/{name}") if node.target.key == TARGET]
        only.append(max(found, key=lambda node: Version(node.package.version)).id)
    packages = [nodes[name].package for name in sorted(select(graph, only))]
    versions = {package.name: package.version for package in packages}
    assert len(versions) == len(packages), "two versions of one package are no constraint"
    return tuple(only), versions


def write_untested(settings: Settings, recipes: Path) -> None:
    """Write the recipes of all that `PACKAGES` need, their locks and nothing else, without tests other than imports.

    What that leaves of a lock is what locking anew would give, but for the index, which can have newer files by now.
    """
    rt = Runtime(settings)
    graph = make_graph(load_catalog(settings))
    only, _ = wanted(settings)
    for name in sorted(select(graph, only)):
        node = graph.catalog.nodes[name]
        found = steps.plan(rt, node.reference, node.image)
        old = settings.recipes / found.recipe_path
        recipe = YAML(typ="safe").load(old.read_text(encoding="utf-8"))
        recipe["test"] = {"imports": list(found.test.imports)}
        recipe["versions"] = {found.package.version: recipe["versions"][found.package.version]}
        recipe["build"]["image"] = node.image
        new = recipes / found.recipe_path
        new.parent.mkdir(parents=True)
        new.write_text(json.dumps(recipe), encoding="utf-8")  # JSON is YAML, too
        if (old.parent / "patches").is_dir():
            shutil.copytree(old.parent / "patches", new.parent / "patches")
        lock = read_lock(lock_path(old.parent, found.package.version, TARGET))
        plan = found.model_copy(update={"test": found.test.model_copy(update={"command": (), "requires": ()})})
        requirements = {**lock.requirements, "test": ()}
        roles = [(file, tuple(role for role in file.roles if role != "test")) for file in lock.files]
        update = {
            "basis": basis(plan, steps.source(rt, plan), requirements),
            "requirements": requirements,
            "files": tuple(file.model_copy(update={"roles": left}) for file, left in roles if left),
        }
        write_lock(lock_path(new.parent, found.package.version, TARGET), lock.model_copy(update=update))


def rebuild(only: Sequence[str]) -> None:
    """Rebuild in this process, which was started for it; print how many nodes ended how."""
    log.configure()
    rt = Runtime(load_settings())
    options = NightOptions(only=tuple(only), inputs="rebuilt-first")
    with ThreadExecutor(max(1, int(capacity(rt.settings).cpus))) as executor:
        report = run_night(rt, options, executor, run_id="benchmark")
    assert report.ended_with == 0, report.markdown
    print(json.dumps(report.counts))


def farm_round(times: Times, home: Path, recipes: Path, name: str) -> dict[str, int]:
    """Rebuild from an empty vault, and again; return how many were built."""
    settings = settings_of(home, recipes)
    only, _ = wanted(settings)
    env = {key: value for key, value in os.environ.items() if not key.startswith("FARM_")}
    argv = [sys.executable, "-P", __file__, "rebuild", *only]
    up(settings, SERVICES)
    try:
        first: dict[str, int] = json.loads(times.run(name, argv, home, env))
        second: dict[str, int] = json.loads(times.run(AGAIN, argv, home, env))
    finally:
        down(settings, SERVICES)
    assert second["built"] == 0, second
    assert second["unchanged"] == first["built"], (first, second)
    return first


# --- the other side ---------------------------------------------------------------------------------------------------


@dataclass(frozen=True)
class Fromager:
    """fromager in a virtual environment of its own."""

    venv: Path

    @classmethod
    def install(cls, venv: Path, python: str) -> Fromager:
        """Install the newest release that runs with `python`."""
        uv = str(Path(sys.executable).parent / "uv")
        for argv in (
            ["venv", "--python", python, str(venv)],
            ["pip", "install", "--python", str(venv), "fromager", "uv"],
        ):
            subprocess.run([uv, *argv], check=True, capture_output=True)
        return cls(venv)

    @property
    def version(self) -> str:
        argv = [str(self.venv / "bin" / "fromager"), "--version"]
        return subprocess.run(argv, check=True, capture_output=True, text=True).stdout.split()[-1]

    def round(self, times: Times, home: Path, versions: Mapping[str, str]) -> list[str]:
        """Bootstrap, build in parallel from nothing, and again; return the wheels."""
        home.mkdir()
        write_lines(home / "requirements.txt", PACKAGES)
        write_lines(home / "constraints.txt", [f"{name}=={version}" for name, version in versions.items()])
        env = {**os.environ, "PATH": f"{self.venv / 'bin'}:{os.environ['PATH']}", "UV_CACHE_DIR": str(home / "uv")}
        base = [str(self.venv / "bin" / "fromager"), "-c", str(home / "constraints.txt")]
        times.run(BOOTSTRAP, [*base, "bootstrap", "-r", "requirements.txt"], home, env)
        graph = str(home / "work-dir" / "graph.json")
        build = home / "build"
        build.mkdir()
        times.run(PARALLEL, [*base, "build-parallel", graph], build, env)
        wheels = sorted(path.name for path in (build / "wheels-repo" / "downloads").glob("*.whl"))
        times.run(SKIPPED, [*base, "build-parallel", graph], build, env)
        return wheels


def write_lines(path: Path, lines: Sequence[str]) -> None:
    path.write_text("".join(f"{line}\n" for line in lines), encoding="utf-8")


# --- all of it --------------------------------------------------------------------------------------------------------


def main(rounds: int, python: str) -> None:
    """Measure and print."""
    log.configure(level="ERROR")
    times = Times()
    wheels: list[str] = []
    built: dict[str, int] = {}
    (CHECKOUT / ".farm").mkdir(exist_ok=True)
    with tempfile.TemporaryDirectory(prefix="speed-", dir=CHECKOUT / ".farm") as name:
        work = Path(name)
        fromager = Fromager.install(work / "venv", python)
        start = settings_of(work / "start", CHECKOUT / "recipes")
        _, versions = wanted(start)
        up(start, ["s3"])
        try:
            write_untested(start, work / "recipes")
        finally:
            down(start, ["s3"])
        for turn in range(rounds):
            print(f"round {turn + 1} with fromager {fromager.version}", flush=True)
            order = ["fromager", FARM, ALONE]
            for side in order if turn % 2 else reversed(order):
                home = work / f"{turn}-{order.index(side)}"
                if side == "fromager":
                    wheels = fromager.round(times, home, versions)
                else:
                    recipes = CHECKOUT / "recipes" if side == FARM else work / "recipes"
                    built[side] = farm_round(times, home, recipes, side)["built"]
        _, left = wanted(settings_of(work / "end", work / "recipes"))
    there = {wheel.partition("-")[0].replace("_", "-").lower() for wheel in wheels}
    print(f"wheels: fromager {len(wheels)}, farm {built[FARM]}, tested by import alone {built[ALONE]}")
    print(f"built for tests: {', '.join(sorted(versions.keys() - left.keys()))}; ", end="")
    print(f"not the same otherwise: {', '.join(sorted(left.keys() ^ there)) or 'none'}")
    report(times, rounds)


def report(times: Times, rounds: int) -> None:
    """Print medians and the ratios that the project holds itself to."""
    for name, seconds in times.seconds.items():
        print(f"{name:<60} {statistics.median(seconds):7.2f} s   ({min(seconds):.2f} - {max(seconds):.2f})")
    ratios: dict[str, Any] = {
        f"{name}, against {against}": (times.median(name) / times.median(*others), AIMS["cold"])
        for name in (FARM, ALONE)
        for against, others in (("build-parallel", [PARALLEL]), ("bootstrap and that", [BOOTSTRAP, PARALLEL]))
    }
    ratios["nothing changed"] = (times.median(AGAIN) / times.median(SKIPPED), AIMS["nothing changed"])
    for name, (ratio, aim) in ratios.items():
        print(f"{name:<60} {ratio:7.2f} x fromager   (aim {aim})")
    print(json.dumps({"rounds": rounds, **{name: round(ratio, 3) for name, (ratio, _) in ratios.items()}}))


if __name__ == "__main__":
    if sys.argv[1:2] == ["rebuild"]:
        rebuild(sys.argv[2:])
    else:
        main(int(sys.argv[1]) if len(sys.argv) > 1 else 3, sys.argv[2] if len(sys.argv) > 2 else sys.executable)
