"""`make demo`: one real package through the whole chain, with the commands that a user would type.

Runs in farm's own virtual environment, after `infra.setup`. Every step is a real command with its own output; the first
that fails ends the demo with its exit code.
"""

from __future__ import annotations

import importlib.util
import json
import os
import shutil
import subprocess
import sys
import tempfile
import time
from dataclasses import dataclass, field
from pathlib import Path
from typing import TYPE_CHECKING, Any

from git import GitCommandError, InvalidGitRepositoryError, Repo
from rich.console import Console

from farm.config import load_settings
from farm.consumer.fetch import fetch_sidecars
from farm.errors import FarmError
from farm.recipe.catalog import find_recipe
from farm.services.registry import prefect_login_path

if TYPE_CHECKING:
    from collections.abc import Iterator, Sequence

ROOT = Path(__file__).resolve().parent.parent
FARM = str(Path(sys.prefix) / "bin" / "farm")
PACKAGE = "markupsafe"
RECIPE = f"python/{PACKAGE}"
IMAGE = "python311"
"""The one that this recipe names."""
ITSELF = "python/farm"


class StepError(Exception):
    """A step's command failed with this exit code."""

    def __init__(self, argv: Sequence[str], code: int) -> None:
        super().__init__(f"{' '.join(argv)} ended with exit code {code}")
        self.code = code


@dataclass
class Demo:
    """The steps, with what they found out for the summary."""

    console: Console
    work: Path
    times: list[tuple[str, float]] = field(default_factory=list)
    wheel: Path = Path()
    sha256: str = ""
    offline: str = ""

    def title(self, text: str) -> None:
        """Begin a step."""
        self.console.print(f"\n[bold cyan]━━ {len(self.times) + 1}. {text}[/]")

    def run(self, title: str, *argv: str, env: dict[str, str] | None = None) -> None:
        """Run one step's command, its output as it comes.

        Raises:
            StepError: it failed.
        """
        self.title(title)
        self.command(*argv, env=env)

    def command(self, *argv: str, env: dict[str, str] | None = None) -> None:
        """Run a command of the present step, its output as it comes.

        Raises:
            StepError: it failed.
        """
        self.console.print(f"$ {' '.join(_short(a) for a in argv)}", style="bold", markup=False)
        code = subprocess.run(argv, check=False, env=env, cwd=ROOT).returncode
        if code != 0:
            raise StepError(argv, code)

    def timed(self, name: str, begun: float) -> None:
        """End a step."""
        self.times.append((name, time.monotonic() - begun))


def _short(argument: str) -> str:
    return argument.removeprefix(f"{Path(sys.prefix) / 'bin'}/")


def _farm_json(*arguments: str) -> Any:
    """Return what a verb of farm reports."""
    done = subprocess.run([FARM, *arguments, "--json"], check=False, capture_output=True, text=True, cwd=ROOT)
    return json.loads(done.stdout)


def _addresses() -> dict[str, str]:
    return {str(service["name"]): str(service["url"]) for service in _farm_json("status")}


def _consumer_environment() -> dict[str, str]:
    """Return the environment of somebody who knows nothing of farm but one index URL."""
    keep = ("PATH", "HOME", "LANG", "TMPDIR")
    return {k: v for k, v in os.environ.items() if k in keep}


def build_itself(demo: Demo) -> None:
    """Build farm from its own repository: a git source, the commit that its recipe pins, from this checkout.

    Raises:
        StepError: the build failed.
    """
    demo.title("farm builds itself from git: the pinned commit out of this checkout's own history")
    pins = find_recipe(load_settings().recipes, ITSELF)
    commit = pins.recipe.versions[pins.version].commit or ""
    try:
        with Repo(ROOT) as repo:
            repo.git.cat_file("-e", f"{commit}^{{commit}}")
    except (InvalidGitRepositoryError, GitCommandError):
        demo.console.print(f"[yellow]left out: this checkout has no history with {commit} (a shallow clone?)[/]")
        return
    demo.command(FARM, "submit", "recipe", ITSELF, "--wait")


def install(demo: Demo, index: str) -> None:
    """Install the wheel with stock pip into a new virtual environment, from farm's index and nowhere else.

    Raises:
        StepError: a command failed.
    """
    demo.title("install it with stock pip, from farm's index alone, into a new virtual environment")
    venv = demo.work / "consumer"
    env = _consumer_environment()
    if importlib.util.find_spec("ensurepip") is not None:
        demo.command(sys.executable, "-m", "venv", str(venv), env=env)
    else:
        demo.command(str(Path(sys.prefix) / "bin" / "uv"), "venv", "--quiet", "--seed", str(venv))
    python = str(venv / "bin" / "python")
    report = demo.work / "report.json"
    pip = [python, "-m", "pip", "--isolated", "--disable-pip-version-check"]
    source = ["--index-url", index, "--no-cache-dir", "--only-binary", ":all:"]
    demo.command(*pip, "install", *source, "--report", str(report), PACKAGE, env=env)
    entry = json.loads(report.read_text(encoding="utf-8"))["install"][0]
    demo.sha256 = entry["download_info"]["archive_info"]["hashes"]["sha256"]
    program = f"import {PACKAGE} as m; print(m.__file__); print(m.escape('<farm>'))"
    demo.command(python, "-c", program, env=env)
    pinned = f"{PACKAGE}=={entry['metadata']['version']}"
    demo.command(*pip, "download", "--quiet", *source, "--no-deps", "--dest", str(demo.work), pinned, env=env)
    demo.wheel = next(demo.work.glob("*.whl"))


