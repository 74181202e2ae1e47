"""Read farm's own provenance: a statement → the facts that people and checks ask for.

The reverse of `farm.evidence.provenance`. Nothing here verifies a signature.
"""

from __future__ import annotations

import base64
import json
from collections import Counter
from typing import Any, Literal, TypeVar

from pydantic import JsonValue, ValidationError

from farm.errors import VerificationError
from farm.evidence.shape import Image, Input, PatchFile, Recipes, Source, Statement
from farm.model.base import Sha256, Value

__all__ = ["ProvenanceFacts", "read_bundle", "read_statement"]


_T = TypeVar("_T")


class ProvenanceFacts(Value):
    """What one statement says, JSON-ready. Empty where the statement has no value for it."""

    filename: str
    sha256: Sha256
    build_type: str
    builder_id: str
    slsa_level: int
    level_reasons: tuple[str, ...]
    """Why the level is not higher."""
    ecosystem: str
    package: str
    version: str
    platform: str
    interpreter: str
    recipe: str
    """Path below the recipes folder."""
    recipe_sha256: Sha256
    recipe_commit: str
    recipe_dirty: bool
    """True when the recipe was not as in a commit."""
    source_uri: str
    source_strength: str
    source_commit: str
    source_tag: str
    source_sha256: str
    """Of the archive, for archive sources."""
    source_tree_sha256: Sha256
    options: dict[str, JsonValue]
    """`build.options` of the recipe: what only the language's build tool knows."""
    patches: dict[str, Sha256]
    """Name → digest of what the recipe changes in the source, in the order of application."""
    image: str
    image_sha256: Sha256
    inputs: dict[str, int]
    """Origin → number of locked files."""
    isolation: str
    tests: Literal["passed", "skipped"]
    test_reason: str
    tests_run: int | None
    """Where the build itself runs the tests: how many ran, skipped ones included; else None."""
    tests_skipped: int | None
    tests_failed: int | None
    waivers: tuple[str, ...]
    """`rule: reason`."""
    build_key: Sha256
    run: str
    started: str
    finished: str
    byproducts: dict[str, Sha256]
    """Name → digest."""


def read_statement(statement: dict[str, Any]) -> ProvenanceFacts:
    """Return the facts of a statement.

    Raises:
        VerificationError: it is no statement of farm's; the message names the first field that is wrong.
    """
    try:
        return _facts(Statement.model_validate(statement))
    except ValidationError as error:
        first = error.errors()[0]
        where = ".".join(map(str, first["loc"]))
        raise VerificationError(f"the provenance is not of farm's shape: {where}: {first['msg']}") from error


def read_bundle(bundle: str) -> ProvenanceFacts:
    """Return the facts of the statement inside a Sigstore bundle WITHOUT verifying it: for whoever just had it signed.

    Raises:
        VerificationError: it is no bundle with a statement of farm's.
    """
    try:
        payload = json.loads(bundle)["dsseEnvelope"]["payload"]
        statement = json.loads(base64.b64decode(payload, validate=True))
    except (ValueError, KeyError, TypeError, RecursionError) as error:
        raise VerificationError(f"the provenance bundle is unreadable: {error!r}") from error
    if not isinstance(statement, dict):
        raise VerificationError("the provenance bundle holds no statement")
    return read_statement(statement)


def _facts(statement: Statement) -> ProvenanceFacts:
    definition, run = statement.predicate.definition, statement.predicate.run
    external = definition.external
    source = _only(definition.dependencies, Source)
    image = _only(definition.dependencies, Image)
    recipes = [d for d in definition.dependencies if isinstance(d, Recipes)]
    pinned = external.source.digest
    if source.digest != pinned or (source.digest.commit is None) == (source.annotations.strength == "git"):
        raise VerificationError("the source that was built is not the one that the recipe pins")
    if source.digest.commit is None and source.digest.sha256 is None:
        raise VerificationError("the provenance has no digest of the source")
    names = [item.name for item in run.byproducts]
    if len(set(names)) != len(names):
        raise VerificationError("the provenance names a byproduct twice")
    return ProvenanceFacts(
        filename=statement.subject[0].name,
        sha256=statement.subject[0].digest.sha256,
        build_type=definition.build_type,
        builder_id=run.builder.id,
        slsa_level=statement.predicate.claim.level,
        level_reasons=tuple(statement.predicate.claim.reasons),
        ecosystem=external.ecosystem,
        package=external.package,
        version=external.version,
        platform=external.target.platform,
        interpreter=external.target.interpreter,
        recipe=external.recipe.path,
        recipe_sha256=external.recipe.digest.sha256,
        recipe_commit=recipes[0].digest.commit if recipes else "",
        recipe_dirty=recipes[0].annotations.dirty if recipes else True,
        source_uri=source.uri,
        source_strength=source.annotations.strength,
        source_commit=source.digest.commit or "",
        source_tag=source.annotations.tag,
        source_sha256=source.digest.sha256 or "",
        source_tree_sha256=source.annotations.tree,
        options=definition.internal.options,
        patches={
            d.name.removeprefix("patches/"): d.digest.sha256
            for d in definition.dependencies
            if isinstance(d, PatchFile)
        },
        image=image.name.removeprefix("image:"),
        image_sha256=image.digest.sha256,
        inputs=dict(
            sorted(Counter(d.annotations.origin for d in definition.dependencies if isinstance(d, Input)).items())
        ),
        isolation=run.isolation,
        tests=run.test.result,
        test_reason=run.test.reason,
        tests_run=run.test.counts.run if run.test.counts else None,
        tests_skipped=run.test.counts.skipped if run.test.counts else None,
        tests_failed=run.test.counts.failed if run.test.counts else None,
        waivers=tuple(f"{w.rule}: {w.reason}" for w in definition.internal.waivers),
        build_key=definition.internal.build_key,
        run=run.metadata.run,
        started=run.metadata.started,
        finished=run.metadata.finished,
        byproducts={item.name: item.digest.sha256 for item in run.byproducts},
    )


def _only(dependencies: list[Any], kind: type[_T]) -> _T:
    found = [d for d in dependencies if isinstance(d, kind)]
    if len(found) != 1:
        raise VerificationError(f"the provenance has {len(found)} dependencies of the kind {kind.__name__}, not one")
    return found[0]
