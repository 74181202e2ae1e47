"""Logs as Maven 3.9 and Surefire 2.12 to 3.5 write them, shortened."""
# ruff: noqa: E501 - a line of a log is as long as it is

from __future__ import annotations

from typing import TYPE_CHECKING

import pytest

from farm.ecosystems.maven.explain import read_log, record_error, replay_error
from farm.ecosystems.run import Run
from farm.errors import BuildFailedError, InputDigestError, InputNotLockedError, PackageTestError
from farm.model.build import Usage
from farm.sandbox.base import SandboxResult
from tests.fixtures_maven import plan_of

if TYPE_CHECKING:
    from pathlib import Path

PLUGIN = """[INFO] BUILD FAILURE
[ERROR] Plugin org.apache.maven.plugins:maven-resources-plugin:3.3.1 or one of its dependencies could not be resolved:
[ERROR] \tCould not find artifact org.apache.maven.plugins:maven-resources-plugin:jar:3.3.1 in farm-depot (file:///depot)
[ERROR] -> [Help 1]
org.apache.maven.plugin.PluginResolutionException: Plugin org.apache.maven.plugins:maven-resources-plugin:3.3.1
"""
DEPENDENCY = """[ERROR] Failed to execute goal on project sample-lib: Could not resolve dependencies for project org.example:\
sample-lib:jar:1.0: The following artifacts could not be resolved: org.x:dep:jar:1.1 (absent), org.x:other:jar:tests:2 \
(absent): Could not find artifact org.x:dep:jar:1.1 in farm-depot (file:///depot) -> [Help 1]
"""
PROVIDER = """[ERROR] Failed to execute goal org.apache.maven.plugins:maven-surefire-plugin:3.2.5:test (default-test) on \
project sample-lib: The following artifacts could not be resolved: org.apache.maven.surefire:surefire-junit-platform:jar:\
3.2.5 (absent): Could not find artifact org.apache.maven.surefire:surefire-junit-platform:jar:3.2.5 in farm-depot \
(file:///depot) -> [Help 1]
"""
PARENT = """[ERROR] [ERROR] Some problems were encountered while processing the POMs:
[FATAL] Non-resolvable parent POM for org.example:sample:1.0: The following artifacts could not be resolved: \
org.x:parent:pom:9 (absent): Could not find artifact org.x:parent:pom:9 in farm-depot (file:///depot) and \
'parent.relativePath' points at wrong local POM @ line 1, column 90
"""
RANGE = """[ERROR] Failed to execute goal on project a: Could not collect dependencies for project org.example:a:jar:1.0
[ERROR] No versions available for org.x:dep:jar:[1.0,2.0) within specified range
"""
PREFIX = """[ERROR] No plugin found for prefix 'gone' in the current project and in the plugin groups [org.codehaus.mojo] \
available from the repositories [local (/work/m2), farm-depot (file:///depot)] -> [Help 1]
"""
EXTENSION = """[ERROR] Unresolveable build extension: Plugin org.x:ext:1.0 or one of its dependencies could not be \
resolved: Could not find artifact org.x:ext:jar:1.0 in farm-depot (file:///depot) @
"""
METADATA = """[ERROR] Failed to execute goal org.x:y-maven-plugin:1:run (default) on project a: x: Could not find metadata \
org.x:dep/maven-metadata.xml in farm-depot (file:///depot) -> [Help 1]
"""


@pytest.mark.parametrize(
    ("text", "missing", "asked"),
    [
        (PLUGIN, "org.apache.maven.plugins:maven-resources-plugin:jar:3.3.1",
         "org.apache.maven.plugins:maven-resources-plugin:3.3.1"),
        (DEPENDENCY, "org.x:dep:jar:1.1", "project sample-lib"),
        (PROVIDER, "org.apache.maven.surefire:surefire-junit-platform:jar:3.2.5",
         "org.apache.maven.plugins:maven-surefire-plugin:3.2.5:test"),
        (PARENT, "org.x:parent:pom:9", "org.example:sample:1.0"),
        (RANGE, "org.x:dep:jar:[1.0,2.0)", "project a"),
        (PREFIX, "'gone'", ""),
        (EXTENSION, "org.x:ext:jar:1.0", "org.x:ext:1.0"),
        (METADATA, "org.x:dep/maven-metadata.xml", "org.x:y-maven-plugin:1:run"),
    ],
)  # fmt: skip
def test_what_is_missing_and_who_asked(text: str, missing: str, asked: str) -> None:
    found = read_log(text)
    assert found.missing == (missing,)
    # A plugin that cannot be had is asked for by the project; it is named as what needs the file all the same.
    assert found.asked == asked
    assert not found.tests_failed


