from __future__ import annotations

import json
from pathlib import Path

import pytest

from farm.recipe.schema import reference_markdown, schema_json, write_reference

ROOT = Path(__file__).parents[3]
HINT = "run `python -m farm.recipe.schema docs/reference`"


def test_committed_files_are_current(tmp_path: Path) -> None:
    for made in write_reference(tmp_path):
        committed = ROOT / "docs" / "reference" / made.name
        assert committed.read_text(encoding="utf-8") == made.read_text(encoding="utf-8"), HINT


def test_every_key_is_described() -> None:
    schema = json.loads(schema_json())
    for name, part in {"Recipe": schema, **schema["$defs"]}.items():
        assert part["additionalProperties"] is False, name
        for key, field in part["properties"].items():
            assert field.get("description"), f"{name}.{key}"
            assert f"`{key}`" in reference_markdown()


def test_shipped_recipes_follow_the_schema() -> None:
    validator = pytest.importorskip("jsonschema").Draft202012Validator(json.loads(schema_json()))
    from ruamel.yaml import YAML  # noqa: PLC0415 - for this test alone

    files = sorted((ROOT / "recipes").glob("*/*/recipe.yaml"))
    assert files
    for path in files:
        validator.validate(YAML(typ="safe", pure=True).load(path))
