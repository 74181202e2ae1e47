"""Write the generated half of docs/reference: CLI, errors, settings, recipe. `--check` compares instead of writing."""

from __future__ import annotations

import sys
import types
import typing
from pathlib import Path
from typing import TYPE_CHECKING, Any

import typer.main
from pydantic import BaseModel, SecretStr
from typer.cli import get_docs_for_click

from farm.cli.app import app
from farm.config import Settings
from farm.errors import registry
from farm.recipe import schema

if TYPE_CHECKING:
    from collections.abc import Iterator

REFERENCE = Path(__file__).resolve().parent.parent / "docs" / "reference"


def cli() -> str:
    """Return the CLI reference."""
    command = typer.main.get_command(app)
    context = typer.Context(command, info_name="farm")
    return get_docs_for_click(obj=command, ctx=context, name="farm", title="Command line").rstrip() + "\n"


def errors() -> str:
    """Return the table of errors, from their classes."""
    lines = [
        "# Errors",
        "",
        "Every error has a class and an exit code of its own. *Again* says whether the same call can succeed later",
        "with the same inputs; flows retry only those. Exit code 2 is a mistake in the command line.",
        "",
        "| exit code | class | what happened | what to do | again |",
        "|--:|---|---|---|---|",
    ]
    for code, cls in sorted(registry().items()):
        what = " ".join((cls.__doc__ or "").split("\n\n", maxsplit=1)[0].split())
        again = "yes" if cls.infrastructure else "no"
        lines.append(f"| {code} | `{cls.__name__}` | {what} | {cls.default_remedy} | {again} |")
    return "\n".join(lines) + "\n"


def _fields(model: type[BaseModel], prefix: str = "") -> Iterator[tuple[str, Any]]:
    for name, field in model.model_fields.items():
        kind = field.annotation
        if isinstance(kind, type) and issubclass(kind, BaseModel):
            yield from _fields(kind, f"{prefix}{name}.")
        else:
            yield f"{prefix}{name}", field


def _type_name(kind: Any) -> str:
    if kind is SecretStr:
        return "secret"
    if typing.get_origin(kind) is typing.Literal:
        return " or ".join(f"`{word}`" for word in typing.get_args(kind))
    if typing.get_origin(kind) in {typing.Union, types.UnionType}:
        return " or ".join("nothing" if k is type(None) else _type_name(k) for k in typing.get_args(kind))
    return str(kind) if typing.get_args(kind) else str(getattr(kind, "__name__", kind))


def settings() -> str:
    """Return the table of settings, from their model."""
    lines = [
        "# Settings",
        "",
        "`farm.toml` is found upward from the working folder, or named by `FARM_CONFIG`. A variable wins over the",
        "file: `FARM_DATA=…`, and with two underscores for a nested setting: `FARM_S3__ENDPOINT=…`. Relative paths",
        "are relative to the folder of `farm.toml`. An unknown key or variable is an error.",
        "",
        "| setting | variable | type | default | meaning |",
        "|---|---|---|---|---|",
    ]
    for name, field in _fields(Settings):
        default = field.get_default(call_default_factory=True)
        shown = "" if isinstance(default, SecretStr) or default in ("", None) else f"`{default}`"
        meaning = " ".join((field.description or "").split())
        variable = "FARM_" + name.upper().replace(".", "__")
        lines.append(f"| `{name}` | `{variable}` | {_type_name(field.annotation)} | {shown} | {meaning} |")
    return "\n".join(lines) + "\n"


def recipe() -> dict[str, str]:
    """Return the JSON schema of recipes and its table."""
    return {"recipe.schema.json": schema.schema_json(), "recipe.md": schema.reference_markdown()}


def main() -> int:
    """Write or compare; return 1 when `--check` finds a difference."""
    wanted = {"cli.md": cli(), "errors.md": errors(), "settings.md": settings(), **recipe()}
    stale = []
    for name, text in sorted(wanted.items()):
        path = REFERENCE / name
        if path.is_file() and path.read_text(encoding="utf-8") == text:
            continue
        stale.append(name)
        if "--check" not in sys.argv:
            path.parent.mkdir(parents=True, exist_ok=True)
            path.write_text(text, encoding="utf-8")
            print(f"wrote {path.name}")
    if stale and "--check" in sys.argv:
        print(f"not current: {', '.join(stale)}; run `make docs`")
        return 1
    return 0


if __name__ == "__main__":
    sys.exit(main())