JUNIT5 = """[ERROR] Tests run: 2, Failures: 1, Errors: 1, Skipped: 0, Time elapsed: 0.097 s <<< FAILURE! -- in org.example.B
[ERROR] org.example.BrokenTest.phonesHome -- Time elapsed: 0.063 s <<< ERROR!
java.lang.IllegalStateException: boom
[ERROR] org.example.BrokenTest.isWrong -- Time elapsed: 0.015 s <<< FAILURE!
[INFO] Results:
[INFO]\x20
[ERROR] Failures:\x20
[ERROR]   BrokenTest.isWrong:11 expected: <Hello, me> but was: <Hello, you>
[ERROR]   BrokenTest.manyLines:12 expected: <a
b> but was: <c
d>
[ERROR]   BrokenTest.afterThat:13
[ERROR] Errors:\x20
[ERROR]   BrokenTest.phonesHome:16 » IllegalState boom
[INFO]\x20
[ERROR] Tests run: 5, Failures: 3, Errors: 1, Skipped: 1
[INFO] ------
[ERROR] Failed to execute goal org.apache.maven.plugins:maven-surefire-plugin:3.2.5:test (default-test) on project \
sample-lib: There are test failures.
[ERROR]\x20
[ERROR] Please refer to /src/lib/target/surefire-reports for the individual test results.
"""
JUNIT4 = """[ERROR] Failures:\x20
[ERROR]   OldTest.fails:12 expected:<1> but was:<2>
[ERROR] Errors:\x20
[ERROR]   OldTest.throwsIt:17 » NullPointer
[INFO]\x20
[ERROR] Tests run: 4, Failures: 1, Errors: 1, Skipped: 0
[ERROR] Failed to execute goal org.apache.maven.plugins:maven-surefire-plugin:2.22.2:test (default-test) on project a: \
There are test failures.
"""
TESTNG = """[ERROR] Failures:\x20
[ERROR] org.example.NgTest.flaky
[ERROR]   Run 1: NgTest.flaky:14 expected [2] but found [1]
[ERROR]   Run 2: NgTest.flaky:14 expected [2] but found [3]
[INFO]\x20
[ERROR]   NgTest.afterwards:20 is no line of the summary
[ERROR] Tests run: 3, Failures: 1, Errors: 0, Skipped: 0
"""
OLD = """Running org.example.OldTest
Tests run: 2, Failures: 1, Errors: 1, Skipped: 0, Time elapsed: 0.03 sec <<< FAILURE!
fails(org.example.OldTest)  Time elapsed: 0.005 sec  <<< FAILURE!
throwsIt(org.example.OldTest)  Time elapsed: 0.001 sec  <<< ERROR!

Results :

Failed tests:   fails(org.example.OldTest): expected:<1> but was:<2>

Tests run: 2, Failures: 1, Errors: 1, Skipped: 0

[ERROR] Failed to execute goal org.apache.maven.plugins:maven-surefire-plugin:2.12.4:test (default-test) on project a: \
There are test failures.
"""


@pytest.mark.parametrize(
    ("text", "tests"),
    [
        (
            JUNIT5,
            (
                "BrokenTest.isWrong:11 expected: <Hello, me> but was: <Hello, you>",
                "BrokenTest.manyLines:12 expected: <a",
                "BrokenTest.afterThat:13",
                "BrokenTest.phonesHome:16 » IllegalState boom",
            ),
        ),
        (JUNIT4, ("OldTest.fails:12 expected:<1> but was:<2>", "OldTest.throwsIt:17 » NullPointer")),
        (
            TESTNG,
            (
                "org.example.NgTest.flaky",
                "Run 1: NgTest.flaky:14 expected [2] but found [1]",
                "Run 2: NgTest.flaky:14 expected [2] but found [3]",
            ),
        ),
        (OLD, ("fails(org.example.OldTest)", "throwsIt(org.example.OldTest)")),
    ],
)
def test_failing_tests_are_named(text: str, tests: tuple[str, ...]) -> None:
    found = read_log(text)
    assert found.tests == tests
    assert found.tests_failed
    assert found.missing == ()


def test_failures_that_the_pom_lets_pass_are_not_why_another_goal_failed() -> None:
    deploy = (
        "[ERROR] Failed to execute goal org.apache.maven.plugins:maven-deploy-plugin:3.1.4:deploy (default-cli): x\n"
    )
    assert not read_log(JUNIT4.rpartition("[ERROR] Failed")[0] + deploy).tests_failed


