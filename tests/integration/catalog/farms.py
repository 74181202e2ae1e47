"""Small catalogs: packages that are built by a backend of the test's own, which is a recipe itself."""

from __future__ import annotations

import io
import json
import signal
import subprocess
import zipfile
from contextlib import contextmanager
from dataclasses import dataclass, field
from typing import TYPE_CHECKING, Any

from farm.catalog.state import load_state
from farm.ecosystems.python.basis import basis
from farm.ecosystems.repositories import layout_of
from farm.errors import CatalogFailedError
from farm.model.base import BlobRef, sha256_bytes
from farm.model.lock import Lock, LockedFile
from farm.model.outcome import Outcome
from farm.model.plan import PackageId
from farm.pipeline import steps
from farm.recipe.locks import write_lock
from farm.repository.published import damaged
from tests.fixtures_source import GitRepo
from tests.integration.chain.homes import FARM, SOURCES, Done, FarmHome

if TYPE_CHECKING:
    from collections.abc import Iterable, Iterator, Mapping
    from pathlib import Path

    from farm.catalog.state import NodeState
    from tests.fixtures_python import IndexDouble

TARGET = "cp311-linux-amd64"
BACKEND = '''
"""A PEP 517 backend that needs nothing: it packs the modules of the folder it is called in."""

import base64, hashlib, os, pathlib, tomllib, zipfile

try:
    from tinystamp import STAMP
except ImportError:
    STAMP = ""


def _project():
    project = tomllib.loads(pathlib.Path("pyproject.toml").read_text())["project"]
    return project["name"], project["version"]


def _metadata(name, version):
    return f"Metadata-Version: 2.1\\nName: {name}\\nVersion: {version}\\n".encode()


def get_requires_for_build_wheel(config_settings=None):
    return []


def prepare_metadata_for_build_wheel(folder, config_settings=None):
    name, version = _project()
    info = f"{name.replace('-', '_')}-{version}.dist-info"
    os.mkdir(os.path.join(folder, info))
    pathlib.Path(folder, info, "METADATA").write_bytes(_metadata(name, version))
    return info


def build_wheel(folder, config_settings=None, metadata_directory=None):
    name, version = _project()
    spelled = name.replace("-", "_")
    info = f"{spelled}-{version}.dist-info"
    files = {path.name: path.read_bytes() for path in sorted(pathlib.Path().glob("*.py"))}
    if STAMP:
        files[f"{spelled}_stamp.py"] = f"STAMP = {STAMP!r}\\n".encode()
    files[f"{info}/METADATA"] = _metadata(name, version)
    files[f"{info}/WHEEL"] = b"Wheel-Version: 1.0\\nRoot-Is-Purelib: true\\nTag: py3-none-any\\n"
    record = ""
    for path, data in files.items():
        digest = base64.urlsafe_b64encode(hashlib.sha256(data).digest()).rstrip(b"=").decode()
        record += f"{path},sha256={digest},{len(data)}\\n"
    files[f"{info}/RECORD"] = (record + f"{info}/RECORD,,\\n").encode()
    filename = f"{spelled}-{version}-py3-none-any.whl"
    with zipfile.ZipFile(os.path.join(folder, filename), "w") as out:
        for path, data in files.items():
            out.writestr(zipfile.ZipInfo(path, (2020, 2, 2, 0, 0, 0)), data)
    return filename
'''
LINE = {"tinyback": "", "low": "tinyback", "mid": "tinyback low", "top": "mid tinyback", "side": "tinyback", "lone": ""}
"""What the packages need; whatever needs nothing has its backend in its own tree."""


def sources(name: str, needs: Iterable[str], code: str = "1") -> dict[str, str]:
    """Return the files of a project: one module, and the backend for what has it in its own tree."""
    own = "tinyback" not in needs
    requires = json.dumps([f"{need}==1.0" for need in needs])
    lines = ["[build-system]", f"requires = {requires}", 'build-backend = "tinyback"']
    lines += ['backend-path = ["."]'] if own else []
    lines += ["[project]", f'name = "{name}"', 'version = "1.0"', ""]
    files = {"pyproject.toml": "\n".join(lines)}
    if own:
        files["tinyback.py"] = BACKEND
    if name == "tinyback":
        files["tinystamp.py"] = "STAMP = ''\n"
    else:
        files[f"{name.replace('-', '_')}.py"] = f"CODE = {code!r}\n"
    return files


