"""What a recipe says about a Maven build beyond what every build has: `build.options`."""

from __future__ import annotations

import re
from typing import TYPE_CHECKING, Annotated, Literal

from pydantic import AfterValidator, BaseModel, ConfigDict, Field, StringConstraints

from farm.ecosystems.maven.naming import split_name
from farm.ecosystems.maven.skips import SKIPS

if TYPE_CHECKING:
    from farm.model.plan import BuildPlan

__all__ = ["DEPLOY_PLUGIN", "Distribution", "MavenOptions", "Reasoned", "options_of"]

DEPLOY_PLUGIN = "3.1.4"
"""The maven-deploy-plugin that puts out what was built, unless the recipe names another."""

_RESERVED = frozenset(
    {
        "maven.repo.local", "maven.repo.local.tail", "altDeploymentRepository", "altReleaseDeploymentRepository",
        "altSnapshotDeploymentRepository", "skipTests", "maven.test.skip", "project.build.outputTimestamp",
        "maven.multiModuleProjectDirectory", "maven.ext.class.path", "user.home",
    }
)  # fmt: skip
"""Farm sets these itself, or has a word of its own for them."""

Text = Annotated[str, StringConstraints(min_length=1)]
Version = Annotated[str, StringConstraints(pattern=r"^[0-9][A-Za-z0-9.-]*$")]


def _goal(text: str) -> str:
    if not re.fullmatch(r"[A-Za-z0-9][A-Za-z0-9_.:@-]*", text):
        msg = f"{text!r} is no phase or goal"
        raise ValueError(msg)
    return text


def _profile(text: str) -> str:
    if not re.fullmatch(r"[!+-]?[A-Za-z0-9][A-Za-z0-9_.:-]*", text):
        msg = f"{text!r} is no profile"
        raise ValueError(msg)
    return text


def _module(text: str) -> str:
    if not re.fullmatch(r"!?:?[A-Za-z0-9_][A-Za-z0-9_./:-]*", text) or ".." in text:
        msg = f"{text!r} is no module (a folder, or :artifactId)"
        raise ValueError(msg)
    return text


def _coordinates(text: str) -> str:
    return ":".join(split_name(text))


def _properties(values: dict[str, str]) -> dict[str, str]:
    for name, value in values.items():
        if name in _RESERVED:
            msg = f"the property {name} is farm's own"
            raise ValueError(msg)
        if not re.fullmatch(r"[A-Za-z0-9_][A-Za-z0-9_.-]*", name) or not value.isprintable():
            msg = f"{name!r} = {value!r} is no property"
            raise ValueError(msg)
    return values


def _plugin(text: str) -> str:
    if text not in SKIPS:
        msg = (
            f"farm knows no property that switches {text!r} off (it knows: {', '.join(sorted(SKIPS))}): "
            "use properties, or a patch"
        )
        raise ValueError(msg)
    return text


class _Options(BaseModel):
    model_config = ConfigDict(extra="forbid", frozen=True, use_attribute_docstrings=True)


class Distribution(_Options):
    """The Maven that builds: `org.apache.maven:apache-maven:<version>:zip:bin`, by its digest."""

    version: Version
    """Version of Maven."""
    sha256: Annotated[str, StringConstraints(pattern=r"^[0-9a-f]{64}$")]
    """SHA-256 of the zip."""


class Reasoned(_Options):
    """An exception with its reason; it is written into the provenance."""

    reason: Text
    """Why the exception is right."""


class MavenOptions(_Options):
    """How Maven is run. Everything else stands in the project's POM and its `.mvn` folder."""

    maven: Distribution | None = None
    """The Maven to use; none = the one that the source's wrapper properties name, which must have a SHA-256 there."""
    goals: Annotated[tuple[Annotated[str, AfterValidator(_goal)], ...], Field(min_length=1)] = ("clean", "verify")
    """Phases and goals. Tests belong to them; `test.skip`, with its reason, leaves them out."""
    profiles: tuple[Annotated[str, AfterValidator(_profile)], ...] = ()
    """Profiles to activate; `!name` deactivates one."""
    properties: Annotated[dict[str, str], AfterValidator(_properties)] = Field(default_factory=dict)
    """Further properties (`-D`)."""
    modules: tuple[Annotated[str, AfterValidator(_module)], ...] = ()
    """Modules to build, with those that they need; none = all."""
    disable: tuple[Annotated[str, AfterValidator(_plugin)], ...] = ()
    """Plugins that have no part in the result, to be switched off by their own skip properties."""
    artifacts: tuple[Annotated[str, AfterValidator(_coordinates)], ...] = ()
    """`groupId:artifactId` of everything that comes out besides the package itself: modules of the same version."""
    timestamp: Literal["auto", "source", "pom"] = "auto"
    """Where `project.build.outputTimestamp` comes from. `auto`: from the time of the source where the project's own
    POM has none; `source`: always; `pom`: it is never set."""
    deploy_plugin: Version = DEPLOY_PLUGIN
    """Version of the maven-deploy-plugin that puts out the results."""
    heap_mb: int | None = Field(default=None, ge=32)
    """Largest heap of Maven itself, in MiB; none = the JVM's default."""
    wrapper_script: Reasoned | None = None
    """Run the checkout's own `mvnw` instead of Maven's launcher, with the same distribution in its place."""


def options_of(plan: BuildPlan) -> MavenOptions:
    """Return the options of a plan (checked when the recipe was read)."""
    return MavenOptions.model_validate(plan.build.options)
