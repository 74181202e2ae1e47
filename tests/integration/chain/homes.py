"""A farm of its own: a folder with farm.toml, run by the `farm` command as a user runs it."""

from __future__ import annotations

import json
import os
import re
import signal
import subprocess
import sys
import time
import tomllib
from contextlib import contextmanager
from dataclasses import dataclass, field
from functools import cached_property
from pathlib import Path
from typing import TYPE_CHECKING, Any

import httpx
import pytest

from farm.config import load_settings
from farm.errors import FarmError, registry
from farm.pipeline.locking import write_recipe_lock
from farm.pipeline.runtime import Runtime
from farm.services.registry import read_record

if TYPE_CHECKING:
    from collections.abc import Iterator, Mapping, Sequence

    from farm.services.registry import ServiceRecord

CHECKOUT = Path(__file__).resolve().parents[3]
BIN = Path(sys.executable).parent
FARM = BIN / "farm"
SOURCES = "https://git.example.test"
"""Address that recipes of the tests give to repositories below `<home>/repos`."""
JSON_PAGE = "application/vnd.pypi.simple.v1+json"
TIMEOUT = 900


def user_environment() -> dict[str, str]:
    """Return the environment of somebody who uses farm: indexes, proxies and CA bundles as they are configured here."""
    env = {k: v for k, v in os.environ.items() if not k.startswith(("FARM_", "PREFECT_", "PYTEST_", "GIT_DIR"))}
    # Loopback is reached directly, whatever proxy is configured.
    local = "127.0.0.1,localhost"
    return env | {"NO_PROXY": f"{env.get('NO_PROXY', '')},{local}", "no_proxy": f"{env.get('no_proxy', '')},{local}"}


def consumer_environment(home: Path) -> dict[str, str]:
    """Return the environment of somebody who knows nothing but an index URL: no setting of pip or uv is in it."""
    return {"PATH": os.environ["PATH"], "HOME": str(home), "LANG": "C.UTF-8", "no_proxy": "127.0.0.1,localhost"}


@dataclass(frozen=True)
class Done:
    """What a command came to."""

    argv: tuple[str, ...]
    code: int
    out: str
    err: str

    @property
    def data(self) -> Any:
        """The one JSON document on stdout."""
        return json.loads(self.out)

    def ok(self) -> Done:
        assert self.code == 0, f"{' '.join(self.argv)} ended with {self.code}\n{self.out[-4000:]}\n{self.err[-4000:]}"
        return self

    def failed(self, kind: type[FarmError], *words: str) -> dict[str, Any]:
        """Hold a failure of `--json` against what every error promises; return the error object."""
        assert self.code == kind.exit_code, f"ended with {self.code}\n{self.out[-4000:]}\n{self.err[-4000:]}"
        assert "Traceback" not in self.err
        error: dict[str, Any] = self.data
        assert registry()[self.code] is kind
        assert (error["error"], error["exit_code"]) == (kind.__name__, kind.exit_code)
        assert error["infrastructure"] is kind.infrastructure
        assert error["remedy"]
        assert error["remedy"] != FarmError.default_remedy
        for word in words:
            assert word in error["message"], error["message"]
        return error


def run(argv: Sequence[object], **options: Any) -> Done:
    """Run a command to its end, its output kept."""
    command = tuple(map(str, argv))
    options = {"timeout": TIMEOUT, "stdin": subprocess.DEVNULL, **options}
    done = subprocess.run(command, capture_output=True, text=True, check=False, **options)
    return Done(command, done.returncode, done.stdout, done.stderr)


def bytes_of(outcome: dict[str, Any]) -> list[tuple[str, str]]:
    """Return the files of an outcome by name and digest; each build has signatures of its own."""
    return [(str(file["filename"]), str(file["blob"]["sha256"])) for file in outcome["files"]]


