"""What a project, its build or a lock says, made to stop, fill or fool whoever reads it."""

from __future__ import annotations

import time
import tracemalloc
import zipfile
from typing import TYPE_CHECKING

import pytest

from farm.config import Settings
from farm.ecosystems.base import StepContext
from farm.ecosystems.maven.depot import replay_mounts
from farm.ecosystems.maven.ecosystem import ECOSYSTEM
from farm.ecosystems.maven.explain import read_log
from farm.ecosystems.maven.jar import read_jar
from farm.ecosystems.maven.lock import _locked
from farm.ecosystems.maven.project import read_project
from farm.ecosystems.maven.recording import Recorded
from farm.errors import BuildToolError, GuardError, LockStaleError, UnsafeArchiveError
from farm.model.base import BlobRef
from farm.model.build import BuildResult, RawArtifact, Usage
from farm.sandbox.docker import DockerSandbox
from farm.store.cache import BlobCache
from tests.fixtures_maven import IMAGE, MAVEN, NAME, lock_of, locked, plan_of, pom, tar_of
from tests.fixtures_source import MemoryVault

if TYPE_CHECKING:
    from pathlib import Path


def context(folder: Path) -> StepContext:
    settings = Settings(data=folder / "data")
    vault = MemoryVault()
    return StepContext(
        settings=settings, vault=vault, sandbox=DockerSandbox(settings), image=IMAGE,
        cache=BlobCache(vault, folder / "cache"), work=folder,
    )  # fmt: skip


@pytest.mark.parametrize(
    "line",
    [
        "a" + " " * 1_000_000 + "x",
        "a" + " " * 1_000_000 + "Time elapsed: <<< ERROR",
        "[ERROR] " + "a:" * 500_000,
        "[ERROR] " + "Could not transfer artifact a:b from/to farm-depot " * 20_000,
        "[ERROR] " + "No versions available for " * 40_000,
        "[ERROR] Tests run: " + "1" * 1_000_000,
    ],
    ids=lambda line: line[:12],
)
def test_a_log_that_is_made_to_take_for_ever(line: str) -> None:
    start = time.monotonic()
    assert read_log(f"{line}\n" * 3).missing == ()
    assert time.monotonic() - start < 5


def test_a_jar_that_is_made_to_fill_the_memory(tmp_path: Path) -> None:
    path = tmp_path / "a.jar"
    with zipfile.ZipFile(path, "w", zipfile.ZIP_DEFLATED, compresslevel=1) as made:
        for number in range(100):
            made.writestr(f"META-INF/maven/g{number}/a/pom.properties", f"version={number}" + "0" * 1_000_000)
    tracemalloc.start()
    try:
        assert len(read_jar(path, path.name).projects) == 100
        assert tracemalloc.get_traced_memory()[1] < 8 * 1024**2
    finally:
        tracemalloc.stop()


def test_a_jar_of_more_projects_than_there_can_be(tmp_path: Path) -> None:
    path = tmp_path / "a.jar"
    with zipfile.ZipFile(path, "w") as made:
        for number in range(5001):
            made.writestr(f"META-INF/maven/g/a{number}/pom.properties", "")
    with pytest.raises(UnsafeArchiveError, match="5001 projects"):
        read_jar(path, path.name)


@pytest.mark.parametrize(
    ("path", "name", "purl"),
    [
        ("archetype-catalog.xml", "archetype-catalog.xml", "pkg:generic/archetype-catalog.xml"),
        ("g/a$b/1/a$b-1.jar", "g:a$b", "pkg:generic/g%2Fa%24b%2F1%2Fa%24b-1.jar"),
        ("-g/a/1/a-1.jar", "-g:a", "pkg:generic/-g%2Fa%2F1%2Fa-1.jar"),
    ],
)
def test_a_recorded_file_that_maven_has_no_name_for(path: str, name: str, purl: str) -> None:
    """Foreign code chooses what is asked for; the repository has more than artifacts."""
    file = Recorded(
        path=path, origin="index", repository="r", size=1, sha256="0" * 64, sha1="0" * 40, checked="sha1"
    )  # fmt: skip
    found = _locked(file, MAVEN)
    assert (found.name, found.purl) == (name, purl)


@pytest.mark.parametrize("words", ["-fn", "--fail-never", "-T2\n-fail-never", "-B -fn"])
@pytest.mark.parametrize("folder", ["", "code/java"])
@pytest.mark.parametrize("place", ["", "code/"])
def test_a_build_that_is_told_to_succeed(tmp_path: Path, words: str, folder: str, place: str) -> None:
    files = {f"{folder}/pom.xml".lstrip("/"): pom(), f"{place}.mvn/maven.config": words}
    source = tmp_path / "source.tar"
    source.write_bytes(tar_of(files))
    plan = plan_of(subdirectory=folder)
    if place and not folder:
        assert read_project(plan, source).modules  # not on the way to the project: Maven does not see it
        return
    with pytest.raises(BuildToolError, match="succeed whatever fails"):
        read_project(plan, source)


def test_a_distribution_in_the_lock_that_is_not_the_pinned_one(tmp_path: Path) -> None:
    """The digest that is pinned is of what is run, not only of what the lock says it was made with."""
    evil = locked(MAVEN.path, b"another Maven")
    with pytest.raises(LockStaleError, match="does not hold the Maven"):
        replay_mounts(lock_of(plan_of(), files=(evil,)), context(tmp_path))


def test_a_pom_that_is_too_large_is_not_even_read(tmp_path: Path) -> None:
    name = f"{NAME.replace('.', '/').replace(':', '/')}/1.0/sample-1.0.pom"
    result = BuildResult(
        artifacts=(RawArtifact(filename=name, blob=BlobRef(sha256="0" * 64, size=100 * 1024**2)),), commands=(),
        environment={}, log=BlobRef(sha256="0" * 64, size=0), probe="", usage=Usage(seconds=1),
    )  # fmt: skip
    with pytest.raises(GuardError, match="more than a POM may have"):
        ECOSYSTEM.inspect(plan_of(), result, context(tmp_path))
