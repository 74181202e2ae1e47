"""What a Maven project's source says of itself, read from the snapshot's archive without unpacking or running it."""

from __future__ import annotations

import posixpath
import re
import tarfile
from dataclasses import dataclass
from typing import TYPE_CHECKING

from farm.ecosystems.maven.command import TIMESTAMP
from farm.ecosystems.maven.options import options_of
from farm.ecosystems.maven.pom import Pom, read_pom
from farm.errors import BuildToolError, RecipeError, SourceUnsafeError

if TYPE_CHECKING:
    from pathlib import Path

    from farm.model.plan import BuildPlan

__all__ = ["DistributionPin", "Project", "distribution_of", "read_project"]

_LIMIT = 8 * 1024 * 1024
"""Largest POM or properties file that is read, in bytes."""
_MODULES = 2000
_WRAPPER = ".mvn/wrapper/maven-wrapper.properties"
_OTHER_TOOLS = {
    "build.gradle": "Gradle",
    "build.gradle.kts": "Gradle",
    "settings.gradle": "Gradle",
    "settings.gradle.kts": "Gradle",
    "build.sbt": "sbt",
    "build.xml": "Ant",
    "BUILD.bazel": "Bazel",
    "WORKSPACE": "Bazel",
    "build.mill": "Mill",
}
_DISTRIBUTION = re.compile(r".*/apache-maven-(?P<version>[0-9][A-Za-z0-9.-]*)-bin\.(?P<type>zip|tar\.gz)")
_SHA256 = re.compile(r"[0-9a-fA-F]{64}")
_CONFIG = ".mvn/maven.config"
_FAIL_NEVER = re.compile(r"--?(fn|fail-n[a-z]*)")
"""Options of Maven in all spellings that its parser takes."""


@dataclass(frozen=True)
class DistributionPin:
    """The Maven to build with."""

    version: str
    sha256: str
    type: str = "zip"

    @property
    def path(self) -> str:
        """Where a Maven repository has it."""
        return f"org/apache/maven/apache-maven/{self.version}/apache-maven-{self.version}-bin.{self.type}"


@dataclass(frozen=True)
class Project:
    """One reactor."""

    has_timestamp: bool
    """Whether the project's own POM sets `project.build.outputTimestamp`."""
    modules: frozenset[str]
    """`groupId:artifactId` of every POM that the root's modules lead to, the root among them."""
    wrapper: DistributionPin | None
    """What the wrapper properties name; the digest is empty where they have none."""
    observations: tuple[str, ...] = ()
    """What a reviewer of the lock should know: ranges, `LATEST`, plugins without a version, plain HTTP."""


def read_project(plan: BuildPlan, archive: Path) -> Project:
    """Read the project in the source.

    Args:
        plan: where in the source the project is.
        archive: the snapshot's tar.

    Raises:
        BuildToolError: there is no pom.xml; what was found instead is named. Or the project wants a build that failed
            to pass for one that succeeded.
        SourceUnsafeError: a POM is too large or unreadable.
    """
    files = _Files(archive)
    folder = plan.source.subdirectory.strip("/")
    root = posixpath.join(folder, "pom.xml") if folder else "pom.xml"
    if root not in files.names:
        raise _unsupported(plan, files, folder)
    _check_config(plan, files, folder)
    poms = _reactor(files, root)
    first = poms[root]
    return Project(
        has_timestamp=TIMESTAMP in first.properties,
        modules=frozenset(f"{pom.group}:{pom.artifact}" for pom in poms.values()),
        wrapper=_wrapper(files, folder),
        observations=tuple(sorted({note for path, pom in poms.items() for note in _observed(path, pom)})),
    )


def distribution_of(plan: BuildPlan, project: Project) -> DistributionPin:
    """Return the Maven that the recipe names, else the wrapper's, with its digest.

    Raises:
        RecipeError: neither names one, or the wrapper's has no SHA-256.
    """
    own = options_of(plan).maven
    if own is not None:
        return DistributionPin(own.version, own.sha256)
    remedy = "Name the Maven to use in the recipe: build.options.maven with version and sha256 (of its -bin.zip)."
    if project.wrapper is None:
        raise RecipeError(
            f"{plan.package}: neither the recipe nor a Maven wrapper names a version of Maven", remedy=remedy
        )
    if not project.wrapper.sha256:
        raise RecipeError(
            f"{plan.package}: the wrapper names Maven {project.wrapper.version}, but no distributionSha256Sum",
            remedy=remedy,
        )
    return project.wrapper


