"""JSON schema and reference page of the recipe, made from the model: `python -m farm.recipe.schema docs/reference`."""

from __future__ import annotations

import json
import sys
from pathlib import Path
from typing import TYPE_CHECKING, Any

from farm.languages import language, language_names
from farm.recipe.model import Recipe

if TYPE_CHECKING:
    from collections.abc import Iterator

__all__ = ["reference_markdown", "schema_json", "write_reference"]

_DIALECT = "https://json-schema.org/draft/2020-12/schema"
_INTRODUCTION = """\
# The recipe

<!-- Generated from farm/recipe/model.py by `python -m farm.recipe.schema docs/reference`; do not edit. -->

`recipes/<ecosystem>/<name>/recipe.yaml`. Unknown keys are errors. The same as JSON schema, for editors:
[recipe.schema.json](recipe.schema.json). How to write one: [add a recipe](../how-to/add-a-recipe.md).
"""


def recipe_schema() -> dict[str, Any]:
    """Return the JSON schema (draft 2020-12) of a recipe."""
    schema = Recipe.model_json_schema(by_alias=True)
    schema["properties"]["ecosystem"]["enum"] = list(language_names())
    schema["allOf"] = list(_options(schema["$defs"]))
    _tidy(schema)
    return {"$schema": _DIALECT, **schema}


def _options(definitions: dict[str, Any]) -> Iterator[dict[str, Any]]:
    """Add the options of each language to the definitions; yield the rules that pick them by the ecosystem."""
    for name in language_names():
        model = language(name).options
        options = model.model_json_schema(ref_template="#/$defs/{model}")
        for key, definition in {**options.pop("$defs", {}), model.__name__: options}.items():
            if definitions.setdefault(key, definition) != definition:
                msg = f"two parts of a recipe are called {key}"
                raise ValueError(msg)
        build = {"properties": {"options": {"$ref": f"#/$defs/{model.__name__}"}}}
        yield {
            "if": {"properties": {"ecosystem": {"const": name}}, "required": ["ecosystem"]},
            "then": {
                "properties": {
                    "build": build,
                    "versions": {"additionalProperties": {"properties": {"build": build}}},
                }
            },
        }


def schema_json() -> str:
    """Return the JSON schema as it is committed."""
    return json.dumps(recipe_schema(), indent=2, ensure_ascii=False) + "\n"


def reference_markdown() -> str:
    """Return the reference page: one table of fields for each part of a recipe."""
    schema = recipe_schema()
    definitions: dict[str, Any] = schema["$defs"]
    sections = [_INTRODUCTION, _section("Recipe", schema)]
    sections += [_section(name, definitions[name]) for name in _order(schema)]
    return "\n".join(sections)


def write_reference(folder: Path) -> tuple[Path, ...]:
    """Write `recipe.schema.json` and `recipe.md` into `folder` and return their paths."""
    folder.mkdir(parents=True, exist_ok=True)
    files = {folder / "recipe.schema.json": schema_json(), folder / "recipe.md": reference_markdown()}
    for path, text in files.items():
        path.write_text(text, encoding="utf-8")
    return tuple(files)


def _tidy(node: Any) -> None:
    """Drop the titles that pydantic makes of names, and line breaks inside of descriptions; add nothing."""
    if isinstance(node, dict):
        if isinstance(node.get("title"), str):
            del node["title"]
        if isinstance(node.get("description"), str):
            node["description"] = " ".join(node["description"].split())
        for value in node.values():
            _tidy(value)
    elif isinstance(node, list):
        for value in node:
            _tidy(value)


def _order(schema: dict[str, Any]) -> list[str]:
    """Return the parts in the order in which a reader of the page meets them."""
    definitions: dict[str, Any] = schema["$defs"]
    queue, seen = [schema], list[str]()
    while queue:
        for name in _references(queue.pop(0)):
            if name not in seen:
                seen.append(name)
                queue.append(definitions[name])
    return seen


def _references(node: Any) -> list[str]:
    if isinstance(node, dict):
        own = [node["$ref"].rsplit("/", 1)[-1]] if isinstance(node.get("$ref"), str) else []
        return own + [name for key, value in node.items() if key != "$defs" for name in _references(value)]
    if isinstance(node, list):
        return [name for value in node for name in _references(value)]
    return []


def _section(name: str, schema: dict[str, Any]) -> str:
    if not schema["properties"]:
        return f"## {name}\n\n{schema.get('description', '')}\n"
    required = set(schema.get("required", ()))
    head = ["| key | type | default | what it is |", "|--|--|--|--|"]
    lines = [f"## {name}", "", schema.get("description", ""), "", *head]
    for key, field in schema["properties"].items():
        default = "**required**" if key in required else _default(field)
        lines.append(f"| `{key}` | {_type(field)} | {default} | {_cell(field.get('description', ''))} |")
    return "\n".join(lines) + "\n"


def _default(field: dict[str, Any]) -> str:
    value = field.get("default")
    return f"`{json.dumps(value)}`" if value not in (None, "", []) and not isinstance(value, dict) else ""


def _type(field: dict[str, Any]) -> str:
    if "$ref" in field:
        name = field["$ref"].rsplit("/", 1)[-1]
        return f"[{name}](#{name.lower()})"
    if "const" in field or "enum" in field:
        return " or ".join(f"`{json.dumps(value)}`" for value in field.get("enum", [field.get("const")]))
    if "anyOf" in field:
        return " or ".join(_type(option) for option in field["anyOf"] if option.get("type") != "null")
    kind = str(field.get("type", "any"))
    if kind == "array":
        return f"list of {_type(field['items'])}"
    if kind == "object":
        return _mapping(field)
    names = {"string": "text", "integer": "whole number", "boolean": "true or false"}
    return names.get(kind, kind) + _bounds(field)


def _mapping(field: dict[str, Any]) -> str:
    if "additionalProperties" in field:
        return f"mapping of text to {_type(field['additionalProperties'])}"
    models = [language(name).options.__name__ for name in language_names()]
    return f"by the ecosystem: {', '.join(f'[{name}](#{name.lower()})' for name in models)}"


def _bounds(field: dict[str, Any]) -> str:
    if "minimum" in field:
        return f", at least {field['minimum']}"
    if "exclusiveMinimum" in field:
        return f", more than {field['exclusiveMinimum']}"
    return ""


def _cell(text: str) -> str:
    return text.replace("|", "\\|")


if __name__ == "__main__":
    write_reference(Path(sys.argv[1]))
