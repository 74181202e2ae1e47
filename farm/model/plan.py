"""The build plan: everything that step 1 decides, without I/O, from a recipe version and the configuration."""

from __future__ import annotations

from typing import Annotated, ClassVar, Literal

from pydantic import AfterValidator, Discriminator, Field, JsonValue, StringConstraints, Tag

from farm.model.base import BlobRef, GitCommit, Sha256, Value

__all__ = [
    "ArchivePin",
    "BuildPlan",
    "BuildSpec",
    "GitPin",
    "Limits",
    "PackageId",
    "Patch",
    "SourcePin",
    "Target",
    "TestSpec",
    "Waiver",
]


class PackageId(Value):
    """One package version: ecosystem (`python`), normalised name, version."""

    ecosystem: str
    name: str
    version: str

    def __str__(self) -> str:
        return f"{self.ecosystem}/{self.name}@{self.version}"


class GitPin(Value):
    """A commit of a git repository; the commit counts, the tag is only checked against it."""

    kind: Literal["git"] = "git"
    url: str
    """As in the recipe, never with credentials; `insteadOf` is applied when it is fetched, not here."""
    commit: GitCommit
    tag: str | None = None
    subdirectory: str = ""
    submodules: bool = False


def _no_git(kind: str) -> str:
    if kind == "git":
        msg = "git is no kind of archive"
        raise ValueError(msg)
    return kind


ArchiveKindName = Annotated[str, StringConstraints(pattern=r"^[a-z]+(-[a-z]+)*$"), AfterValidator(_no_git)]


class ArchivePin(Value):
    """A file with its SHA-256. Any kind but `url` is found by name and version through the language's index."""

    kind: Annotated[str, StringConstraints(pattern=r"^[a-z]+(-[a-z]+)*$")]
    """`url`, or what a language calls its archives (`pypi-sdist`, `maven`): see `farm.languages.archive_kind`."""
    sha256: Sha256
    name: str = ""
    """Project name (named archives)."""
    version: str = ""
    """Project version (named archives)."""
    variant: str = ""
    """Which of a version's files (named archives of some languages): `zip:source-release`."""
    url: str = ""
    """Address (url)."""
    subdirectory: str = ""


def _pin_tag(value: object) -> str:
    kind = value.get("kind") if isinstance(value, dict) else getattr(value, "kind", None)
    return "git" if kind == "git" else "archive"


SourcePin = Annotated[Annotated[GitPin, Tag("git")] | Annotated[ArchivePin, Tag("archive")], Discriminator(_pin_tag)]


class Limits(Value):
    """What foreign code may use. Sizes in MiB."""

    time_seconds: int = Field(default=1800, ge=1)
    memory_mb: int = Field(default=4096, ge=32)
    cpus: float = Field(default=2.0, gt=0)
    pids: int = Field(default=512, ge=8)
    disk_mb: int = Field(default=2048, ge=1)
    """Each writable tmpfs (home, tmp, work) together with `/out` while it is written."""
    output_mb: int = Field(default=512, ge=1)
    """What may come back from `/out`."""


class Waiver(Value):
    """An exception to a rule, with the reason that goes into the provenance."""

    rule: str
    reason: str


class Patch(Value):
    """A change to the source, in the order of application; its content is in the vault."""

    name: Annotated[str, StringConstraints(pattern=r"^[A-Za-z0-9_][A-Za-z0-9._+-]{0,199}$")]
    """File name below the recipe's `patches/`."""
    blob: BlobRef


class BuildSpec(Value):
    """How to build: builder image, constraints on the lock, environment additions, what must come out."""

    image: str
    requires: tuple[str, ...] = ()
    env: dict[str, str] = Field(default_factory=dict)
    config_settings: dict[str, str | tuple[str, ...]] = Field(default_factory=dict)
    options: dict[str, JsonValue] = Field(default_factory=dict)
    """What only the ecosystem's build tool knows, checked by the ecosystem's own model (`Language.options`)."""
    patches: tuple[Patch, ...] = ()
    tags: str = ""
    """What must come out, in the words of the ecosystem (Python: `py3-none-any` or `cp311-cp311-linux`)."""
    source_date_epoch: int | None = Field(default=None, ge=315532800)
    waivers: tuple[Waiver, ...] = ()


class TestSpec(Value):
    """How to test the finished artifact: modules to import, one command (argument list), requirements of the tests."""

    __test__: ClassVar[bool] = False

    imports: tuple[str, ...] = ()
    command: tuple[str, ...] = ()
    requires: tuple[str, ...] = ()
    skip_reason: str = ""


class Target(Value):
    """What the result is for: platform (`linux/amd64`), interpreter (`cp311`, `jdk17`), given by the builder image."""

    platform: str
    interpreter: str

    @property
    def key(self) -> str:
        """How files, locks and build keys call the target: `cp311-linux-amd64`, `jdk17-linux-amd64`."""
        return f"{self.interpreter}-{self.platform.replace('/', '-')}"


class BuildPlan(Value):
    """Everything a build needs to know before it reads or fetches anything."""

    package: PackageId
    recipe_path: str
    """Path of the recipe below the recipes folder (POSIX): `python/markupsafe/recipe.yaml`."""
    recipe_digest: Sha256
    """Of the normalised recipe version: what the plan was made from, not of the file's spelling."""
    source: SourcePin
    build: BuildSpec
    test: TestSpec
    target: Target
    limits: Limits
