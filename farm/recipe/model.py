"""The recipe: what one package is built from and how. The schema and the reference are generated from these classes.

A recipe is data: unknown keys are errors, nothing in it is run by reading it, and every exception to a rule carries its
reason. Texts under fields become the descriptions of the JSON schema.
"""

from __future__ import annotations

from typing import TYPE_CHECKING, Annotated, Any, Literal, TypeVar

from pydantic import (
    AfterValidator,
    BaseModel,
    BeforeValidator,
    ConfigDict,
    Field,
    JsonValue,
    StringConstraints,
    WithJsonSchema,
    create_model,
    model_validator,
)

from farm.languages import language, language_names
from farm.recipe import rules

__all__ = [
    "Archive",
    "Build",
    "BuildChanges",
    "Limits",
    "Recipe",
    "Seed",
    "Skip",
    "Source",
    "Test",
    "VersionEntry",
    "Waiver",
    "Weight",
    "changed",
]

Text = Annotated[str, StringConstraints(min_length=1)]
Folder = Annotated[str, AfterValidator(rules.relative_folder)]
Images = Annotated[
    tuple[Annotated[str, AfterValidator(rules.image_name)], ...],
    BeforeValidator(rules.one_or_more),
    AfterValidator(rules.image_names),
    WithJsonSchema({"anyOf": [{"type": "string"}, {"type": "array", "items": {"type": "string"}, "minItems": 1}]}),
]
Tag = Annotated[str, AfterValidator(rules.tag_pattern)]
PatchName = Annotated[str, AfterValidator(rules.patch_name)]
Options = Annotated[dict[str, JsonValue], WithJsonSchema({"type": "object"})]
Module = Annotated[str, StringConstraints(pattern=r"^[A-Za-z_]\w*(\.[A-Za-z_]\w*)*$")]

T = TypeVar("T", bound=BaseModel)


class RecipeModel(BaseModel):
    """Base of the parts of a recipe: frozen, strict about types, unknown keys are errors."""

    model_config = ConfigDict(
        extra="forbid", frozen=True, strict=True, use_attribute_docstrings=True, validate_by_name=True
    )


class ArchiveBase(RecipeModel):
    """An archive by its address; each language adds the key by which its own index has archives."""

    url: Annotated[str, AfterValidator(rules.archive_url)] | None = None
    """Address of the file; `{version}` is replaced by the version."""

    @property
    def named(self) -> tuple[str, str] | None:
        """Key and text of an archive that is found by name; None where the address is given."""
        given = {_key(name): getattr(self, name) for name in type(self).model_fields if name != "url"}
        return next(((key, text) for key, text in given.items() if text is not None), None)

    @model_validator(mode="after")
    def _one(self) -> ArchiveBase:
        names = list(type(self).model_fields)
        if sum(getattr(self, name) is not None for name in names) != 1:
            msg = f"an archive has exactly one of: {', '.join(sorted(map(_key, names)))}"
            raise ValueError(msg)
        return self


def _key(name: str) -> str:
    return name.replace("_", "-")


def _named_archives() -> dict[str, Any]:
    """Return the fields by which archives are named, one for each language."""
    kinds = [language(name).archive for name in language_names()]
    return {
        kind.kind.replace("-", "_"): (Text | None, Field(default=None, alias=kind.kind, description=kind.description))
        for kind in kinds
    }


if TYPE_CHECKING:
    Archive = ArchiveBase
else:
    Archive = create_model(
        "Archive",
        __base__=ArchiveBase,
        __doc__="An uploaded file; the weaker kind of source. Exactly one of the keys.",
        **_named_archives(),
    )


class Source(RecipeModel):
    """Where the source comes from. Exactly one of `git` and `archive`."""

    git: Annotated[str, AfterValidator(rules.git_url)] | None = None
    """Address of the repository. git's `insteadOf` is honoured; credentials never stand here."""
    archive: Archive | None = None
    """An uploaded archive instead of a repository; farm marks what is built from it as weaker."""
    tag: Tag = ""
    """How a version maps to a tag, such as `v{version}`. The tag must resolve to the pinned commit. Empty: no tag."""
    subdirectory: Folder = ""
    """Folder of the project below the root of the source."""
    submodules: bool = False
    """Whether git submodules are taken too, at the commits that the tree names."""

    @model_validator(mode="after")
    def _one(self) -> Source:
        if (self.git is None) == (self.archive is None):
            msg = "a source has exactly one of: git, archive"
            raise ValueError(msg)
        if self.archive is not None and (self.tag or self.submodules):
            msg = "tag and submodules belong to git sources"
            raise ValueError(msg)
        return self


class Waiver(RecipeModel):
    """An exception to a rule; it is written into the provenance."""

    rule: Text
    """Name of the rule, as the error that it lifts names it."""
    reason: Text
    """Why the exception is right."""


