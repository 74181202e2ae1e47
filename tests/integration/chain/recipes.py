"""What the recipes that ship pin, and what their locks take from farm's own repository."""

from __future__ import annotations

import json
from typing import TYPE_CHECKING, Any

from ruamel.yaml import YAML

if TYPE_CHECKING:
    from pathlib import Path


def pins(recipes: Path) -> dict[Path, set[tuple[str, str, str]]]:
    """Return for each recipe's folder what it publishes: ecosystem, name, version."""
    found = {}
    for path in sorted(recipes.glob("*/*/recipe.yaml")):
        recipe = YAML(typ="safe").load(path)
        options = recipe.get("build", {}).get("options", {})
        names = (recipe["name"], *options.get("artifacts", ()))
        found[path.parent] = {(recipe["ecosystem"], name, str(v)) for name in names for v in recipe["versions"]}
    return found


def locked_from_farm(recipes: Path) -> dict[Path, list[dict[str, Any]]]:
    """Return for each lock that takes files from farm's own repository these files."""
    found = {}
    for path in sorted(recipes.glob("*/*/locks/*.json")):
        files = json.loads(path.read_text(encoding="utf-8"))["files"]
        of_farm = [file for file in files if file["origin"] != "index"]
        if of_farm:
            found[path] = of_farm
    return found


def strangers(recipes: Path) -> list[str]:
    """Return what locks take from farm's own repository although no other recipe here makes it, by name and version."""
    pinned = pins(recipes)
    found = []
    for path, files in locked_from_farm(recipes).items():
        own = path.parents[1]
        rebuilt = {made for folder, all_of_it in pinned.items() if folder != own for made in all_of_it}
        found += [
            f"{own.name}: {file['filename']}"
            for file in files
            if file["origin"] != "farm" or (own.parent.name, file["name"], file["version"]) not in rebuilt
        ]
    return found
