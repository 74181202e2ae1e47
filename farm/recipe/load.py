"""Reading a recipe: text → model, with every problem at its line and column."""

from __future__ import annotations

import json
from dataclasses import dataclass
from functools import cache
from types import UnionType
from typing import TYPE_CHECKING, Any, get_args

from pydantic import BaseModel, ValidationError

from farm.errors import FarmError, RecipeError, RecipeNotFoundError, SourcePinError
from farm.languages import language, language_names
from farm.recipe import rules
from farm.recipe.consistency import findings
from farm.recipe.document import MAX_BYTES, Document, read_document
from farm.recipe.model import Recipe
from farm.recipe.problem import Place, Problem, nearest

if TYPE_CHECKING:
    from collections.abc import Iterable, Iterator
    from pathlib import Path

    from pydantic_core import ErrorDetails

    from farm.recipe.model import BuildChanges

__all__ = ["Reading", "load_recipe", "problems_error", "read_recipe", "read_text"]

_EXPECTED = {
    "string_type": "text",
    "int_type": "a whole number",
    "float_type": "a number",
    "bool_type": "true or false",
    "dict_type": "a mapping",
    "model_type": "a mapping",
    "tuple_type": "a list",
}
_FOUND = {str: "text", int: "a number", float: "a number", bool: "true or false", list: "a list", dict: "a mapping"}


@dataclass(frozen=True)
class Reading:
    """What came of reading one recipe: the model (None when it is none), the text's positions, and all problems."""

    document: Document
    recipe: Recipe | None
    problems: tuple[Problem, ...]


def load_recipe(path: Path) -> Recipe:
    """Read the recipe at `path`.

    Raises:
        RecipeNotFoundError: no such file.
        SourcePinError: all that is wrong is what pins the source (a missing or short commit, a missing digest).
        RecipeError: anything else; `details["problems"]` has each problem.
    """
    reading = read_recipe(path)
    if reading.recipe is None or reading.problems:
        raise problems_error(reading.problems)
    return reading.recipe


def read_recipe(path: Path, shown: str = "") -> Reading:
    """Read the recipe at `path`; problems call it `shown` (default: the path).

    Raises:
        RecipeNotFoundError: no such file.
    """
    name = shown or str(path)
    try:
        with path.open("rb") as stream:
            data = stream.read(MAX_BYTES + 1)
    except OSError as error:
        msg = f"{name} cannot be read: {error.strerror}"
        raise RecipeNotFoundError(msg) from error
    try:
        text = data.decode("utf-8")
    except UnicodeDecodeError as error:
        line = data[: error.start].count(b"\n") + 1
        problem = Problem(path=name, line=line, column=1, message="the text is not UTF-8")
        return Reading(Document(name), None, (problem,))
    return read_text(text, name)


def read_text(text: str, path: str) -> Reading:
    """Read a recipe from `text`; `path` is what problems call it. Never raises for what is in the text."""
    document = read_document(text, path)
    if document.problems:
        return Reading(document, None, document.problems)
    try:
        # By way of JSON, since a list is a fixed sequence there: strict about everything else.
        recipe = Recipe.model_validate_json(json.dumps(document.value), strict=True, by_alias=True, by_name=False)
    except ValidationError as error:
        return Reading(document, None, _sorted(_explained(document, error, Recipe)))
    found = list(_options(document, recipe))
    for finding in findings(recipe):
        line, column = document.position(finding.place, key=finding.key)
        problem = Problem(
            path=path,
            line=line,
            column=column,
            message=finding.message,
            suggestion=finding.suggestion,
            pin=finding.pin,
        )
        found.append(problem)
    return Reading(document, recipe, _sorted(found))


def problems_error(problems: tuple[Problem, ...]) -> FarmError:
    """Return the error that carries `problems`: SourcePinError when all are about pins, else RecipeError."""
    errors = tuple(problem for problem in problems if problem.severity == "error")
    kind = SourcePinError if errors and all(problem.pin for problem in errors) else RecipeError
    message = "\n".join(map(str, errors))
    return kind(message, details={"problems": [problem.model_dump(mode="json") for problem in errors]})


def _sorted(problems: Iterable[Problem]) -> tuple[Problem, ...]:
    return tuple(sorted(problems, key=lambda p: (p.line, p.column)))