def _without_network() -> tuple[list[str], str]:
    """Return what stands before a command to take its network away, and how to say it."""
    unshare = shutil.which("unshare")
    for options in (["-n"], ["-r", "-n"]):
        if unshare and subprocess.run([unshare, *options, "true"], check=False, capture_output=True).returncode == 0:
            return [unshare, *options], "in a network namespace without any interface"
    return [], "offline by design, but with the network there: this host allows no network namespace"


def verify(demo: Demo, index: str) -> None:
    """Fetch what lies beside the wheel, then verify all of it without network.

    Raises:
        StepError: it does not verify.
    """
    demo.title("verify the wheel without network")
    fetch_sidecars(index, demo.wheel, demo.work)
    prefix, demo.offline = _without_network()
    demo.console.print(f"[dim]{demo.offline}[/]")
    demo.command(*prefix, FARM, "verify", str(demo.wheel))


def summary(demo: Demo, index: str, addresses: dict[str, str]) -> Iterator[str]:
    """Return the lines of the summary."""
    login = prefect_login_path(load_settings())
    yield f"[bold green]{demo.wheel.name}[/]"
    yield f"  sha256 {demo.sha256}"
    yield "[bold]What was proven[/]"
    yield "  built from the pinned source in a sandbox without network, from locked inputs whose digests were checked"
    yield "  tested in a fresh sandbox; signed by a process that hashed the file itself; published once it verified"
    yield f"  installed by a pip that knew nothing but the index URL; verified {demo.offline}"
    yield "[bold]Where things are[/]"
    yield f"  Prefect UI  {addresses.get('prefect', '')} (it asks once for the line in {login})"
    yield f"  index       {index}"
    yield f"  data, logs  {load_settings().data}"
    yield "[bold]Try next[/]"
    yield f"  pip install --index-url {index} {PACKAGE}"
    yield "  .venv/bin/farm submit recipe python/click --wait      another package"
    yield f"  .venv/bin/farm submit recipe {RECIPE} --wait  again: nothing is built, the result is known"
    yield f"  .venv/bin/farm build {RECIPE} --force         the same steps without Prefect: equal bytes"
    yield "  .venv/bin/farm status, then make down                 services run until you stop them"
    yield "[dim]" + ", ".join(f"{name} {seconds:.0f} s" for name, seconds in demo.times) + "[/]"


def play(demo: Demo) -> None:
    """Run all steps.

    Raises:
        StepError: one failed.
        FarmError: the index does not have what it should.
    """
    for name, title, arguments in (
        ("image", "the builder image (made once; unchanged = reused)", ("images", "build", IMAGE)),
        ("services", "the services: object store, signer, index, Prefect server, worker", ("up",)),
        (
            "build",
            "build through a real worker; equal inputs = nothing is built",
            ("submit", "recipe", RECIPE, "--wait"),
        ),
    ):
        begun = time.monotonic()
        demo.run(title, FARM, *arguments)
        demo.timed(name, begun)
    begun = time.monotonic()
    build_itself(demo)
    demo.timed("itself", begun)
    addresses = _addresses()
    index = f"{addresses['index']}/simple/"
    begun = time.monotonic()
    install(demo, index)
    demo.timed("install", begun)
    begun = time.monotonic()
    verify(demo, index)
    demo.timed("verify", begun)
    demo.title("summary")
    for line in summary(demo, index, addresses):
        demo.console.print(line, highlight=False)


def main() -> int:
    """Run the demo; return the exit code of the first command that failed, else 0."""
    console = Console(soft_wrap=True)
    with tempfile.TemporaryDirectory(prefix="farm-demo-") as folder:
        try:
            play(Demo(console=console, work=Path(folder)))
        except StepError as error:
            console.print(f"\n[bold red]The demo ends here:[/] {error}", highlight=False)
            return error.code
        except FarmError as error:
            console.print(f"\n[bold red]{type(error).__name__}:[/] {error.message}\n→ {error.remedy}", highlight=False)
            return error.exit_code
    return 0


if __name__ == "__main__":
    sys.exit(main())
