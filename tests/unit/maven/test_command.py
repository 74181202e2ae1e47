"""The argument list stands in shipped locks: a change of it makes them stale, so the whole of it is compared."""

from __future__ import annotations

import json
import os
from pathlib import Path
from typing import TYPE_CHECKING, Any

import pytest
from defusedxml.ElementTree import fromstring

from farm.ecosystems.maven.command import (
    DEPOT_URL,
    RECORDER_URL,
    build_environment,
    maven_argv,
    maven_steps,
    settings_xml,
)
from tests.fixtures_maven import EPOCH, NO_TESTS, SNAPSHOT, plan_of

if TYPE_CHECKING:
    from farm.model.plan import BuildPlan

GOLDEN = Path(__file__).parent / "golden"
PLANS: dict[str, tuple[BuildPlan, bool]] = {
    "plain": (plan_of(), False),
    "timestamp-in-the-pom": (plan_of(), True),
    "timestamp-source": (plan_of({"timestamp": "source"}, epoch=400000000), True),
    "timestamp-pom": (plan_of({"timestamp": "pom"}), False),
    "skipped-tests": (plan_of(test=NO_TESTS), False),
    "wrapper-script": (plan_of({"wrapper_script": {"reason": "it patches Maven"}}), False),
    "everything": (
        plan_of(
            {
                "goals": ["clean", "package", "invoker:run"],
                "profiles": ["release", "!docs"],
                "properties": {"z": "last", "a": "$(id); x y", "empty": ""},
                "modules": ["core", ":lib"],
                "disable": ["maven-pmd-plugin", "apache-rat-plugin"],
                "deploy_plugin": "3.1.1",
            }
        ),
        False,
    ),
}


@pytest.mark.parametrize("name", PLANS)
def test_the_argument_list(name: str) -> None:
    plan, has_timestamp = PLANS[name]
    argv = list(maven_argv(plan, SNAPSHOT, has_timestamp=has_timestamp))
    path = GOLDEN / f"argv-{name}.json"
    if os.environ.get("FARM_WRITE_GOLDEN"):
        path.write_text(json.dumps(argv, indent=1) + "\n")
    assert argv == json.loads(path.read_text())


def test_a_property_of_the_recipe_gives_way_to_a_plugin_that_is_switched_off() -> None:
    argv = maven_argv(
        plan_of({"properties": {"rat.skip": "false"}, "disable": ["apache-rat-plugin"]}), SNAPSHOT, has_timestamp=True
    )
    assert "-Drat.skip=true" in argv
    assert "-Drat.skip=false" not in argv


def test_the_environment_is_fixed_and_the_recipe_overrides_nothing() -> None:
    plan = plan_of({"heap_mb": 512}, env={"PATH": "/x", "TZ": "x", "MAVEN_OPTS": "-Dx", "LC_ALL": "C", "MORE": "1"})
    found = build_environment(plan, SNAPSHOT, replay=False)
    assert build_environment(plan, SNAPSHOT, replay=True) == {
        **found, "MAVEN_OPTS": f"{found['MAVEN_OPTS']} -Dmaven.repo.local.tail=/depot"
    }  # fmt: skip
    assert found == {
        "HOME": "/home/build",
        "JAVA_HOME": "/opt/jdk",
        "LANG": "C.UTF-8",
        "LC_ALL": "C.UTF-8",
        "MAVEN_OPTS": "-XX:TieredStopAtLevel=1 -Xmx512m",
        "MAVEN_SKIP_RC": "true",
        "MORE": "1",
        "PATH": "/opt/jdk/bin:/usr/local/sbin:/usr/local/bin:/usr/sbin:/usr/bin:/sbin:/bin",
        "SOURCE_DATE_EPOCH": str(EPOCH),
        "TZ": "UTC",
    }


@pytest.mark.parametrize("url", [DEPOT_URL, RECORDER_URL, "http://a/?x=<&>"])
def test_the_settings_have_one_mirror_of_everything(url: str) -> None:
    root = fromstring(settings_xml(url))
    space = "{http://maven.apache.org/SETTINGS/1.2.0}"
    assert [child.tag for child in root] == [f"{space}mirrors"]
    (mirror,) = root[0]
    # `*` holds plain-HTTP repositories too; as global settings, these take the place of Maven's own HTTP blocker.
    assert {child.tag.removeprefix(space): child.text for child in mirror} == {
        "id": "farm-depot", "mirrorOf": "*", "url": url,
    }  # fmt: skip


def test_recording_and_replay_differ_in_the_mirror_alone() -> None:
    plan = plan_of()
    argv = maven_argv(plan, SNAPSHOT, has_timestamp=False)
    assert maven_steps(plan, SNAPSHOT, argv, DEPOT_URL) == maven_steps(plan, SNAPSHOT, argv, RECORDER_URL)


def test_the_steps() -> None:
    plan = plan_of({"wrapper_script": {"reason": "x"}})
    snapshot = SNAPSHOT.model_copy(update={"subdirectory": "java"})
    maven, count = maven_steps(plan, snapshot, ("x",), "file:///depot")
    assert (maven.cwd, dict(maven.env)) == ("/src/java", {"MVNW_REPOURL": "file:///depot"})
    assert count.argv[:3] == ("python3", "-I", "-B")
    assert count.argv[-2:] == ("/src", "/out/tests.json")
    values: dict[str, Any] = dict(maven_steps(plan_of(), SNAPSHOT, ("x",), "u")[0].env)
    assert values == {}