@dataclass
class FarmHome:
    """One farm: its settings, recipes, data and services."""

    folder: Path
    recipes: Path
    sources: Mapping[str, str] = field(default_factory=dict)
    settings: Mapping[str, str] = field(default_factory=dict)
    """Further settings of the top level of farm.toml."""
    env: Mapping[str, str] = field(default_factory=dict)
    """Additions to the environment of every command."""

    def __post_init__(self) -> None:
        self.folder.mkdir(parents=True, exist_ok=True)
        self.recipes.mkdir(parents=True, exist_ok=True)
        values = {
            "data": "data",
            "recipes": str(self.recipes),
            "images": str(CHECKOUT / "images"),
            **self.settings,
        }
        lines = [f"{key} = {json.dumps(value)}" for key, value in values.items()]
        lines += ["[sources]", *(f"{json.dumps(k)} = {json.dumps(v)}" for k, v in self.sources.items())]
        (self.folder / "farm.toml").write_text("\n".join(lines) + "\n", encoding="utf-8")

    @property
    def data(self) -> Path:
        return self.folder / "data"

    @property
    def trust_config(self) -> Path:
        return self.data / "trust" / "trust_config.json"

    # --- commands -----------------------------------------------------------------------------------------------------

    def environment(self, env: Mapping[str, str] | None = None) -> dict[str, str]:
        return {**user_environment(), **self.env, **(env or {})}

    def farm(
        self, *arguments: str | Path, env: Mapping[str, str] | None = None, prefix: Sequence[str] = (), umask: int = -1
    ) -> Done:
        """Run `farm` where this home is."""
        return run([*prefix, FARM, *arguments], cwd=self.folder, env=self.environment(env), umask=umask)

    def build(self, reference: str, *options: str, env: Mapping[str, str] | None = None) -> Done:
        return self.farm("build", reference, *options, "--json", env=env)

    @cached_property
    def runtime(self) -> Runtime:
        """What `farm lock` works with, for locks that are only a test's preparation: a second less for each."""
        with pytest.MonkeyPatch.context() as patch:
            for name in (name for name in os.environ if name.startswith("FARM_")):
                patch.delenv(name)
            patch.setenv("FARM_CONFIG", str(self.folder / "farm.toml"))
            return Runtime(load_settings())

    def lock(self, reference: str) -> None:
        """Do what `farm lock` does."""
        write_recipe_lock(self.runtime, reference)

    @contextmanager
    def building(self, reference: str) -> Iterator[Building]:
        """Run `farm build` beside the test; it has ended when the block has."""
        process = subprocess.Popen(
            [str(FARM), "build", reference],
            cwd=self.folder,
            env=self.environment(),
            stdin=subprocess.DEVNULL,
            stdout=subprocess.DEVNULL,
            stderr=subprocess.PIPE,
            text=True,
        )
        try:
            yield Building(process)
        finally:
            if process.poll() is None:
                process.kill()
            process.communicate()

    # --- services -----------------------------------------------------------------------------------------------------

    def up(self, *names: str) -> None:
        self.farm("up", *names, "--json").ok()

    def down(self, *names: str) -> None:
        self.farm("down", *names, "--json").ok()

    @contextmanager
    def running(self, *names: str) -> Iterator[FarmHome]:
        """Have the services (default: all) run for as long as the block does, also when some do not start."""
        try:
            self.up(*names)
            yield self
        finally:
            self.down()

    def record(self, service: str) -> ServiceRecord:
        """Return what the run folder says about a service that was started."""
        found = read_record(self.runtime.settings, service)
        assert found is not None, f"{service} was not started"
        return found

    def pid(self, service: str) -> int:
        return self.record(service).pid

    def disk_changed(self) -> None:
        """Let the object store look at its folder again: it remembers what it listed, and the test went behind it."""
        os.kill(self.pid("s3"), signal.SIGHUP)
        time.sleep(0.2)

    def url(self, service: str) -> str:
        return self.record(service).url

    # --- what is published --------------------------------------------------------------------------------------------

    @property
    def simple(self) -> str:
        return f"{self.url('index')}/simple/"

    def page(self, project: str) -> dict[str, Any] | None:
        """Return the JSON page of a project, None when the index does not have it."""
        answer = get(f"{self.simple}{project}/", accept=JSON_PAGE)
        if answer.status_code == httpx.codes.NOT_FOUND:
            return None
        found: dict[str, Any] = answer.raise_for_status().json()
        return found

    def download(self, project: str, into: Path) -> Path:
        """Write the one published file of a project into `into`, without a look at its digest."""
        page = self.page(project)
        assert page is not None
        (entry,) = page["files"]
        into.mkdir(parents=True, exist_ok=True)
        path = into / str(entry["filename"])
        answer = get(httpx.URL(f"{self.simple}{project}/").join(entry["url"]))
        path.write_bytes(answer.raise_for_status().content)
        return path

    # --- what is on disk ----------------------------------------------------------------------------------------------

    def blob(self, sha256: str) -> Path:
        """Where the object store keeps a blob of the vault."""
        return self.data / "s3" / "farm-vault" / "blobs" / "sha256" / sha256[:2] / sha256

    def published(self, filename: str) -> Path:
        """Where the object store keeps a published file."""
        root = self.data / "s3" / "farm-repository"
        (found,) = (path for folder in ("files", "maven2") for path in (root / folder).rglob(filename))
        return found

    def quarantined(self) -> list[str]:
        """Return the digests of blobs that were put into quarantine."""
        folder = self.data / "s3" / "farm-vault" / "quarantine"
        return sorted(path.name.partition(".")[0] for path in folder.rglob("*") if path.is_file())

    def nothing_is_left(self) -> None:
        """Nothing of a build that ended, well or not, stays behind."""
        work = self.data / "work"
        assert not work.exists() or not list(work.iterdir())


@dataclass
class Building:
    """A `farm build` at work, its progress lines read as they come."""

    process: subprocess.Popen[str]
    lines: list[str] = field(default_factory=list)

    def after(self, step: str) -> None:
        """Wait until `step` is over."""
        assert self.process.stderr is not None
        for line in self.process.stderr:
            self.lines.append(line)
            if re.match(rf"✓ {re.escape(step)} ", line):
                return
        raise AssertionError(f"the build ended before {step} was over:\n{''.join(self.lines)}")

    def end(self) -> tuple[int, str]:
        """Wait for the end; return the exit code and all that was said."""
        _, rest = self.process.communicate(timeout=TIMEOUT)
        return self.process.returncode, "".join(self.lines) + rest


def get(url: str | httpx.URL, *, accept: str = "*/*") -> httpx.Response:
    """Ask a server on loopback."""
    with httpx.Client(trust_env=False, timeout=60, follow_redirects=True) as client:
        return client.get(url, headers={"Accept": accept})


def flip(path: Path) -> None:
    """Change one byte in the middle of a file; size and time of change stay."""
    state = path.stat()
    with path.open("r+b") as stream:
        stream.seek(state.st_size // 2)
        (byte,) = stream.read(1)
        stream.seek(-1, os.SEEK_CUR)
        stream.write(bytes([byte ^ 1]))
    os.utime(path, ns=(state.st_atime_ns, state.st_mtime_ns))


def own_sources() -> dict[str, str]:
    """Return what the checkout's farm.toml says about sources: that farm's own repository is the checkout."""
    settings = tomllib.loads((CHECKOUT / "farm.toml").read_text(encoding="utf-8"))
    return {address: str((CHECKOUT / path).resolve()) for address, path in settings["sources"].items()}
