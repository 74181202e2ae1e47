from __future__ import annotations

from typing import Any

import pytest
from pydantic import ValidationError

from farm.ecosystems.maven.options import DEPLOY_PLUGIN, MavenOptions, options_of
from farm.ecosystems.maven.skips import SKIPS
from tests.fixtures_maven import plan_of


def test_without_a_word() -> None:
    options = MavenOptions()
    assert (options.goals, options.timestamp, options.deploy_plugin) == (("clean", "verify"), "auto", DEPLOY_PLUGIN)
    assert options.maven is None
    assert options_of(plan_of(maven=None)) == options


@pytest.mark.parametrize(
    ("values", "words"),
    [
        ({"goal": ["verify"]}, "Extra inputs"),
        ({"goals": []}, "at least 1"),
        ({"goals": ["-o"]}, "is no phase or goal"),
        ({"goals": ["verify; ls"]}, "is no phase or goal"),
        ({"goals": ["-Dx=y"]}, "is no phase or goal"),
        ({"profiles": ["a,b"]}, "is no profile"),
        ({"profiles": ["-X y"]}, "is no profile"),
        ({"modules": ["../other"]}, "is no module"),
        ({"modules": ["/abs"]}, "is no module"),
        ({"modules": ["a,b"]}, "is no module"),
        ({"properties": {"skipTests": "true"}}, "farm's own"),
        ({"properties": {"maven.test.skip": "true"}}, "farm's own"),
        ({"properties": {"maven.repo.local": "/x"}}, "farm's own"),
        ({"properties": {"altDeploymentRepository": "x"}}, "farm's own"),
        ({"properties": {"project.build.outputTimestamp": "1"}}, "farm's own"),
        ({"properties": {"a b": "1"}}, "is no property"),
        ({"properties": {"a=b": "1"}}, "is no property"),
        ({"properties": {"-x": "1"}}, "is no property"),
        ({"properties": {"a": "1\n2"}}, "is no property"),
        ({"properties": {"a": 1}}, "valid string"),
        ({"disable": ["maven-surefire-plugin"]}, "farm knows no property"),
        ({"artifacts": ["sample"]}, "is no Maven name"),
        ({"artifacts": ["../x:y"]}, "is no Maven name"),
        ({"timestamp": "never"}, "timestamp"),
        ({"deploy_plugin": "LATEST"}, "deploy_plugin"),
        ({"deploy_plugin": "3.1.4:deploy x"}, "deploy_plugin"),
        ({"heap_mb": 1}, "heap_mb"),
        ({"wrapper_script": True}, "wrapper_script"),
        ({"wrapper_script": {"reason": ""}}, "reason"),
        ({"wrapper_script": {}}, "reason"),
        ({"maven": {"version": "3.9.9"}}, "sha256"),
        ({"maven": {"version": "3.9.9", "sha256": "ABC"}}, "sha256"),
        ({"maven": {"version": "../3", "sha256": "0" * 64}}, "version"),
        ({"maven": {"version": "3.9.9", "sha256": "0" * 64, "url": "x"}}, "Extra inputs"),
    ],
)
def test_what_is_refused(values: dict[str, Any], words: str) -> None:
    with pytest.raises(ValidationError, match=words):
        MavenOptions.model_validate(values)


def test_what_is_taken() -> None:
    options = MavenOptions.model_validate(
        {
            "goals": ["clean", "org.example:x-maven-plugin:1.0:run@id", "verify"],
            "profiles": ["release", "!docs"],
            "modules": ["core", ":artifact", "!samples/one"],
            "properties": {"project.build.sourceEncoding": "UTF-8", "empty": ""},
            "disable": sorted(SKIPS),
            "artifacts": ["org.example:lib"],
        }
    )
    assert options.goals[1] == "org.example:x-maven-plugin:1.0:run@id"


def test_no_switch_turns_tests_off() -> None:
    assert not {"skipTests", "maven.test.skip", "skipITs"} & {name for names in SKIPS.values() for name in names}
