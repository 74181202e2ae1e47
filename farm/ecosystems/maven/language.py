"""Maven's names: what `farm.model.language` asks of a language. Pure and quick to import."""

from __future__ import annotations

import re
from typing import TYPE_CHECKING, Any
from urllib.parse import quote

from farm.ecosystems.maven.naming import NAMING, split_name
from farm.ecosystems.maven.options import MavenOptions, options_of
from farm.ecosystems.maven.paths import parse_path
from farm.errors import SigningRefusedError
from farm.model.language import ArchiveKind, ArchiveName, Language

if TYPE_CHECKING:
    from collections.abc import Iterator, Mapping

    from farm.model.plan import BuildPlan

__all__ = ["LANGUAGE", "declared_artifacts"]

_SUFFIXES = (".jar", ".pom", ".module", ".war", ".ear", ".aar", ".rar", ".zip", ".tar.gz", ".tar.bz2", ".xml")
_REST = re.compile(r"(-[A-Za-z0-9][A-Za-z0-9_.-]*?)?\.(jar|pom|module|war|ear|aar|rar|zip|tar\.gz|tar\.bz2|xml)")
_MAX_FILENAME = 255
_TEST_FILTERS = frozenset(
    {"test", "it.test", "groups", "excludedGroups", "skipITs", "surefire.excludes", "surefire.includes",
     "failsafe.excludes", "failsafe.includes", "maven.test.failure.ignore", "testFailureIgnore"}
)  # fmt: skip
"""Properties by which Surefire and Failsafe run fewer tests."""
_PARTS = (4, 5)
"""group:artifact:version:type, and with a classifier."""


def _purl(name: str, version: str) -> str:
    group, artifact = split_name(name)
    return f"pkg:maven/{quote(group)}/{quote(artifact)}@{quote(version, safe='')}"


def _archive(text: str, version: str) -> ArchiveName:
    parts = text.replace("{version}", version).split(":")
    if len(parts) not in _PARTS or not all(parts):
        msg = f"{text!r} names no Maven artifact (group:artifact:version:type:classifier)"
        raise ValueError(msg)
    group, artifact, found, *variant = parts
    return ArchiveName(":".join(split_name(f"{group}:{artifact}")), str(NAMING.version(found)), ":".join(variant))


def _archive_purl(found: ArchiveName) -> str:
    kind, _, classifier = found.variant.partition(":")
    return f"{_purl(found.name, found.version)}?{_qualifiers(classifier, kind)}"


def _qualifiers(classifier: str, kind: str) -> str:
    """Return the qualifiers of a package URL, in the order that its specification demands."""
    pairs = (("classifier", classifier), ("type", kind))
    return "&".join(f"{key}={quote(value, safe='')}" for key, value in pairs if value)


def _component(name: str, version: str, path: str) -> tuple[str, str]:
    """Name the file at `path` in the repository: a build puts out several artifacts, and of each several files."""
    found = parse_path(path).coordinates if path else None
    if found is None:
        return name, _purl(name, version)
    own = f"{found.group}:{found.artifact}"
    qualifiers = _qualifiers(found.classifier, "" if found.extension == "jar" else found.extension)
    return own, _purl(own, found.version) + (f"?{qualifiers}" if qualifiers else "")


def _remarks(options: Mapping[str, Any]) -> Iterator[tuple[str, str]]:
    thinned = sorted(set(options.get("properties", ())) & _TEST_FILTERS)
    if thinned:
        yield "properties", f"{', '.join(thinned)}: tests are left out without a reason; see test.skip"
    if options.get("wrapper_script"):
        yield "wrapper_script", "the checkout's own script runs: it can do more than start Maven"


def declared_artifacts(plan: BuildPlan) -> tuple[str, ...]:
    """Return the coordinates (`groupId:artifactId`) that a build may put out: the package first."""
    return tuple(dict.fromkeys((plan.package.name, *options_of(plan).artifacts)))


def _release(plan: BuildPlan, filename: str) -> str:
    """Demand that a file name (Maven2 layout) is one of the plan's declared artifacts, at the package's version."""
    if len(filename) > _MAX_FILENAME or not any(
        _is_named(name, plan.package.version, filename) for name in declared_artifacts(plan)
    ):
        raise SigningRefusedError(f"{filename!r} is not a file of {plan.package}, which this run builds")
    return filename


def _is_named(name: str, version: str, filename: str) -> bool:
    stem = f"{split_name(name)[1]}-{version}"
    return filename.startswith(stem) and _REST.fullmatch(filename[len(stem) :]) is not None


def _is_file_of(package: str, version: str, filename: str) -> bool:
    """Say whether a file is one of the very artifact; other modules of a build are names of their own."""
    found = re.fullmatch(r"[A-Za-z0-9_][A-Za-z0-9_.-]*", filename)
    if found is None or not filename.endswith(_SUFFIXES):
        msg = f"{filename!r} is not the name of a file in the Maven2 layout"
        raise ValueError(msg)
    return _is_named(package, version, filename)


def _modules(options: Mapping[str, Any]) -> tuple[str, ...]:
    return MavenOptions.model_validate(dict(options)).artifacts


LANGUAGE = Language(
    name="maven",
    naming=NAMING,
    purl=_purl,
    build_type="maven",
    archive=ArchiveKind(
        kind="maven",
        description=(
            "Artifact of the configured Maven repository: `group:artifact:{version}:type:classifier`, such as "
            "`org.example:sample:{version}:zip:source-release`; `{version}` is replaced by the version."
        ),
        read=_archive,
        purl=_archive_purl,
    ),
    options=MavenOptions,
    modules=_modules,
    remarks=_remarks,
    refused={
        "build.requires": "what a Maven build needs stands in its POM, and the lock holds it; a patch can change it",
        "build.config_settings": "Maven has no build backend: use options.properties",
        "build.tags": "what Maven puts out has no tags",
        "test.imports": "Maven runs the tests in the build",
        "test.command": "Maven runs the tests in the build: name what runs them in build.options.goals",
        "test.requires": "Maven runs the tests in the build, and their requirements stand in the POM",
    },
    tests_in_build=True,
    release=_release,
    is_file_of=_is_file_of,
    suffixes=_SUFFIXES,
    component=_component,
)
"""What farm knows of Maven's names."""
