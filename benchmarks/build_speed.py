"""Side by side, one machine, one call: `farm build` of markupsafe with everything warm against other ways to build it.

Prints ratios. Needs `farm up` and the builder image. Usage: python benchmarks/build_speed.py [ROUNDS]
"""

from __future__ import annotations

import json
import statistics
import subprocess
import sys
import tarfile
import tempfile
import time
import uuid
from pathlib import Path
from typing import TYPE_CHECKING, Any, TypeVar

from farm.config import load_settings
from farm.pipeline import build_package
from farm.pipeline.identity import RunIdentity
from farm.pipeline.runtime import Runtime

if TYPE_CHECKING:
    from collections.abc import Callable, Sequence

T = TypeVar("T")
BIN = Path(sys.executable).parent
REFERENCE = "python/markupsafe"


def timed(argv: Sequence[str], cwd: Path) -> float:
    """Run a command and return its wall time in seconds."""
    start = time.perf_counter()
    subprocess.run(argv, cwd=cwd, check=True, capture_output=True)
    return time.perf_counter() - start


def chain_steps(runtime: Runtime) -> dict[str, float]:
    """Run the whole chain in this process and return each step's wall time in seconds."""
    times: dict[str, float] = {}

    def call(name: str, step: Callable[..., T], /, *values: Any) -> T:
        start = time.perf_counter()
        result = step(runtime, *values)
        times[name] = time.perf_counter() - start
        return result

    build_package(REFERENCE, run=RunIdentity.new(str(uuid.uuid4())), call=call, force=True)
    return times


def main(rounds: int) -> None:
    """Measure and print."""
    settings = load_settings()
    root = settings.recipes.parent
    runtime = Runtime(settings)
    with tempfile.TemporaryDirectory() as name:
        work = Path(name)
        plan_source = runtime_source(runtime, work)
        results: dict[str, list[float]] = {}
        steps: dict[str, list[float]] = {}
        for _ in range(rounds):
            ways = {
                "uv build": ([str(BIN / "uv"), "build", "--wheel", "--no-config", "-o", str(work / "uv")], plan_source),
                "python -m build": (
                    [sys.executable, "-m", "build", "--wheel", "-o", str(work / "pip")],
                    plan_source,
                ),
                "farm build": ([str(BIN / "farm"), "build", REFERENCE, "--force"], root),
                "farm build (no-op)": ([str(BIN / "farm"), "build", REFERENCE], root),
                "farm --help": ([str(BIN / "farm"), "--help"], root),
            }
            for way, (argv, cwd) in ways.items():
                results.setdefault(way, []).append(timed(argv, cwd))
            for step, seconds in chain_steps(runtime).items():
                steps.setdefault(step, []).append(seconds)
    report(results, steps)


def runtime_source(runtime: Runtime, work: Path) -> Path:
    """Unpack the recipe's own source archive, from the vault, for the other builders."""
    from farm.pipeline import steps  # noqa: PLC0415 - beside its one use

    snapshot = steps.source(runtime, steps.plan(runtime, REFERENCE))
    target = work / "source"
    target.mkdir()
    runtime.vault.fetch(snapshot.archive, work / "source.tar")
    with tarfile.open(work / "source.tar") as archive:
        archive.extractall(target, filter="data")
    return target


def report(results: dict[str, list[float]], steps: dict[str, list[float]]) -> None:
    """Print medians and the ratios that the project holds itself to."""
    base = statistics.median(results["uv build"])
    for way, seconds in results.items():
        middle = statistics.median(seconds)
        print(f"{way:<22} {middle:7.2f} s   {middle / base:5.2f} x uv build   (min {min(seconds):.2f})")
    print()
    for step, seconds in steps.items():
        middle = statistics.median(seconds)
        print(f"  step {step:<10} {middle:7.2f} s   {middle / base:5.2f} x uv build")
    whole = sum(statistics.median(s) for s in steps.values())
    print(f"  steps together  {whole:7.2f} s   {whole / base:5.2f} x uv build")
    print(json.dumps({"uv_build_seconds": base, "rounds": len(results["uv build"])}))


if __name__ == "__main__":
    main(int(sys.argv[1]) if len(sys.argv) > 1 else 5)
