"""A wide catalog, rebuilt from an empty vault with one slot and with two: how much of the second one there is.

The packages are tiny, need nothing of each other, and sleep while they are built, as one does that waits for a linker
or a test: two processors that others use too do not decide then. What is left is what this farm adds: does anything
wait in line that could run side by side? Needs the builder image python311. Usage:
python benchmarks/catalog_workers.py [ROUNDS] [PACKAGES] [SECONDS], with the seconds that a build sleeps.
"""

from __future__ import annotations

import json
import os
import statistics
import subprocess
import sys
import tempfile
import time
from pathlib import Path
from typing import TYPE_CHECKING, Final

from farm import log
from farm.catalog.night import NightOptions
from farm.catalog.rebuild import run_night
from farm.catalog.threads import ThreadExecutor
from farm.config import load_settings
from farm.pipeline.locking import write_recipe_lock
from farm.pipeline.runtime import Runtime
from farm.services.supervisor import down, up

if TYPE_CHECKING:
    from collections.abc import Iterator

    from farm.config import Settings

CHECKOUT: Final = Path(__file__).resolve().parents[1]
SERVICES: Final = ("s3", "signer")
SLOTS: Final = (1, 2)
AIM: Final = 1.8
QUIET: Final = 4.0
PATIENCE: Final = 120.0
"""Seconds that a measurement waits at most for the machine's load to fall below `QUIET`."""
URL: Final = "https://git.example.test/wide.git"
"""What the recipes call the repository below the temporary folder."""

BACKEND: Final = '''\
"""A PEP 517 backend that needs nothing but time."""

import base64, hashlib, os, time, zipfile

NAME = {name!r}


def get_requires_for_build_wheel(config_settings=None):
    return []


def digest(text):
    return base64.urlsafe_b64encode(hashlib.sha256(text.encode()).digest()).rstrip(b"=").decode()


def metadata():
    return f"Metadata-Version: 2.1\\nName: {{NAME}}\\nVersion: 1.0\\n"


def prepare_metadata_for_build_wheel(folder, config_settings=None):
    info = f"{{NAME}}-1.0.dist-info"
    os.mkdir(os.path.join(folder, info))
    with open(os.path.join(folder, info, "METADATA"), "w") as out:
        out.write(metadata())
    return info


def build_wheel(folder, config_settings=None, metadata_directory=None):
    time.sleep({seconds})
    info, filename = f"{{NAME}}-1.0.dist-info", f"{{NAME}}-1.0-py3-none-any.whl"
    files = {{
        f"{{NAME}}.py": "",
        f"{{info}}/METADATA": metadata(),
        f"{{info}}/WHEEL": "Wheel-Version: 1.0\\nRoot-Is-Purelib: true\\nTag: py3-none-any\\n",
    }}
    lines = [f"{{path}},sha256={{digest(text)}},{{len(text)}}\\n" for path, text in files.items()]
    files[f"{{info}}/RECORD"] = "".join([*lines, f"{{info}}/RECORD,,\\n"])
    with zipfile.ZipFile(os.path.join(folder, filename), "w") as out:
        for path, text in files.items():
            out.writestr(zipfile.ZipInfo(path), text)
    return filename
'''
PROJECT: Final = '[build-system]\nrequires = []\nbuild-backend = "backend"\nbackend-path = ["."]\n'


def names(count: int) -> Iterator[str]:
    return (f"wide{number:02}" for number in range(count))


def write_repository(folder: Path, count: int, seconds: float) -> str:
    """Write all projects into one git repository; return its commit."""
    for name in names(count):
        project = folder / name
        project.mkdir(parents=True)
        (project / "pyproject.toml").write_text(PROJECT, encoding="utf-8")
        (project / "backend.py").write_text(BACKEND.format(name=name, seconds=seconds), encoding="utf-8")
    git(folder, "init", "--quiet")
    git(folder, "add", ".")
    git(folder, "-c", "user.name=bench", "-c", "user.email=bench@example.test", "commit", "--quiet", "-m", "wide")
    return git(folder, "rev-parse", "HEAD").strip()


def git(folder: Path, *arguments: str) -> str:
    return subprocess.run(["git", *arguments], cwd=folder, check=True, capture_output=True, text=True).stdout  # noqa: S607 - the user's