def test_nothing_is_found_in_nothing() -> None:
    found = read_log(
        "[INFO] BUILD SUCCESS\n[WARNING] Could not find artifact a:b:jar:1 in farm-depot (file:///depot)\n"
    )
    assert (found.missing, found.asked, found.tests, found.tests_failed, found.network) == ((), "", (), False, "")


def run_of(folder: Path, text: str, step: str = "maven") -> Run:
    log = folder / "log"
    log.write_text(text)
    result = SandboxResult(1, step, "probe", Usage(seconds=1), text[-4096:])
    return Run(result, folder / "out", log, folder / "kept" / "run.log")


def test_a_miss_in_replay(tmp_path: Path) -> None:
    error = replay_error(plan_of(), run_of(tmp_path, PROVIDER))
    assert isinstance(error, InputNotLockedError)
    assert "surefire-junit-platform:jar:3.2.5, asked for by org.apache.maven.plugins:maven-surefire" in error.message
    assert "farm lock maven/org.example:sample@1.0" in error.remedy
    assert str(tmp_path / "kept" / "run.log") in error.remedy
    assert error.details["command"] == "farm lock maven/org.example:sample@1.0"


def test_a_file_that_is_not_what_the_checksum_says(tmp_path: Path) -> None:
    text = (
        "[ERROR] Plugin org.x:p:1 or one of its dependencies could not be resolved:\n[ERROR] \tCould not transfer artifact"
        " org.x:p:pom:1 from/to farm-depot (file:///depot): Checksum validation failed, expected 'ab' (REMOTE_EXTERNAL)\n"
    )
    error = replay_error(plan_of(), run_of(tmp_path, text))
    assert isinstance(error, InputDigestError)
    assert "org.x:p:pom:1" in error.message


@pytest.mark.parametrize(
    "line",
    [
        "java.net.UnknownHostException: registry.example.test",
        "npm ERR! getaddrinfo EAI_AGAIN registry.example.test",
        "curl: (6) Could not resolve host: registry.example.test",
        "java.net.ConnectException: Network is unreachable",
        "fatal: unable to access: Could not resolve host: registry.example.test",
    ],
)
def test_what_downloads_by_other_means(tmp_path: Path, line: str) -> None:
    text = f"{line}\n[ERROR] Failed to execute goal org.x:front-maven-plugin:1:npm (install) on project a: failed\n"
    for error in (replay_error(plan_of(), run_of(tmp_path, text)), record_error(plan_of(), run_of(tmp_path, text), ())):
        assert isinstance(error, BuildFailedError)
        assert "(org.x:front-maven-plugin:1:npm) wants a network of its own" in error.message
        assert line in error.message


def test_the_end_of_a_recording_names_what_could_not_be_had(tmp_path: Path) -> None:
    text = "[ERROR] Failed to execute goal on project a: x\n[ERROR] -> [Help 1]\n"
    problems = tuple(f"org/x/{n}: broken" for n in range(10))
    error = record_error(plan_of(), run_of(tmp_path, text), problems)
    assert "org/x/7: broken; and 2 more" in error.message
    assert error.details["problems"] == list(problems)


def test_a_step_that_is_not_maven_is_named(tmp_path: Path) -> None:
    error = replay_error(plan_of(), run_of(tmp_path, "error: patch does not apply\n", "patch one.patch"))
    assert isinstance(error, BuildFailedError)
    assert "patch one.patch failed" in error.message
    assert "patch does not apply" in error.message


def test_tests_without_a_name(tmp_path: Path) -> None:
    text = (
        "[ERROR] Failed to execute goal a.b:maven-surefire-plugin:1:test (x) on project a: There are test failures.\n"
    )
    error = replay_error(plan_of(), run_of(tmp_path, text))
    assert isinstance(error, PackageTestError)
    assert "names none" in error.message


def test_no_log_commands_the_terminal(tmp_path: Path) -> None:
    error = replay_error(plan_of(), run_of(tmp_path, "[ERROR] \x1b[31mred\x1b]0;title\x07 \x9b2J\n"))
    assert not any(ord(c) < 32 and c != "\n" for c in error.message)


def test_of_a_very_long_log_the_end_counts(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr("farm.ecosystems.maven.explain._LOG_BYTES", 2000)
    error = replay_error(plan_of(), run_of(tmp_path, "[INFO] x\n" * 5000 + PROVIDER))
    assert isinstance(error, InputNotLockedError)
