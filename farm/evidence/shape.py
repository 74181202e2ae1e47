"""The shape of farm's provenance statements, as far as they are read back.

Reading rules of SLSA provenance v1: fields that are not known are passed over, save in `externalParameters`, where an
unknown one could have changed the build and is refused.
"""

from __future__ import annotations

from typing import Annotated, Any, Literal

from pydantic import AfterValidator, BaseModel, ConfigDict, Field

from farm.languages import archive_kind
from farm.model.base import GitCommit, Sha256

__all__ = ["Image", "Input", "PatchFile", "Recipes", "Source", "Statement"]


def _known_kind(kind: str) -> str:
    if kind not in {"git", "url"}:
        archive_kind(kind)  # ValueError for a kind that no language has
    return kind


class Known(BaseModel):
    """What is read of an object; other fields are passed over."""

    model_config = ConfigDict(extra="ignore", strict=True, frozen=True)


class Closed(BaseModel):
    """An object in which an unknown field is refused."""

    model_config = ConfigDict(extra="forbid", strict=True, frozen=True)


class FileDigest(Known):
    sha256: Sha256


class Subject(Known):
    name: str
    digest: FileDigest


class Recipe(Closed):
    path: str
    digest: FileDigest


class Target(Closed):
    platform: str
    interpreter: str


class SourceDigest(Known):
    commit: GitCommit | None = Field(default=None, alias="gitCommit")
    sha256: Sha256 | None = None


class Pin(Closed):
    kind: Annotated[str, AfterValidator(_known_kind)]
    digest: SourceDigest
    url: str = ""
    tag: str = ""
    name: str = ""
    version: str = ""
    variant: str = ""
    subdirectory: str = ""
    submodules: bool = False


class External(Closed):
    ecosystem: str
    package: str
    version: str
    recipe: Recipe
    source: Pin
    target: Target
    overrides: list[Any] = Field(max_length=0)


class Waiver(Known):
    rule: str
    reason: str


class Internal(Known):
    build_key: Sha256 = Field(alias="buildKey")
    waivers: list[Waiver]
    options: dict[str, Any] = Field(default_factory=dict)


class SourceNotes(Known):
    role: Literal["source"]
    strength: Literal["git", "archive"]
    tree: Sha256 = Field(alias="treeSha256")
    tag: str = ""


class Source(Known):
    """The source that was built."""

    uri: str
    digest: SourceDigest
    annotations: SourceNotes


class PatchNotes(Known):
    role: Literal["patch"]


class PatchFile(Known):
    """A change to the source."""

    name: str
    digest: FileDigest
    annotations: PatchNotes


class ImageNotes(Known):
    role: Literal["builder-image"]


class Image(Known):
    """The builder image."""

    name: str
    digest: FileDigest
    annotations: ImageNotes


class RecipesNotes(Known):
    role: Literal["recipe-repository"]
    dirty: bool


class RecipesDigest(Known):
    commit: GitCommit = Field(alias="gitCommit")


class Recipes(Known):
    """The repository that holds the recipe."""

    digest: RecipesDigest
    annotations: RecipesNotes


class InputNotes(Known):
    role: Literal["input"]
    origin: Literal["farm", "index"]


class Input(Known):
    """One locked file."""

    name: str
    digest: FileDigest
    annotations: InputNotes


class Definition(Known):
    build_type: str = Field(alias="buildType")
    external: External = Field(alias="externalParameters")
    internal: Internal = Field(alias="internalParameters")
    dependencies: list[Source | PatchFile | Image | Recipes | Input] = Field(alias="resolvedDependencies")


class Builder(Known):
    id: str


class Metadata(Known):
    run: str = Field(alias="invocationId")
    started: str = Field(alias="startedOn")
    finished: str = Field(alias="finishedOn")


class Byproduct(Known):
    name: str
    digest: FileDigest


class Counts(Known):
    run: int = Field(ge=0)
    skipped: int = Field(ge=0)
    failed: int = Field(default=0, ge=0)


class Test(Known):
    result: Literal["passed", "skipped"]
    reason: str = ""
    counts: Counts | None = None


class Run(Known):
    builder: Builder
    metadata: Metadata
    byproducts: list[Byproduct]
    isolation: str = Field(alias="farm_isolation")
    test: Test = Field(alias="farm_test")


class Claim(Known):
    level: int = Field(alias="slsaBuildLevel", ge=0, le=3)
    reasons: list[str]


class Predicate(Known):
    definition: Definition = Field(alias="buildDefinition")
    run: Run = Field(alias="runDetails")
    claim: Claim = Field(alias="farm_claim")


class Statement(Known):
    """An in-toto Statement v1 with SLSA provenance v1, of exactly one file."""

    kind: Literal["https://in-toto.io/Statement/v1"] = Field(alias="_type")
    subject: list[Subject] = Field(min_length=1, max_length=1)
    predicate_type: Literal["https://slsa.dev/provenance/v1"] = Field(alias="predicateType")
    predicate: Predicate
