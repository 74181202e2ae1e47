"""What came out is held against the recipe, described, and its tests are reported."""

from __future__ import annotations

from typing import TYPE_CHECKING

import pytest

from farm.config import Settings
from farm.ecosystems.base import StepContext
from farm.ecosystems.maven.ecosystem import ECOSYSTEM
from farm.ecosystems.maven.finish import report_tests
from farm.errors import FarmError, GuardError, PackageTestError, UnsafeArchiveError
from farm.model.base import BlobRef
from farm.model.build import BuildResult, RawArtifact, TestCounts, Usage
from farm.sandbox.docker import DockerSandbox
from farm.store.cache import BlobCache
from tests.fixtures_maven import IMAGE, NO_TESTS, SNAPSHOT, plan_of, pom
from tests.fixtures_maven_repository import jar
from tests.fixtures_source import MemoryVault

if TYPE_CHECKING:
    from collections.abc import Mapping
    from pathlib import Path

    from farm.model.build import Artifact, FileNote
    from farm.model.plan import BuildPlan

BASE = "org/example/sample/1.0/sample-1.0"
LIB = "org/example/lib/1.0/lib-1.0"
GOOD: dict[str, bytes] = {f"{BASE}.pom": pom().encode(), f"{BASE}.jar": jar({"a.class": "x"})}


def result_of(vault: MemoryVault, files: Mapping[str, bytes], tests: TestCounts | None = None) -> BuildResult:
    return BuildResult(
        artifacts=tuple(RawArtifact(filename=name, blob=vault.put_bytes(data)) for name, data in sorted(files.items())),
        commands=(),
        environment={},
        tests=tests,
        log=BlobRef(sha256="0" * 64, size=0),
        probe="",
        usage=Usage(seconds=1),
    )


def context(folder: Path, vault: MemoryVault) -> StepContext:
    settings = Settings(data=folder / "data")
    work = folder / "work"
    work.mkdir(exist_ok=True)
    return StepContext(
        settings=settings, vault=vault, sandbox=DockerSandbox(settings), image=IMAGE,
        cache=BlobCache(vault, folder / "cache"), work=work,
    )  # fmt: skip


def inspect(folder: Path, files: Mapping[str, bytes], plan: BuildPlan | None = None) -> tuple[FileNote, ...]:
    vault = MemoryVault()
    return ECOSYSTEM.inspect(plan or plan_of(), result_of(vault, files), context(folder, vault))


def finish(folder: Path, files: Mapping[str, bytes], plan: BuildPlan | None = None) -> tuple[Artifact, ...]:
    vault = MemoryVault()
    result = result_of(vault, files)
    return ECOSYSTEM.finish(plan or plan_of(), SNAPSHOT, result, lambda _: {}, context(folder, vault))


def test_what_the_recipe_declares_passes(tmp_path: Path) -> None:
    files = {
        **GOOD,
        f"{BASE}-sources.jar": jar({"a.java": "x"}),
        f"{BASE}.module": b"{}",
        f"{LIB}.pom": pom("lib").encode(),
        f"{LIB}.war": jar({"META-INF/maven/org.example/lib/pom.properties": "version=1.0\n"}),
    }
    assert inspect(tmp_path, files, plan_of({"artifacts": ["org.example:lib"]})) == ()
    assert list((tmp_path / "work").iterdir()) == []


def test_what_was_told_to_maven_is_noted(tmp_path: Path) -> None:
    plan = plan_of({"disable": ["apache-rat-plugin"], "wrapper_script": {"reason": "it patches"}})
    assert [(note.name, note.value) for note in inspect(tmp_path, GOOD, plan)] == [
        ("plugin switched off", "apache-rat-plugin"),
        ("the checkout's mvnw was run", "it patches"),
    ]