class _Files:
    """The archive's files by path, opened once."""

    def __init__(self, archive: Path) -> None:
        self._archive = archive
        with tarfile.open(archive, "r:") as tar:
            self.names = {member.name.removeprefix("./"): member for member in tar if member.isreg()}

    def read(self, name: str) -> bytes:
        member = self.names[name]
        if member.size > _LIMIT:
            raise SourceUnsafeError(f"{name} has {member.size} bytes, more than {_LIMIT}")
        with self._archive.open("rb") as stream:
            stream.seek(member.offset_data)
            return stream.read(member.size)


def _reactor(files: _Files, root: str) -> dict[str, Pom]:
    """Read the POMs that the root leads to, in all profiles: path → POM; what lies outside of the source is none."""
    found: dict[str, Pom] = {}
    queue = [root]
    while queue:
        path = queue.pop()
        if path in found or path not in files.names:
            continue
        if len(found) == _MODULES:
            raise SourceUnsafeError(f"{root} leads to more than {_MODULES} modules")
        pom = found[path] = read_pom(files.read(path), path)
        for module in pom.modules:
            # Maven takes both kinds of slashes.
            below = posixpath.normpath(posixpath.join(posixpath.dirname(path), module.replace("\\", "/")))
            queue += [below] if below.endswith(".xml") else [posixpath.join(below, "pom.xml")]
    return found


def _check_config(plan: BuildPlan, files: _Files, folder: str) -> None:
    """Refuse what makes Maven end with success whatever failed; it looks for its options from the project upwards."""
    parts = folder.split("/") if folder else []
    for depth in range(len(parts) + 1):
        name = "/".join([*parts[:depth], _CONFIG])
        words = files.read(name).decode("utf-8", errors="replace").split() if name in files.names else []
        if any(_FAIL_NEVER.fullmatch(word) for word in words):
            raise BuildToolError(
                f"{plan.package}: {name} makes Maven succeed whatever fails (--fail-never)",
                remedy="Take the option out with a patch (build.patches).",
            )


def _wrapper(files: _Files, folder: str) -> DistributionPin | None:
    for place in dict.fromkeys((posixpath.join(folder, _WRAPPER), _WRAPPER)):
        if place in files.names:
            values = _properties(files.read(place).decode("utf-8", errors="replace"))
            url = values.get("distributionUrl", "").replace("\\:", ":")
            match = _DISTRIBUTION.fullmatch(url)
            if match is None:
                return None
            digest = values.get("distributionSha256Sum", "")
            return DistributionPin(match["version"], digest.lower() if _SHA256.fullmatch(digest) else "", match["type"])
    return None


def _properties(text: str) -> dict[str, str]:
    """Read the simple part of Java's properties format: what the wrapper's plugin writes."""
    lines = (line.strip() for line in text.splitlines())
    pairs = (re.split(r"\s*[=:]\s*", line, maxsplit=1) for line in lines if line and line[0] not in "#!")
    return {pair[0]: pair[1] for pair in pairs if len(pair) > 1}


def _observed(path: str, pom: Pom) -> tuple[str, ...]:
    return tuple(f"{path}: {note}" for note in pom.observations)


def _unsupported(plan: BuildPlan, files: _Files, folder: str) -> BuildToolError:
    here = sorted(name for name in _OTHER_TOOLS if (posixpath.join(folder, name) if folder else name) in files.names)
    where = f"in {folder}/" if folder else "at the root of the source"
    if here:
        tools = ", ".join(sorted({_OTHER_TOOLS[name] for name in here}))
        return BuildToolError(f"{plan.package}: unsupported build tool: {tools} ({', '.join(here)} {where})")
    below = sorted(name for name in files.names if posixpath.basename(name) == "pom.xml")[:3]
    verb = "correct" if folder else "set"
    hint = f"; there is {', '.join(below)}: {verb} source.subdirectory" if below else ""
    return BuildToolError(f"{plan.package}: there is no pom.xml {where}{hint}")
