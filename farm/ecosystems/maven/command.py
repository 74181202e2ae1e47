"""How Maven is started in the sandbox: argument lists, environment and settings, the same to record and to replay.

What is recorded are the very goals, flags and profiles of the build, or the replay would miss a file. One thing
differs: where the settings' one mirror leads (the recorder, or the depot).
"""

from __future__ import annotations

from typing import TYPE_CHECKING
from xml.sax.saxutils import escape

from farm.ecosystems.maven.options import options_of
from farm.ecosystems.maven.skips import SKIPS
from farm.ecosystems.run import SRC
from farm.sandbox.base import Step

if TYPE_CHECKING:
    from farm.model.plan import BuildPlan
    from farm.model.source import SourceSnapshot

__all__ = [
    "DEPOT",
    "DEPOT_URL",
    "GUEST",
    "LOCAL",
    "MAVEN",
    "OUT_REPOSITORY",
    "OUT_TESTS",
    "PORT",
    "RECORDER_URL",
    "REPOSITORY_ID",
    "SETTINGS",
    "TIMESTAMP",
    "build_environment",
    "fixed_epoch",
    "maven_argv",
    "maven_steps",
    "settings_xml",
]

DEPOT = "/depot"
DEPOT_URL = f"file://{DEPOT}"
MAVEN = "/maven"
"""The unpacked distribution."""
SETTINGS = "/farm-maven/settings.xml"
GUEST = "/farm-guest"
LOCAL = "/work/m2"
OUT_REPOSITORY = "/out/repository"
OUT_TESTS = "/out/tests.json"
PORT = 8317
"""Where the recorder is to be reached inside of the sandbox that records."""
RECORDER_URL = f"http://127.0.0.1:{PORT}"
REPOSITORY_ID = "farm-depot"
TIMESTAMP = "project.build.outputTimestamp"
"""The property by which Maven's plugins take the time from outside."""

_JAVA = "/opt/jdk"
_QUICK = "-XX:TieredStopAtLevel=1"
"""Maven's own JVM ends before what the second compiler does pays: with it, half of a build's processor time goes into
compiling. Tests run in JVMs of their own, which this does not reach."""
_PATH = f"{_JAVA}/bin:/usr/local/sbin:/usr/local/bin:/usr/sbin:/usr/bin:/sbin:/bin"


def settings_xml(url: str) -> bytes:
    """Return the settings: one mirror for every repository, checksums enforced by `-C`."""
    return (
        '<?xml version="1.0" encoding="UTF-8"?>\n'
        '<settings xmlns="http://maven.apache.org/SETTINGS/1.2.0">\n'
        "  <mirrors>\n"
        f"    <mirror><id>{REPOSITORY_ID}</id><mirrorOf>*</mirrorOf><url>{escape(url)}</url></mirror>\n"
        "  </mirrors>\n"
        "</settings>\n"
    ).encode()


def fixed_epoch(plan: BuildPlan, snapshot: SourceSnapshot) -> int:
    """Return the time of the build, in seconds."""
    given = plan.build.source_date_epoch
    return snapshot.epoch if given is None else given


def maven_argv(plan: BuildPlan, snapshot: SourceSnapshot, *, has_timestamp: bool) -> tuple[str, ...]:
    """Return the argument list of Maven (pure): of recording and of building alike.

    Args:
        plan: what is built.
        snapshot: its source.
        has_timestamp: whether the project's own POM has an output timestamp.
    """
    options = options_of(plan)
    properties = dict(options.properties)
    for plugin in options.disable:
        properties |= dict.fromkeys(SKIPS[plugin], "true")
    if options.timestamp == "source" or (options.timestamp == "auto" and not has_timestamp):
        properties[TIMESTAMP] = str(fixed_epoch(plan, snapshot))
    if plan.test.skip_reason:
        properties["skipTests"] = "true"
    launcher = "./mvnw" if options.wrapper_script else f"{MAVEN}/bin/mvn"
    return (
        "/bin/sh",
        launcher,
        "--batch-mode",
        "--no-transfer-progress",
        "--strict-checksums",
        "--errors",
        f"--settings={SETTINGS}",
        f"--global-settings={SETTINGS}",
        f"-Dmaven.repo.local={LOCAL}",
        f"-DaltDeploymentRepository=farm::file://{OUT_REPOSITORY}",
        "-Dstyle.color=never",
        *(f"-D{name}={value}" for name, value in sorted(properties.items())),
        *([f"--activate-profiles={','.join(options.profiles)}"] if options.profiles else ()),
        *([f"--projects={','.join(options.modules)}", "--also-make"] if options.modules else ()),
        *options.goals,
        # By its full name: which version a project names by itself, if any, decides nothing.
        f"org.apache.maven.plugins:maven-deploy-plugin:{options.deploy_plugin}:deploy",
    )


def build_environment(plan: BuildPlan, snapshot: SourceSnapshot, *, replay: bool) -> dict[str, str]:
    """Return the fixed environment of the build (pure).

    Args:
        plan: what is built.
        snapshot: its source.
        replay: whether there is a depot. Maven (3.9 and later) then reads artifacts from it in place, as from a second
            local repository, instead of copying each into the first: it is read-only, and its digests were computed
            when it was made. Metadata, and older Mavens, come through the mirror and `--strict-checksums`.
    """
    options = options_of(plan)
    memory = [f"-Xmx{options.heap_mb}m"] if options.heap_mb else []
    tail = [f"-Dmaven.repo.local.tail={DEPOT}"] if replay else []
    return {
        **plan.build.env,
        "HOME": "/home/build",
        "JAVA_HOME": _JAVA,
        "LANG": "C.UTF-8",
        "LC_ALL": "C.UTF-8",
        "MAVEN_OPTS": " ".join((_QUICK, *memory, *tail)),
        # The image's and the user's start-up files have no say.
        "MAVEN_SKIP_RC": "true",
        "PATH": _PATH,
        "SOURCE_DATE_EPOCH": str(fixed_epoch(plan, snapshot)),
        "TZ": "UTC",
    }


def maven_steps(plan: BuildPlan, snapshot: SourceSnapshot, argv: tuple[str, ...], url: str) -> tuple[Step, ...]:
    """Return the steps of one run: Maven in the project's folder, then the counting of the tests it ran.

    Args:
        plan: what is built.
        snapshot: its source.
        argv: from `maven_argv`.
        url: where the wrapper's script, if the recipe wants it to run, finds the distribution.
    """
    folder = f"{SRC}/{snapshot.subdirectory}".rstrip("/")
    env = {"MVNW_REPOURL": url} if options_of(plan).wrapper_script else {}
    count = ("python3", "-I", "-B", f"{GUEST}/reports.py", SRC, OUT_TESTS)
    return (
        Step("maven", argv, cwd=folder, env=env),
        Step("test reports", count, cwd="/work"),
    )
