"""A lock that was made for something else is refused, and the message says what changed."""

from __future__ import annotations

from typing import TYPE_CHECKING

import pytest

from farm.ecosystems.maven.basis import check, purl_of
from farm.ecosystems.maven.ecosystem import ECOSYSTEM
from farm.errors import LockStaleError
from farm.model.base import BlobRef
from farm.model.plan import Patch
from tests.fixtures_maven import IMAGE, MAVEN, NO_TESTS, SNAPSHOT, lock_of, locked, plan_of

if TYPE_CHECKING:
    from farm.model.build import ImageIdentity
    from farm.model.lock import Lock
    from farm.model.plan import BuildPlan
    from farm.model.source import SourceSnapshot

FILES = (
    locked("org/x/a/1/a-1.jar", b"jar"),
    locked("org/x/a/1/a-1-sources.jar", b"sources"),
    locked("org/x/a/maven-metadata.xml", b"metadata"),
    locked(MAVEN.path, b"maven"),
)
PATCH = Patch(name="a.patch", blob=BlobRef(sha256="5" * 64, size=1))


def stale(
    lock: Lock, plan: BuildPlan, *, snapshot: SourceSnapshot = SNAPSHOT, image: ImageIdentity = IMAGE
) -> LockStaleError:
    with pytest.raises(LockStaleError) as caught:
        ECOSYSTEM.check_lock(plan, snapshot, image, lock)
    assert "farm lock maven/org.example:sample@" in caught.value.remedy
    return caught.value


@pytest.mark.parametrize("has_timestamp", [True, False])
def test_a_lock_of_this_very_plan(has_timestamp: bool) -> None:  # noqa: FBT001 - a table
    plan = plan_of({"profiles": ["p"], "modules": ["m"]}, patches=(PATCH,), env={"A": "b"}, subdirectory="java")
    check(plan, SNAPSHOT, IMAGE, lock_of(plan, files=FILES, has_timestamp=has_timestamp))


@pytest.mark.parametrize(
    ("now", "words"),
    [
        (plan_of({"goals": ["clean", "install"]}), r"goals and flags \(lock: verify, now: install\)"),
        (plan_of({"goals": ["verify", "clean"]}), r"goals and flags \(their order\)"),
        (plan_of({"profiles": ["release"]}), "now: --activate-profiles=release"),
        (plan_of({"properties": {"a": "b"}}), "now: -Da=b"),
        (plan_of({"disable": ["apache-rat-plugin"]}), "now: -Drat.skip=true"),
        (plan_of({"modules": ["core"]}), "now: --also-make --projects=core"),
        (plan_of({"deploy_plugin": "3.1.1"}), "maven-deploy-plugin:3.1.4:deploy, now: org.apache"),
        (plan_of(test=NO_TESTS), "now: -DskipTests=true"),
        (plan_of({"wrapper_script": {"reason": "x"}}), r"lock: /maven/bin/mvn, now: \./mvnw"),
        (plan_of(epoch=400000000), "-Dproject.build.outputTimestamp=400000000"),
        (plan_of(image="jdk21"), r"target \(lock: jdk17-linux-amd64, now: jdk21-linux-amd64\).*builder image"),
        (
            plan_of({"maven": {"version": "3.9.8", "sha256": "a" * 64}}),
            rf"Maven \(lock: {MAVEN.sha256}, now: a{{64}}\)",
        ),
        (plan_of(version="1.1"), "package .lock: maven/org.example:sample@1.0, now: maven/org.example:sample@1.1"),
        (plan_of(patches=(PATCH,)), "build.patches"),
        (plan_of(env={"A": "b"}), "build.env"),
        (plan_of(subdirectory="java"), "sub-directory"),
    ],
)
def test_a_recipe_that_changed(now: BuildPlan, words: str) -> None:
    with pytest.raises(LockStaleError, match=words):
        check(now, SNAPSHOT, IMAGE, lock_of(plan_of(), files=FILES))


def test_another_commit() -> None:
    snapshot = SNAPSHOT.model_copy(update={"tree_digest": "9" * 64})
    assert (
        f"source tree (lock: {'1' * 64}, now: {'9' * 64})"
        in stale(lock_of(plan_of()), plan_of(), snapshot=snapshot).message
    )


def test_another_time_of_the_source() -> None:
    snapshot = SNAPSHOT.model_copy(update={"epoch": 5})
    assert "goals and flags" in stale(lock_of(plan_of()), plan_of(), snapshot=snapshot).message


def test_another_jdk_in_the_image() -> None:
    image = IMAGE.model_copy(update={"interpreter": "jdk21"})
    assert "JDK (lock: jdk17, now: jdk21)" in stale(lock_of(plan_of()), plan_of(), image=image).message


@pytest.mark.parametrize(
    ("change", "words"),
    [
        ({"filename": "org/x/a/2/a-2.jar"}, "file org/x/a/2/a-2.jar is not pkg:maven/org.x/a@1"),
        ({"purl": "pkg:maven/org.x/b@1?type=jar"}, "is not pkg:maven/org.x/b@1"),
        ({"filename": "../../etc/passwd"}, "file ../../etc/passwd is not"),
        ({"filename": "/etc/passwd"}, "file /etc/passwd is not"),
    ],
)
def test_an_edited_entry(change: dict[str, str], words: str) -> None:
    plan = plan_of()
    files = (FILES[0].model_copy(update=change), *FILES[1:])
    assert words in stale(lock_of(plan).model_copy(update={"files": files}), plan).message


@pytest.mark.parametrize(
    ("key", "value"),
    [("command", ("sh", "-c", "id")), ("jdk", ()), ("source", ("0" * 64,)), ("maven", (MAVEN.path, "0" * 64))],
)
def test_edited_requirements(key: str, value: tuple[str, ...]) -> None:
    plan = plan_of()
    lock = lock_of(plan)
    stale(lock.model_copy(update={"requirements": {**lock.requirements, key: value}}), plan)
    without = {name: found for name, found in lock.requirements.items() if name != key}
    stale(lock.model_copy(update={"requirements": without}), plan)


def test_a_distribution_of_the_wrapper_is_held_by_the_basis() -> None:
    plan = plan_of(maven=None)
    lock = lock_of(plan)
    check(plan, SNAPSHOT, IMAGE, lock)
    edited = {**lock.requirements, "maven": (MAVEN.path, "0" * 64)}
    assert "the lock file itself" in stale(lock.model_copy(update={"requirements": edited}), plan).message


@pytest.mark.parametrize(
    ("path", "purl"),
    [
        ("org/x/a/1/a-1.jar", "pkg:maven/org.x/a@1?type=jar"),
        ("org/x/a/1/a-1-linux-x86_64.exe", "pkg:maven/org.x/a@1?classifier=linux-x86_64&type=exe"),
        ("org/x/a/1/a-1.pom", "pkg:maven/org.x/a@1?type=pom"),
        (MAVEN.path, "pkg:maven/org.apache.maven/apache-maven@3.9.9?classifier=bin&type=zip"),
        ("org/x/a/maven-metadata.xml", "pkg:maven/org.x/a"),
        (".meta/prefixes.txt", "pkg:generic/prefixes.txt"),
    ],
)
def test_names_of_files(path: str, purl: str) -> None:
    assert purl_of(path) == purl