def upstreams_wheel(name: str, version: str = "1.0") -> tuple[str, bytes]:
    """Return what upstream publishes of a package: other bytes than farm's own."""
    spelled = name.replace("-", "_")
    info = f"{spelled}-{version}.dist-info"
    files = {
        f"{spelled}.py": BACKEND.encode() if name == "tinyback" else b"CODE = 'upstream'\n",
        f"{info}/METADATA": f"Metadata-Version: 2.1\nName: {name}\nVersion: {version}\n".encode(),
        f"{info}/WHEEL": b"Wheel-Version: 1.0\nGenerator: upstream\nRoot-Is-Purelib: true\nTag: py3-none-any\n",
        f"{info}/RECORD": b"",
    }
    out = io.BytesIO()
    with zipfile.ZipFile(out, "w") as archive:
        for path, data in files.items():
            archive.writestr(zipfile.ZipInfo(path, (2020, 2, 2, 0, 0, 0)), data)
    return f"{spelled}-{version}-py3-none-any.whl", out.getvalue()


def offer(upstream: IndexDouble, *names: str) -> None:
    """Let upstream publish packages."""
    for name in names:
        filename, data = upstreams_wheel(name)
        upstream.projects[name] = {filename: data}


def _locked(name: str) -> LockedFile:
    filename, data = upstreams_wheel(name)
    blob = BlobRef(sha256=sha256_bytes(data), size=len(data))
    return LockedFile(
        filename=filename, name=name, version="1.0", sha256=blob.sha256, size=blob.size, origin="index",
        roles=("build",), purl=f"pkg:pypi/{name}@1.0",
    )  # fmt: skip