@pytest.mark.parametrize(
    ("files", "words"),
    [
        ({**GOOD, f"{LIB}.jar": b""}, "org.example:lib.*which the recipe does not declare"),
        ({**GOOD, "org/evil/sample/1.0/sample-1.0.jar": b""}, "does not declare"),
        ({"org/example/sample/1.0-SNAPSHOT/sample-1.0-20260101.010101-1.jar": b""}, "a snapshot"),
        ({"org/example/sample/1.0-snapshot/sample-1.0-snapshot.jar": b""}, "a snapshot"),
        ({**GOOD, "org/example/sample/1.0.1/sample-1.0.1.jar": b""}, "another version"),
        ({f"{BASE}.jar": GOOD[f"{BASE}.jar"]}, "no POM of org.example:sample"),
        ({f"{BASE}-x.pom": b""}, "no POM of org.example:sample"),
        ({**GOOD, f"{BASE}.pom": pom(version="2.0").encode()}, "says that it is org.example:sample:2.0"),
        ({**GOOD, f"{BASE}.pom": pom("other").encode()}, "says that it is org.example:other:1.0"),
        ({**GOOD, f"{BASE}.pom": pom(group="evil").encode()}, "says that it is evil:sample:1.0"),
        ({**GOOD, "loose.txt": b""}, "which is no artifact"),
        ({**GOOD, "org/example/sample/1.0/other-1.0.jar": b""}, "which is no artifact"),
        ({**GOOD, "org/example/sample/1.0/a b.jar": b""}, "odd path"),
        (
            {**GOOD, f"{BASE}.jar": jar({"META-INF/maven/org.example/sample/pom.properties": "version=6.6\n"})},
            "says inside that it is org.example:sample:6.6",
        ),
    ],
)
def test_what_the_guards_refuse(tmp_path: Path, files: dict[str, bytes], words: str) -> None:
    with pytest.raises(GuardError, match=words):
        inspect(tmp_path, files)


@pytest.mark.parametrize(
    ("files", "kind"),
    [
        ({**GOOD, f"{BASE}.jar": jar({"../x": ""})}, UnsafeArchiveError),
        ({**GOOD, f"{BASE}-javadoc.jar": b"no jar"}, UnsafeArchiveError),
        ({**GOOD, f"{BASE}-src.zip": jar({"/x": ""})}, UnsafeArchiveError),
        ({**GOOD, f"{BASE}.pom": b"<project"}, GuardError),
    ],
)
def test_what_cannot_be_read_is_refused(tmp_path: Path, files: dict[str, bytes], kind: type[FarmError]) -> None:
    with pytest.raises(kind):
        inspect(tmp_path, files)


def test_the_artifacts_and_what_they_say_of_themselves(tmp_path: Path) -> None:
    more = (
        "<description>Says\n hello</description><licenses><license><name>Apache-2.0</name></license></licenses>"
        "<dependencies><dependency><groupId>org.x</groupId><artifactId>y</artifactId><version>2</version></dependency>"
        "<dependency><groupId>org.x</groupId><artifactId>t</artifactId><version>2</version><scope>test</scope>"
        "</dependency></dependencies>"
    )
    content = jar(
        {
            "META-INF/MANIFEST.MF": "Manifest-Version: 1.0\nBuild-Jdk-Spec: 17\nSecret: no\n",
            "META-INF/maven/org.example/sample/pom.properties": "version=1.0\n",
            "META-INF/maven/org.shaded/part/pom.properties": "version=3\n",
        }
    )
    files = {f"{BASE}.pom": pom(more=more).encode(), f"{BASE}.jar": content, f"{BASE}-tests.jar": jar({})}
    tests, main, own = finish(tmp_path, files)
    assert (tests.kind, main.kind, own.kind) == ("jar:tests", "jar", "pom")
    assert (main.filename, main.path) == ("sample-1.0.jar", f"{BASE}.jar")
    # The bytes are upstream's, if upstream's build is as good as ours.
    assert all(found.blob == found.raw.blob for found in (tests, main, own))
    assert [(note.name, note.value) for note in main.contents] == [("pkg:maven/org.shaded/part@3", "3")]
    assert [(note.name, note.value) for note in main.notes] == [("Build-Jdk-Spec", "17")]
    assert (main.license, main.summary, main.requires_dist) == ("Apache-2.0", "Says hello", ("org.x:y:2:compile",))


def report_of(plan: BuildPlan, counts: TestCounts | None) -> tuple[str, TestCounts | None, str]:
    found = report_tests(plan, result_of(MemoryVault(), {}, counts))
    return found.result, found.counts, found.reason


def test_tests_that_ran() -> None:
    counts = TestCounts(run=3, skipped=1)
    assert report_of(plan_of(), counts) == ("passed", counts, "")


def test_tests_that_the_recipe_leaves_out() -> None:
    assert report_of(plan_of(test=NO_TESTS), TestCounts(run=0)) == ("skipped", TestCounts(run=0), "it has none")


@pytest.mark.parametrize("counts", [None, TestCounts(run=0), TestCounts(run=4, skipped=4)])
def test_no_test_ran_and_nobody_says_why(counts: TestCounts | None) -> None:
    with pytest.raises(PackageTestError, match="ran no tests") as caught:
        report_of(plan_of(), counts)
    assert "test.skip.reason" in caught.value.remedy


def test_failures_that_the_pom_lets_pass() -> None:
    with pytest.raises(PackageTestError, match="2 tests failed and the build went on"):
        report_of(plan_of(), TestCounts(run=3, failed=2))