def _options(document: Document, recipe: Recipe) -> Iterator[Problem]:
    """Hold every `build.options` against the model of the recipe's language."""
    if recipe.ecosystem not in language_names():
        return
    model = language(recipe.ecosystem).options
    builds: list[tuple[Place, BuildChanges | None]] = [(("build",), recipe.build)]
    builds += [(("versions", key, "build"), entry.build) for key, entry in recipe.versions.items()]
    for place, build in builds:
        if build is None:
            continue
        try:
            model.model_validate_json(json.dumps(build.options), strict=True)
        except ValidationError as error:
            yield from _explained(document, error, model, (*place, "options"))


def _explained(
    document: Document, error: ValidationError, model: type[BaseModel], above: Place = ()
) -> tuple[Problem, ...]:
    """Turn the errors of reading a model, whose values stand at `above`, into problems at their places."""
    details = _without_echoes(error.errors(include_url=False), model)
    # Members of a union repeat themselves.
    return tuple(dict.fromkeys(_explain(document, item, model, above) for item in details))


def _without_echoes(details: list[ErrorDetails], model: type[BaseModel]) -> list[ErrorDetails]:
    """Drop the missing keys that are only misspelt: the unknown key beside them says so already."""
    misspelt = {
        (*item["loc"][:-1], nearest(str(item["loc"][-1]), _fields(model, item["loc"][:-1])))
        for item in details
        if item["type"] == "extra_forbidden"
    }
    return [item for item in details if item["type"] != "missing" or item["loc"] not in misspelt]


def _explain(document: Document, error: ErrorDetails, model: type[BaseModel], above: Place) -> Problem:
    """Turn one error of pydantic into a problem at its place in the file."""
    place = _place(document, above, error["loc"])
    known = _fields(model, place[len(above) : -1])
    kind, given = error["type"], error["input"]
    last = str(error["loc"][-1]) if error["loc"] else ""
    suggestion, on_key = "", False
    if kind == "extra_forbidden":
        message, on_key = f"unknown key {last!r}", True
        suggestion = nearest(last, known)
        if not suggestion and known:
            message += f" (known here: {', '.join(sorted(known))})"
    elif kind == "missing":
        message, on_key = f"{last!r} is missing", True
    elif kind in _EXPECTED:
        found = "nothing" if given is None else _FOUND.get(type(given), "something else")
        shown = f" ({given})" if isinstance(given, (int, float)) and not isinstance(given, bool) else ""
        message = f"{_name(place)}: expected {_EXPECTED[kind]}, found {found}{shown}"
    elif kind == "value_error":
        message = str(error["ctx"]["error"])
    elif kind == rules.PIN:
        message = error["msg"]
    else:
        message = f"{_name(place)}: {error['msg'][:1].lower()}{error['msg'][1:]}"
    line, column = document.position(place, key=on_key)
    return Problem(
        path=document.path,
        line=line,
        column=column,
        message=message,
        suggestion=suggestion,
        pin=kind == rules.PIN,
    )


def _place(document: Document, above: Place, loc: tuple[str | int, ...]) -> Place:
    """Keep of pydantic's location what is in the file: unions and dictionaries add words of their own."""
    place = above
    for part in loc:
        if (*place, part) in document.keys:
            place = (*place, part)
    return place


def _name(place: Place) -> str:
    return ".".join(map(str, place)) or "the recipe"


def _fields(model: type[BaseModel], place: Place) -> frozenset[str]:
    """Return the keys that `model` knows at `place`; empty where any key may stand."""
    current: Any = model
    for part in place:
        known = _aliases(current)
        current = known.get(str(part)) if known else _inner(current)
        if current is None:
            return frozenset()
    return frozenset(_aliases(current))


@cache
def _aliases(model: Any) -> dict[str, Any]:
    """Return key → type of the model behind an annotation (through `| None`), empty when there is none."""
    members = get_args(model) if isinstance(model, UnionType) else (model,)
    for kind in members:
        if isinstance(kind, type) and issubclass(kind, BaseModel):
            return {info.alias or name: info.annotation for name, info in kind.model_fields.items()}
    return {}


def _inner(annotation: Any) -> Any:
    """Return what a dictionary or a tuple holds."""
    arguments = [a for a in get_args(annotation) if a is not Ellipsis]
    return arguments[-1] if arguments else None
