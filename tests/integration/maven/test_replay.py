"""One recording of a small project, and what replays of it show."""

from __future__ import annotations

import os
from typing import TYPE_CHECKING

import pytest

from farm.ecosystems.maven.ecosystem import ECOSYSTEM
from farm.errors import InputNotLockedError, PackageTestError
from tests.fixtures_maven import lock_of, plan_of
from tests.fixtures_maven_bench import OPTIONS, variant

if TYPE_CHECKING:
    from farm.model.build import BuildResult
    from tests.fixtures_maven_bench import MavenBench, Sample

pytestmark = pytest.mark.docker


@pytest.fixture(scope="module")
def built(first: MavenBench, sample: Sample) -> BuildResult:
    return first.build(sample.plan, sample.snapshot, sample.lock)


def test_what_is_recorded(sample: Sample) -> None:
    paths = [file.filename for file in sample.lock.files]
    assert paths == sorted(paths)
    # Resolved while the tests run, which is why they are recorded too.
    assert any("/surefire-junit-platform-" in path for path in paths)
    assert any(path.endswith("/apache-maven-3.9.9-bin.zip") for path in paths)
    assert not any(path.startswith("org/example/") for path in paths)
    assert not any(path.endswith((".sha1", ".md5", ".lastUpdated", "_remote.repositories")) for path in paths)
    assert {file.origin for file in sample.lock.files} == {"index"}


def test_a_replay_without_network_passes_with_its_tests(first: MavenBench, sample: Sample, built: BuildResult) -> None:
    assert [raw.filename for raw in built.artifacts] == [
        "org/example/sample/1.0/sample-1.0.pom",
        "org/example/sample-lib/1.0/sample-lib-1.0.jar",
        "org/example/sample-lib/1.0/sample-lib-1.0.pom",
    ]
    assert built.tests is not None
    assert (built.tests.run, built.tests.skipped, built.tests.failed) == (3, 1, 0)
    assert ECOSYSTEM.inspect(sample.plan, built, first.context()) == ()
    artifacts = ECOSYSTEM.finish(sample.plan, sample.snapshot, built, lambda _: {}, first.context())
    assert [(a.filename, a.kind) for a in artifacts] == [
        ("sample-1.0.pom", "pom"), ("sample-lib-1.0.jar", "jar"), ("sample-lib-1.0.pom", "pom"),
    ]  # fmt: skip
    report = ECOSYSTEM.test(sample.plan, sample.snapshot, sample.lock, built, artifacts, first.context())
    assert (report.result, report.counts) == ("passed", built.tests)


def test_the_same_bytes_whatever_the_host_is_set_to(
    first: MavenBench, sample: Sample, built: BuildResult, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setenv("TZ", "Pacific/Auckland")
    monkeypatch.setenv("LC_ALL", "tr_TR.UTF-8")
    monkeypatch.setenv("MAVEN_OPTS", "-Dproject.build.outputTimestamp=1")
    before = os.umask(0o077)
    try:
        again = first.build(sample.plan, sample.snapshot, sample.lock)
    finally:
        os.umask(before)
    assert again.artifacts == built.artifacts


@pytest.mark.parametrize(
    ("part", "coordinates", "asked"),
    [
        ("/maven-resources-plugin-", "org.apache.maven.plugins:maven-resources-plugin", "maven-resources-plugin"),
        ("/surefire-junit-platform-", "org.apache.maven.surefire:surefire-junit-platform", "maven-surefire-plugin"),
    ],
)
def test_a_file_that_is_not_locked(bench: MavenBench, sample: Sample, part: str, coordinates: str, asked: str) -> None:
    files = tuple(f for f in sample.lock.files if part not in f.filename or not f.filename.endswith(".jar"))
    assert len(files) == len(sample.lock.files) - 1
    with pytest.raises(InputNotLockedError) as caught:
        bench.build(sample.plan, sample.snapshot, sample.lock.model_copy(update={"files": files}))
    assert coordinates in caught.value.message
    assert asked in caught.value.message.partition("asked for by")[2]
    assert "farm lock maven/org.example:sample@1.0" in caught.value.remedy


def test_failing_tests_are_named_and_a_network_is_hinted_at(bench: MavenBench, sample: Sample) -> None:
    snapshot, lock = variant(
        sample,
        bench,
        {
            "lib/src/test/java/org/example/BrokenTest.java": """package org.example;

import static org.junit.jupiter.api.Assertions.assertEquals;

import java.net.URI;
import org.junit.jupiter.api.Test;

class BrokenTest {
    @Test
    void isWrong() {
        assertEquals("Hello, me", Greeting.of("you"));
    }

    @Test
    void phonesHome() throws Exception {
        URI.create("http://elsewhere.example.test/").toURL().openStream().close();
    }
}
"""
        },
    )
    with pytest.raises(PackageTestError) as caught:
        bench.build(sample.plan, snapshot, lock)
    assert "BrokenTest.isWrong" in caught.value.message
    assert "BrokenTest.phonesHome" in caught.value.message
    assert "elsewhere.example.test" in caught.value.message
    assert "wants a network of its own" in caught.value.message
    assert "GreetingTest" not in caught.value.message


def test_another_jdk(bench: MavenBench, sample: Sample) -> None:
    plan = plan_of(OPTIONS, image="jdk21")
    lock = lock_of(plan, sample.snapshot, files=sample.lock.files)
    built = bench.build(plan, sample.snapshot, lock)
    assert built.tests is not None
    assert (built.tests.run, built.tests.failed) == (3, 0)
