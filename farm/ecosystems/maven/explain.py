"""Why a run of Maven failed, read from its log: what was missing and who asked, which tests failed.

Maven's words are not a protocol: what is not recognised here is shown as it is.
"""

from __future__ import annotations

import os
import re
from dataclasses import dataclass
from typing import TYPE_CHECKING

from farm.ecosystems.maven.command import REPOSITORY_ID
from farm.ecosystems.run import failure, last_words
from farm.errors import BuildFailedError, InputDigestError, InputNotLockedError, PackageTestError
from farm.text import without_controls

if TYPE_CHECKING:
    from farm.ecosystems.run import Run
    from farm.errors import FarmError
    from farm.model.plan import BuildPlan

__all__ = ["Findings", "read_log", "record_error", "replay_error"]

_COORDINATES = r"[A-Za-z0-9_.-]+:[A-Za-z0-9_.:${}-]+"
_PLAIN = r"[A-Za-z0-9_.-]+(?::[A-Za-z0-9_.-]+)+"
_MISSING = (
    re.compile(rf"Could not find (?:artifact|metadata) ({_COORDINATES}(?:/maven-metadata\.xml)?) in {REPOSITORY_ID}"),
    # Only from the beginning of a word: from each of its letters would take the square of its length.
    re.compile(rf"(?<![A-Za-z0-9_.:${{}}-])({_COORDINATES}) was not found in file:///depot"),
    re.compile(rf"Failure to find ({_COORDINATES}) in file:///depot"),
    re.compile(r"No versions available for (\S+) within specified range"),
    re.compile(r"No plugin found for prefix ('[^']+')"),
    re.compile(r"Error resolving version for plugin '([^']+)'"),
)
_CORRUPT = re.compile(
    rf"Could not transfer (?:artifact|metadata) ({_COORDINATES}(?:/maven-metadata\.xml)?) from/to {REPOSITORY_ID}"
    r"[^\n]{0,200}Checksum validation failed"
)
_ASKED = (
    re.compile(rf"Plugin ({_COORDINATES}) or one of its dependencies could not be resolved"),
    re.compile(rf"Failed to execute goal ({_COORDINATES}) \("),
    re.compile(r"Failed to execute goal on (project [A-Za-z0-9_.-]+)"),
    re.compile(rf"Non-resolvable (?:parent POM|import POM) for ({_PLAIN})"),
    re.compile(rf"Unresolveable build extension: Plugin ({_PLAIN})"),
)
_NETWORK = re.compile(
    r"UnknownHostException|Temporary failure in name resolution|Network is unreachable|Could not resolve host|"
    r"NoRouteToHostException|Name or service not known|ENOTFOUND|EAI_AGAIN|getaddrinfo"
)
_TEST_HEADING = re.compile(r"\[ERROR\] (Failures|Errors):\s*")
_TEST_LINE = re.compile(r"\[ERROR\] +(\S.*)")
_TEST_END = re.compile(r"\[INFO\]|\[ERROR\]\s*(?:$|Tests run:)")
_TIMED = "Time elapsed: "
_FAILED = ("<<< FAILURE!", "<<< ERROR!")
"""What stands in the line of a test that failed; older Surefires spell their summary otherwise."""
_RUNS_TESTS = re.compile(r"surefire|failsafe")
_TESTS_FAILED = re.compile(r"There (?:are|were) test failures|\[ERROR\] Tests run: \d+, Failures: \d+, Errors: \d+")
_SHOWN = 8
_LONGEST = 600
_LOG_BYTES = 64 * 1024 * 1024
_LINE = 20_000
"""How much of a line is looked at: the log is foreign text, and what is looked for stands at the beginning."""


@dataclass(frozen=True)
class Findings:
    """What a log says."""

    missing: tuple[str, ...] = ()
    """Coordinates that were asked for in vain."""
    asked: str = ""
    """Plugin goal, plugin or project that asked."""
    corrupt: tuple[str, ...] = ()
    """Coordinates of what does not have the checksum beside it."""
    tests: tuple[str, ...] = ()
    """Failing tests with their messages, each on one line."""
    tests_failed: bool = False
    network: str = ""
    """The first line that speaks of a network."""