class BuildChanges(RecipeModel):
    """What a version changes in `build`: a field that is given replaces the whole field."""

    images: Images | None = Field(default=None, alias="image")
    """Builder image, a folder under images/, or a list of them: one target each, the first is the primary one."""
    requires: tuple[Text, ...] = ()
    """Constraints (PEP 508) on what the lock may choose for the build."""
    env: dict[str, str] = Field(default_factory=dict)
    """Additions to the fixed environment of the build. No secrets, nothing that farm sets itself."""
    config_settings: dict[str, str | tuple[str, ...]] = Field(default_factory=dict)
    """Settings for the build backend (PEP 517)."""
    options: Options = Field(default_factory=dict)
    """What only the build tool of the ecosystem knows."""
    patches: tuple[PatchName, ...] = ()
    """Files of the recipe's `patches/` folder, applied to the root of the source in this order (`git apply -p1`)."""
    tags: str = ""
    """What must come out: `py3-none-any`, or `cp311-cp311-linux` for a native package; `{interpreter}` in it is the
    target's (`cp311`). Empty: it is only recorded."""
    source_date_epoch: int | None = Field(default=None, ge=315532800)
    """Instead of the time of the source, for packages that put a date into the result."""
    waivers: tuple[Waiver, ...] = ()
    """Exceptions to the guards."""

    @model_validator(mode="after")
    def _environment(self) -> BuildChanges:
        rules.environment(self.env)
        if len(set(self.patches)) != len(self.patches):
            msg = "a patch is applied once"
            raise ValueError(msg)
        return self


class Build(BuildChanges):
    """How the package is built."""

    images: Images = Field(alias="image")
    """Builder image, a folder under images/, or a list of them: one target each, the first is the primary one."""


class Skip(RecipeModel):
    """A test that is not run; it is written into the provenance."""

    reason: Text
    """Why there is no test."""


class Test(RecipeModel):
    """How the finished artifact is tested, in a fresh sandbox without network."""

    __test__ = False

    imports: tuple[Module, ...] = ()
    """Modules that must be importable."""
    command: tuple[Text, ...] = ()
    """One command (list of arguments, no shell), run where a copy of the source is."""
    requires: tuple[Text, ...] = ()
    """Requirements (PEP 508) of the tests."""
    skip: Skip | None = None
    """Instead of imports and command, with the reason."""

    @model_validator(mode="after")
    def _skip(self) -> Test:
        if self.skip is not None and (self.imports or self.command or self.requires):
            msg = "a skipped test has no imports, command or requires"
            raise ValueError(msg)
        return self


class Limits(RecipeModel):
    """What foreign code may use; farm's defaults apply to what is not given."""

    time_seconds: int | None = Field(default=None, ge=1)
    """Seconds of wall time of each run."""
    memory_mb: int | None = Field(default=None, ge=32)
    """Memory in MiB."""
    cpus: float | None = Field(default=None, gt=0)
    """Processors."""
    pids: int | None = Field(default=None, ge=8)
    """Processes and threads."""
    disk_mb: int | None = Field(default=None, ge=1)
    """MiB of each writable file system."""
    output_mb: int | None = Field(default=None, ge=1)
    """MiB that may come out of a run."""


class Weight(RecipeModel):
    """What a build takes of its host while it runs, for the order of work. It changes no byte of the result."""

    cpus: float = Field(default=1.0, gt=0)
    """Processors that it keeps busy."""
    memory_mb: int = Field(default=1024, ge=1)
    """Memory in MiB that it needs."""


class Seed(RecipeModel):
    """Upstream's own file may begin a cycle of packages that are built with each other."""

    reason: Text
    """Why there is a cycle."""


class VersionEntry(RecipeModel):
    """One version with its pin, or a range (`">=3,<4"`) with overrides only. Later entries win over earlier ones."""

    commit: Annotated[str, AfterValidator(rules.commit)] | None = None
    """The full commit (git sources): the pin that counts."""
    sha256: Annotated[str, AfterValidator(rules.sha256)] | None = None
    """SHA-256 of the file (archive sources)."""
    tag: Tag | None = None
    """Instead of the tag pattern of the source; empty where the version has no tag."""
    build: BuildChanges | None = None
    """Changes to `build` for this version or range."""
    test: Test | None = None
    """Changes to `test`: each field that is given replaces the whole field."""
    limits: Limits | None = None
    """Changes to `limits`."""


class Recipe(RecipeModel):
    """One package: `recipes/<ecosystem>/<name>/recipe.yaml`."""

    schema_version: Literal[1] = Field(alias="schema")
    """Version of this format."""
    ecosystem: str
    """The language: also the folder under recipes/."""
    name: Text
    """Normalised name of the package: also the folder's name (`groupId:artifactId` in `groupId.artifactId`)."""
    source: Source
    """Where the source comes from."""
    versions: dict[str, VersionEntry] = Field(min_length=1)
    """Version or range → pin and overrides, in the order in which they apply."""
    build: Build
    """How it is built."""
    test: Test = Test()
    """How the result is tested."""
    limits: Limits = Limits()
    """What foreign code may use."""
    weight: Weight = Weight()
    """What a build takes of its host."""
    seed: Seed | None = None
    """Whether upstream's file of this package may begin a cycle; it is replaced by farm's own in the end."""

    @property
    def pinned(self) -> tuple[str, ...]:
        """The exact versions as written, in the order of the file."""
        naming = language(self.ecosystem).naming
        return tuple(key for key in self.versions if not naming.is_range(key))


def changed(base: T, change: BaseModel | None) -> T:
    """Return `base` with every field that was given in `change` replaced."""
    if change is None:
        return base
    return base.model_copy(update={name: getattr(change, name) for name in change.model_fields_set})
