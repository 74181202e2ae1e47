"""Packages under test: tiny git repositories with a build backend in their own tree, which a file there can mislead."""

from __future__ import annotations

import json
from dataclasses import dataclass, field
from typing import TYPE_CHECKING, Any

from tests.fixtures_source import GitRepo

from .homes import SOURCES, FarmHome

if TYPE_CHECKING:
    from collections.abc import Iterable, Mapping
    from pathlib import Path

BACKEND = '''
"""A PEP 517 backend that needs nothing. What it does is said by `behave.py` beside it."""

import base64, hashlib, os, zipfile

NAME, VERSION = {name!r}, {version!r}


def metadata(name, version):
    return f"Metadata-Version: 2.1\\nName: {{name}}\\nVersion: {{version}}\\n".encode()


def wheel(folder, name=NAME, version=VERSION, tag="py3-none-any", more=(), attributes=0):
    """Write a wheel; `more` are pairs of entry name and content, with `attributes` as their zip attributes."""
    module, info = name.replace("-", "_"), f"{{name.replace('-', '_')}}-{{version}}.dist-info"
    pure = "true" if tag.endswith("any") else "false"
    with open(f"{{NAME.replace('-', '_')}}.py", "rb") as source:
        files = {{f"{{module}}.py": source.read(), **dict(more)}}
    files[f"{{info}}/METADATA"] = metadata(name, version)
    files[f"{{info}}/WHEEL"] = f"Wheel-Version: 1.0\\nRoot-Is-Purelib: {{pure}}\\nTag: {{tag}}\\n".encode()
    record = ""
    for path, data in files.items():
        digest = base64.urlsafe_b64encode(hashlib.sha256(data).digest()).rstrip(b"=").decode()
        record += f"{{path}},sha256={{digest}},{{len(data)}}\\n"
    files[f"{{info}}/RECORD"] = (record + f"{{info}}/RECORD,,\\n").encode()
    filename = f"{{module}}-{{version}}-{{tag}}.whl"
    with zipfile.ZipFile(os.path.join(folder, filename), "w") as out:
        for path, data in files.items():
            entry = zipfile.ZipInfo(path, (2020, 2, 2, 0, 0, 0))
            if path in dict(more) and attributes:
                entry.create_system, entry.external_attr = 3, attributes
            out.writestr(entry, data)
    return filename


def get_requires_for_build_wheel(config_settings=None):
    return []


def prepare_metadata_for_build_wheel(folder, config_settings=None):
    info = f"{{NAME.replace('-', '_')}}-{{VERSION}}.dist-info"
    os.mkdir(os.path.join(folder, info))
    with open(os.path.join(folder, info, "METADATA"), "wb") as out:
        out.write(metadata(NAME, VERSION))
    return info


def build_wheel(folder, config_settings=None, metadata_directory=None):
    import behave

    return behave.build(folder, wheel)
'''
GOOD = "def build(folder, wheel):\n    return wheel(folder)\n"


def tree(name: str, version: str, *, behave: str = GOOD, requires: Iterable[str] = ()) -> dict[str, str]:
    """Return the files of a project."""
    lines = ("[build-system]", f"requires = {json.dumps(list(requires))}", 'build-backend = "backend"')
    return {
        "pyproject.toml": "\n".join((*lines, 'backend-path = ["."]', "")),
        "backend.py": BACKEND.format(name=name, version=version),
        "behave.py": behave,
        f"{name.replace('-', '_')}.py": f"VERSION = {version!r}\n",
    }


@dataclass
class Package:
    """A package with its repository and its recipe, in one home."""

    home: FarmHome
    name: str
    repo: GitRepo
    recipe: dict[str, Any] = field(default_factory=dict)

    @property
    def reference(self) -> str:
        return f"python/{self.name}"

    @property
    def folder(self) -> Path:
        return self.home.recipes / "python" / self.name

    @property
    def recipe_path(self) -> Path:
        return self.folder / "recipe.yaml"

    def write(self, **changes: Any) -> Package:
        """Write the recipe with `changes` at its top level (JSON is YAML too)."""
        self.recipe |= changes
        self.folder.mkdir(parents=True, exist_ok=True)
        self.recipe_path.write_text(json.dumps(self.recipe, indent=2) + "\n", encoding="utf-8")
        return self

    def locked(self) -> Package:
        """Make the lock."""
        self.home.lock(self.reference)
        return self

    @property
    def lock_path(self) -> Path:
        (found,) = (self.folder / "locks").iterdir()
        return found


def add(
    home: FarmHome,
    name: str,
    *,
    version: str = "1.0",
    behave: str = GOOD,
    requires: Iterable[str] = (),
    lock: bool = True,
    tagged: bool = False,
    **recipe: Any,
) -> Package:
    """Make a repository and a recipe for it; `recipe` are top-level values that replace the usual ones."""
    repo = GitRepo(home.folder / "repos" / name)
    commit = repo.commit(tree(name, version, behave=behave, requires=requires))
    if tagged:
        repo.git("tag", f"v{version}")
    usual: Mapping[str, Any] = {
        "schema": 1,
        "ecosystem": "python",
        "name": name,
        "source": {"git": f"{SOURCES}/{name}", **({"tag": "v{version}"} if tagged else {})},
        "versions": {version: {"commit": commit}},
        "build": {"image": "python311", "tags": "py3-none-any"},
        "test": {"imports": [name.replace("-", "_")]},
    }
    package = Package(home, name, repo).write(**{**usual, **recipe})
    return package.locked() if lock else package
