"""Recipes in a folder of the test, and a runtime that asks upstreams of the test about them."""

from __future__ import annotations

from dataclasses import dataclass, field
from datetime import UTC, datetime
from typing import TYPE_CHECKING, Any

from farm.config import PolicySettings, Settings
from farm.pipeline.runtime import Runtime
from farm.recipe.load import load_recipe

if TYPE_CHECKING:
    from collections.abc import Mapping
    from pathlib import Path

    from farm.recipe.model import Recipe

NOW = datetime(2026, 3, 10, 12, tzinfo=UTC)
OLD = "2026-01-01T00:00:00Z"
YOUNG = "2026-03-08T00:00:00Z"
YOUNG_UNTIL = "2026-03-15"

SDIST = "archive:\n    pypi-sdist: sample"
GIT = 'git: https://git.example.test/demo\n  tag: "v{version}"'
MAVEN = "archive:\n    maven: 'org.example:sample:{version}:zip:source-release'"


@dataclass
class Home:
    """A checkout of recipes, and what it is configured with."""

    root: Path
    python_index: str = "http://127.0.0.1:9/simple/"
    maven_repository: str = "http://127.0.0.1:9/maven"
    sources: dict[str, str] = field(default_factory=dict)
    cooldown_days: int = 7

    @property
    def runtime(self) -> Runtime:
        return Runtime(
            Settings(
                data=self.root / "data",
                recipes=self.root / "recipes",
                python_index=self.python_index,
                maven_repository=self.maven_repository,
                sources=self.sources,
                policy=PolicySettings(cooldown_days=self.cooldown_days),
            )
        )

    def write(self, pins: Mapping[str, str], source: str = SDIST, name: str = "sample", more: str = "") -> Path:
        """Write a recipe; `pins` are its versions with commit or SHA-256, `more` are further lines of `versions`."""
        ecosystem, image = ("maven", "jdk17") if ":" in name else ("python", "python311")
        path = self.root / "recipes" / ecosystem / name.replace(":", ".") / "recipe.yaml"
        path.parent.mkdir(parents=True, exist_ok=True)
        key = "commit" if source.startswith("git") else "sha256"
        lines = "".join(f'  "{version}":\n    {key}: "{pin}"\n' for version, pin in pins.items())
        path.write_text(
            f"# Made by a test.\nschema: 1\necosystem: {ecosystem}\nname: {name}\nsource:\n  {source}\n"
            f"versions:\n{lines}{more}build:\n  image: {image}\n"
        )
        return path

    def recipe(self, pins: Mapping[str, str], source: str = SDIST, name: str = "sample", more: str = "") -> Recipe:
        return load_recipe(self.write(pins, source, name, more))


def upload(index: Any, version: str, time: str = OLD, *, project: str = "sample", yanked: bool = False) -> bytes:
    """Put an sdist onto the index double; return its content."""
    name = f"{project}-{version}.tar.gz"
    data = f"sdist of {project} {version}".encode()
    index.projects.setdefault(project, {})[name] = data
    if time:
        index.uploaded[name] = time
    if yanked:
        index.yanked.add(name)
    return data