@dataclass
class CatalogFarm:
    """A farm with a small catalog."""

    home: FarmHome
    needs: dict[str, tuple[str, ...]] = field(default_factory=dict)
    target: str = TARGET

    # --- recipes ------------------------------------------------------------------------------------------------------

    def add(self, name: str, needs: str = "") -> None:
        """Make a package, its recipe and its lock."""
        self.needs[name] = tuple(needs.split())
        repo = GitRepo(self.home.folder / "repos" / name)
        commit = repo.commit(sources(name, needs.split()))
        recipe: dict[str, Any] = {
            "schema": 1,
            "ecosystem": "python",
            "name": name,
            "source": {"git": f"{SOURCES}/{name}"},
            "versions": {"1.0": {"commit": commit}},
            "build": {"image": "python311", "tags": "py3-none-any"},
            "test": {"imports": [name.replace("-", "_")]},
        }
        path = self.recipe_path(name)
        path.parent.mkdir(parents=True, exist_ok=True)
        path.write_text(json.dumps(recipe, indent=2))
        self.lock(name)

    def lock(self, name: str) -> None:
        """Write the lock that `farm lock` writes, which names upstream's files, without a sandbox and an index."""
        rt = self.home.runtime
        plan = steps.plan(rt, f"python/{name}")
        build = tuple(f"{need}==1.0" for need in sorted(self.needs[name]))
        requirements = {"backend": (), "build": build, "constraints": (), "runtime": (), "test": ()}
        lock = Lock(
            package=str(plan.package),
            target=plan.target.key,
            image=plan.build.image,
            basis=basis(plan, steps.prove(rt, plan), requirements),
            requirements=requirements,
            files=tuple(_locked(need) for need in sorted(self.needs[name])),
        )
        write_lock(steps.recipe_lock_path(rt, plan), lock)

    def recipe_path(self, name: str) -> Path:
        return self.home.recipes / "python" / name / "recipe.yaml"

    def recipe(self, name: str, **changes: Any) -> None:
        path = self.recipe_path(name)
        path.write_text(json.dumps(json.loads(path.read_text()) | changes, indent=2))

    def patch(self, name: str, words: str, code: str) -> None:
        """Let the recipe change the code of a package; `words` stand above the patch."""
        path = self.recipe_path(name)
        (path.parent / "patches").mkdir(exist_ok=True)
        if name == "tinyback":
            changed, old, new = "tinystamp.py", "STAMP = ''", f"STAMP = {code!r}"
        else:
            changed, old, new = f"{name}.py", "CODE = '1'", f"CODE = {code!r}"
        text = f"{words}\n\n--- a/{changed}\n+++ b/{changed}\n@@ -1 +1 @@\n-{old}\n+{new}\n"
        (path.parent / "patches" / "change.patch").write_text(text)
        self.recipe(name, build={"image": "python311", "tags": "py3-none-any", "patches": ["change.patch"]})
        self.lock(name)  # it was made for another source

    def unpatch(self, name: str) -> None:
        """Take that back."""
        self.recipe(name, build={"image": "python311", "tags": "py3-none-any"})
        self.lock(name)

    # --- rebuilds -----------------------------------------------------------------------------------------------------

    def rebuild(self, *options: str, env: Mapping[str, str] | None = None) -> Done:
        return self.home.farm("catalog", "rebuild", "--here", "--jobs", "2", "--json", *options, env=env)

    @contextmanager
    def rebuilding(self, *options: str) -> Iterator[subprocess.Popen[str]]:
        """Run a rebuild beside the test; it is killed at the end of the block, if it is not over."""
        process = subprocess.Popen(
            [str(FARM), "catalog", "rebuild", "--here", "--jobs", "2", "--json", *options],
            cwd=self.home.folder,
            env=self.home.environment(),
            stdin=subprocess.DEVNULL,
            stdout=subprocess.PIPE,
            stderr=subprocess.PIPE,
            text=True,
        )
        try:
            yield process
        finally:
            if process.poll() is None:
                process.send_signal(signal.SIGKILL)
            process.communicate()

    # --- what is there ------------------------------------------------------------------------------------------------

    @property
    def state(self) -> dict[str, NodeState]:
        """Name of the package → what is known of it."""
        nodes = load_state(self.home.runtime.vault).nodes
        return {name.partition("@")[0].removeprefix("python/"): known for name, known in nodes.items()}

    def published(self, name: str) -> dict[str, str]:
        """Return what is published of a package: file name → SHA-256, every byte of it right."""
        store, package = self.home.runtime.repository, PackageId(ecosystem="python", name=name, version="1.0")
        records = layout_of("python").find(store, package)
        assert [damaged(store, record) for record in records] == [{} for _ in records]
        return {file: blob.sha256 for record in records for file, blob in record.blobs.items()}

    def page(self, name: str) -> dict[str, str]:
        """Return what the index page of a package lists: file name → SHA-256."""
        data = self.home.runtime.repository.get_bytes(f"simple/{name}/index.json") or b'{"files": []}'
        return {file["filename"]: file["hashes"]["sha256"] for file in json.loads(data)["files"]}

    def outcomes(self) -> dict[str, Outcome]:
        """Return the recorded outcomes, by build key."""
        vault = self.home.runtime.vault
        keys = list(vault.records("outcomes", ""))
        return {key: Outcome.model_validate_json(vault.get_record("outcomes", key) or b"") for key in keys}

    def runs(self) -> dict[str, str]:
        """Return which run built each recorded outcome: build key → its id."""
        return {key: outcome.run_id for key, outcome in self.outcomes().items()}

    def result(self, name: str) -> Outcome:
        """Return the outcome that counts for a package."""
        return self.outcomes()[self.state[name].build_key]


def ends(done: Done) -> dict[str, dict[str, Any]]:
    """Name of the package → its end, of a rebuild that came to its report."""
    assert done.code in {0, CatalogFailedError.exit_code}, f"ended with {done.code}\n{done.out}\n{done.err}"
    return {node["id"].partition("@")[0].removeprefix("python/"): node for node in done.data["nodes"]}


def states(done: Done) -> dict[str, str]:
    """Name of the package → how it ended."""
    return {name: end["state"] for name, end in ends(done).items()}
