"""The build plan: everything that step 1 decides, without I/O, from a recipe version and the configuration."""

from __future__ import annotations

from typing import Annotated, ClassVar, Literal

from pydantic import Field

from farm.model.base import GitCommit, Sha256, Value

__all__ = [
    "ArchivePin",
    "BuildPlan",
    "BuildSpec",
    "GitPin",
    "Limits",
    "PackageId",
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

    @property
    def purl(self) -> str:
        """The package URL, without qualifiers."""
        kind = {"python": "pypi"}.get(self.ecosystem, self.ecosystem)
        return f"pkg:{kind}/{self.name}@{self.version}"


class GitPin(Value):
    """A commit of a git repository; the commit counts, the tag is only checked against it."""

    kind: Literal["git"] = "git"
    url: str
    """As in the recipe, never with credentials; `insteadOf` is applied when it is fetched, not here."""
    commit: GitCommit
    tag: str | None = None
    subdirectory: str = ""
    submodules: bool = False


class ArchivePin(Value):
    """A file with its SHA-256. `sdist` is found by name and version through the configured index."""

    kind: Literal["pypi-sdist", "url"]
    sha256: Sha256
    name: str = ""
    """Project name (pypi-sdist)."""
    version: str = ""
    """Project version (pypi-sdist)."""
    url: str = ""
    """Address (url)."""
    subdirectory: str = ""


SourcePin = Annotated[GitPin | ArchivePin, Field(discriminator="kind")]


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


class BuildSpec(Value):
    """How to build: builder image, constraints on the lock, environment additions, what must come out."""

    image: str
    requires: tuple[str, ...] = ()
    env: dict[str, str] = Field(default_factory=dict)
    config_settings: dict[str, str | tuple[str, ...]] = Field(default_factory=dict)
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
    """What the result is for: platform (`linux/amd64`) and interpreter (`cp311`), given by the builder image."""

    platform: str
    interpreter: str

    @property
    def key(self) -> str:
        """How files, locks and build keys call the target: `cp311-linux-amd64`."""
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