def write_recipes(recipes: Path, count: int, commit: str) -> None:
    for name in names(count):
        recipe = {
            "schema": 1,
            "ecosystem": "python",
            "name": name,
            "source": {"git": URL, "subdirectory": name},
            "versions": {"1.0": {"commit": commit}},
            "build": {"image": "python311", "tags": "py3-none-any"},
            "test": {"imports": [name]},
        }
        folder = recipes / "python" / name
        folder.mkdir(parents=True)
        (folder / "recipe.yaml").write_text(json.dumps(recipe), encoding="utf-8")  # JSON is YAML, too


def settings_of(work: Path, home: str, slots: int) -> Settings:
    """Write the farm.toml of an empty farm and return its settings."""
    (work / home).mkdir()
    values = {"data": "data", "recipes": str(work / "recipes"), "images": str(CHECKOUT / "images")}
    lines = [f"{key} = {json.dumps(value)}" for key, value in values.items()]
    lines += ["[sources]", f"{json.dumps(URL)} = {json.dumps(str(work / 'repository'))}"]
    lines += ["[catalog]", f"cpus = {slots}"]
    (work / home / "farm.toml").write_text("\n".join(lines) + "\n", encoding="utf-8")
    os.environ["FARM_CONFIG"] = str(work / home / "farm.toml")
    return load_settings()


def rebuild(settings: Settings, slots: int) -> float:
    """Rebuild all of it; return the seconds."""
    up(settings, SERVICES)
    try:
        rt = Runtime(settings)
        begun = time.perf_counter()
        with ThreadExecutor(slots) as executor:
            report = run_night(rt, NightOptions(), executor, run_id="benchmark")
        seconds = time.perf_counter() - begun
    finally:
        down(settings, SERVICES)
    assert report.counts["built"] == len(report.nodes), report.markdown
    return seconds


def wait_for_quiet() -> None:
    deadline = time.monotonic() + PATIENCE
    while os.getloadavg()[0] > QUIET and time.monotonic() < deadline:
        time.sleep(2)


def main(rounds: int, count: int, sleep: float) -> None:
    """Measure and print."""
    log.configure(level="WARNING")
    times: dict[int, list[float]] = {slots: [] for slots in SLOTS}
    (CHECKOUT / ".farm").mkdir(exist_ok=True)
    with tempfile.TemporaryDirectory(prefix="wide-", dir=CHECKOUT / ".farm") as name:
        work = Path(name)
        commit = write_repository(work / "repository", count, sleep)
        write_recipes(work / "recipes", count, commit)
        first = settings_of(work, "first", 2)
        up(first, SERVICES)
        try:
            for package in names(count):
                write_recipe_lock(Runtime(first), f"python/{package}")
        finally:
            down(first, SERVICES)
        rebuild(first, 2)  # imports, caches of the disk
        for turn in range(rounds):
            for slots in SLOTS if turn % 2 else reversed(SLOTS):
                settings = settings_of(work, f"{turn}-{slots}", slots)
                wait_for_quiet()
                times[slots].append(rebuild(settings, slots))
                print(f"  {slots} slots: {times[slots][-1]:6.2f} s   (load {os.getloadavg()[0]:.1f})", flush=True)
    report(times, count, sleep)


def report(times: dict[int, list[float]], count: int, sleep: float) -> None:
    for slots, seconds in times.items():
        middle, spread = statistics.median(seconds), f"{min(seconds):.2f} - {max(seconds):.2f}"
        print(f"{count} packages that sleep {sleep} s, {slots} slots   {middle:7.2f} s   ({spread})")
    ratio = statistics.median(times[1]) / statistics.median(times[2])
    pairs = [one / two for one, two in zip(times[1], times[2], strict=True)]
    print(f"two against one: {ratio:.2f} x as fast (rounds: {min(pairs):.2f} - {max(pairs):.2f}; aim {AIM})")
    print(json.dumps({"ratio": round(ratio, 3), "rounds": len(pairs), "packages": count, "sleep": sleep}))


if __name__ == "__main__":
    given = sys.argv[1:]
    main(
        int(given[0]) if given else 3,
        int(given[1]) if len(given) > 1 else 12,
        float(given[2]) if len(given) > 2 else 2.0,
    )