def read_log(text: str) -> Findings:
    """Read Maven's log (pure)."""
    lines = [line[:_LINE].rstrip() for line in without_controls(text).splitlines()]
    # What is only warned of (an optional POM that nobody has, say) was warned of when it was recorded, too.
    errors = "\n".join(line for line in lines if line.startswith(("[ERROR]", "[FATAL]")))
    missing = [found[1] for pattern in _MISSING for found in pattern.finditer(errors)]
    asked = next((found[1] for pattern in _ASKED if (found := pattern.search(errors))), "")
    tests = _failed_tests(lines) or [test for line in lines if (test := _failed_test(line))]
    said = bool(tests) or _TESTS_FAILED.search(errors) is not None
    return Findings(
        missing=tuple(dict.fromkeys(missing)),
        asked=asked,
        corrupt=tuple(dict.fromkeys(found[1] for found in _CORRUPT.finditer(errors))),
        tests=tuple(dict.fromkeys(tests)),
        # Where the POM lets failures pass, it is something else that the build failed of.
        tests_failed=said and (not asked or _RUNS_TESTS.search(asked) is not None),
        network=next((line.strip() for line in lines if _NETWORK.search(line)), ""),
    )


def _failed_tests(lines: list[str]) -> list[str]:
    """Return what Surefire's summary lists; the messages of some tests go over several lines."""
    tests = []
    inside = False
    for line in lines:
        if _TEST_HEADING.fullmatch(line):
            inside = True
        elif _TEST_END.match(line):
            inside = False
        elif inside and (found := _TEST_LINE.match(line)):
            tests.append(found[1])
    return tests


def _failed_test(line: str) -> str:
    """Return the test whose failure the line tells, empty for every other line."""
    head, timed, _ = line.removeprefix("[ERROR] ").partition(_TIMED)
    name = head.rstrip().removesuffix(" --")
    told = timed and head != head.rstrip() and not head[:1].isspace() and line.endswith(_FAILED)
    return name if told and not name.startswith("Tests run:") else ""


def replay_error(plan: BuildPlan, done: Run) -> FarmError:
    """Return the error for a failed run with the depot; its log is kept."""
    found = _findings(done)
    step = done.result.failed_step
    if step == "maven" and found.corrupt:
        return failure(
            InputDigestError,
            f"{plan.package}: Maven refused {_some(found.corrupt)}: the lock has another SHA-1 than the file",
            done,
            files=", ".join(found.corrupt),
        )
    if step == "maven" and found.missing:
        command = f"farm lock {plan.package}"
        by = f", asked for by {found.asked}" if found.asked else ""
        error = failure(
            InputNotLockedError,
            f"{plan.package}: not in the lock: {_some(found.missing)}{by}",
            done,
            missing=", ".join(found.missing),
            asked=found.asked,
            command=command,
        )
        error.remedy = f"Run `{command}`, read what it adds, and commit it. The whole log is {error.details['log']}."
        return error
    return _common(plan, done, found)


def record_error(plan: BuildPlan, done: Run, problems: tuple[str, ...]) -> FarmError:
    """Return the error for a failed recording: first what the recorder could not get, then what Maven says."""
    found = _findings(done)
    error = _common(plan, done, found)
    if problems:
        error.message += f"\nThe recorder could not get everything: {_some(problems, '; ')}"
        error.details["problems"] = list(problems)
    return error


def _common(plan: BuildPlan, done: Run, found: Findings) -> FarmError:
    step, code = done.result.failed_step, done.result.exit_code
    hint = ""
    if step == "maven" and found.network:
        by = f" ({found.asked})" if found.asked else ""
        hint = (
            f"\nSomething{by} wants a network of its own, which a build does not have; Maven's repositories are the"
            f" only way in: {found.network[:_LONGEST]}"
        )
    if step == "maven" and found.tests_failed:
        what = _some(found.tests, "\n  ") if found.tests else "Surefire names none"
        message = f"{plan.package}: tests failed:\n  {what}{hint}"
        return failure(PackageTestError, message, done, tests=", ".join(found.tests))
    words = _errors(done) or last_words(done.result.log_tail)
    return failure(
        BuildFailedError, f"{plan.package}: {step} failed with exit code {code}:\n{words}{hint}", done, step=step
    )


def _findings(done: Run) -> Findings:
    return read_log(_text(done))


def _text(done: Run) -> str:
    """Return the log; of a very long one the end, where a failure is told."""
    with done.log.open("rb") as stream:
        stream.seek(max(0, stream.seek(0, os.SEEK_END) - _LOG_BYTES))
        return without_controls(stream.read().decode("utf-8", errors="replace"))


def _errors(done: Run) -> str:
    """Return the first lines in which Maven says what went wrong, without its advice."""
    lines = [line for line in _text(done).splitlines() if line.startswith("[ERROR]") and len(line) > len("[ERROR] ")]
    useful = [line for line in lines if "[Help 1]" not in line or "Failed to execute" in line]
    return "\n".join(line[:_LONGEST] for line in useful[:_SHOWN])


def _some(items: tuple[str, ...], between: str = ", ") -> str:
    rest = len(items) - _SHOWN
    return between.join(items[:_SHOWN]) + (f"{between}and {rest} more" if rest > 0 else "")
