"""A Java recipe through the whole chain, and what consumers do with stock Maven and `farm verify`."""

from __future__ import annotations

import json
import shutil
from dataclasses import dataclass
from hashlib import sha256
from pathlib import Path
from typing import TYPE_CHECKING, Any

import pytest

from farm.errors import InputDigestError, InputMissingError, VerificationError
from farm.model.lock import LinkedLock, Lock, LockedFile
from farm.pipeline import steps
from tests.fixtures_maven_http import Repository, serving

from .homes import CHECKOUT, consumer_environment, flip, get, run
from .recipes import locked_from_farm

if TYPE_CHECKING:
    from farm.model.plan import BuildPlan

    from .homes import Done, FarmHome

pytestmark = [pytest.mark.docker, pytest.mark.services, pytest.mark.usefixtures("jdk17")]

GROUP, ARTIFACT, VERSION = "org.apache.maven.shared", "maven-shared-resources", "5"
REFERENCE = f"maven/{GROUP}.{ARTIFACT}@{VERSION}"
FOLDER = f"{GROUP.replace('.', '/')}/{ARTIFACT}/{VERSION}"
JAR, POM = f"{ARTIFACT}-{VERSION}.jar", f"{ARTIFACT}-{VERSION}.pom"
SIDECARS = (".sigstore.json", ".provenance.sigstore.json", ".cdx.json", ".spdx.json")

PLUGINS = {"maven-resources-plugin": "3.3.1", "maven-compiler-plugin": "3.13.0", "maven-jar-plugin": "3.4.1"}
CONSUMER = f"""<project xmlns="http://maven.apache.org/POM/4.0.0"><modelVersion>4.0.0</modelVersion>
<groupId>org.consumer</groupId><artifactId>app</artifactId><version>1.0</version>
<properties><maven.compiler.release>17</maven.compiler.release>
<project.build.sourceEncoding>UTF-8</project.build.sourceEncoding></properties>
<dependencies><dependency><groupId>{GROUP}</groupId><artifactId>{ARTIFACT}</artifactId><version>{VERSION}</version>
</dependency></dependencies>
<build><plugins>{
    "".join(
        f"<plugin><artifactId>{name}</artifactId><version>{version}</version></plugin>"
        for name, version in PLUGINS.items()
    )
}<plugin><artifactId>maven-surefire-plugin</artifactId><version>3.2.5</version>
<executions><execution><id>default-test</id><phase>none</phase></execution></executions></plugin></plugins></build>
</project>
"""
MIRROR = """<settings><mirrors><mirror><id>central</id><mirrorOf>central</mirrorOf><url>{url}</url></mirror></mirrors>
</settings>"""
APP = """package org.consumer;

public final class App {
    public static void main(String[] arguments) throws Exception {
        System.out.println(App.class.getResourceAsStream("/config/maven_checks.xml").readAllBytes().length);
    }
}
"""


def digests(outcome: dict[str, Any]) -> dict[str, str]:
    return {file["filename"]: file["blob"]["sha256"] for file in outcome["files"]}


@pytest.fixture(scope="module")
def built(home_a: FarmHome) -> dict[str, Any]:
    """The quickest of the Java recipes, published; its outcome."""
    outcome: dict[str, Any] = home_a.build(REFERENCE).ok().data
    return outcome


def mvn(home: FarmHome, folder: Path, local: Path, *goals: str, url: str = "", central: str = "") -> Done:
    """Run stock Maven as the how-to says: with what `farm use maven` prints.

    What the user's own settings say about mirrors and proxies counts beside it, since the plugins come from there.

    Args:
        home: the farm that prints the settings.
        folder: the project's.
        local: the local repository.
        goals: what is to be done.
        url: address of a repository's root in place of the farm's own.
        central: address of what stands in for the default repository.
    """
    settings = folder / "farm-settings.xml"
    settings.write_text(home.farm("use", "maven", *(("--url", url) if url else ())).ok().out, encoding="utf-8")
    others = Path("~/.m2/settings.xml").expanduser()
    if central:
        others = folder / "other-settings.xml"
        others.write_text(MIRROR.format(url=central), encoding="utf-8")
    more = ["--global-settings", others] if others.is_file() else []
    argv = ["mvn", "-B", "-C", "--settings", settings, *more, f"-Dmaven.repo.local={local}", *goals]
    return run(argv, env=consumer_environment(folder), cwd=folder)


def project(folder: Path) -> Path:
    """Write a new project that uses the rebuilt jar."""
    (folder / "src/main/java/org/consumer").mkdir(parents=True)
    (folder / "pom.xml").write_text(CONSUMER, encoding="utf-8")
    (folder / "src/main/java/org/consumer/App.java").write_text(APP, encoding="utf-8")
    return folder


def download(home: FarmHome, name: str, into: Path) -> Path:
    path = into / name
    path.write_bytes(get(f"{home.url('index')}/maven/{FOLDER}/{name}").raise_for_status().content)
    return path


# --- build -----------------------------------------------------------------------------------------------------------


def test_it_is_built_and_published(home_a: FarmHome, built: dict[str, Any], tmp_path: Path) -> None:
    assert sorted(digests(built)) == [JAR, POM]
    assert built["probe"].startswith("isolated: no network")
    assert built["source_strength"] == "archive"
    assert (built["test"]["result"], "has no tests" in built["test"]["reason"]) == ("skipped", True)
    for name, digest in digests(built).items():
        assert sha256(download(home_a, name, tmp_path).read_bytes()).hexdigest() == digest
    assert f"{GROUP}:{ARTIFACT}</a> {VERSION}" in get(f"{home_a.url('index')}/maven/").text
    metadata = get(f"{home_a.url('index')}/maven/{FOLDER.rpartition('/')[0]}/maven-metadata.xml").text
    assert f"<release>{VERSION}</release>" in metadata
    home_a.nothing_is_left()


def test_known_results_are_taken_and_forced_builds_give_the_same_bytes(home_a: FarmHome, built: dict[str, Any]) -> None:
    assert home_a.build(REFERENCE).ok().data == {**built, "reused": True, "written": []}
    told = home_a.farm("build", REFERENCE).ok().out
    assert f"maven/{GROUP}:{ARTIFACT}@{VERSION} up to date" in told
    forced = home_a.build(REFERENCE, "--force").ok().data
    assert digests(forced) == digests(built)
    assert (forced["reused"], forced["written"]) == (False, [])
    assert forced["run_id"] != built["run_id"]


@pytest.mark.usefixtures("built")
@pytest.mark.parametrize("name", [JAR, POM])
def test_farm_verifies_what_was_downloaded(home_a: FarmHome, tmp_path: Path, name: str) -> None:
    file = download(home_a, name, tmp_path)
    (verdict,) = home_a.farm("verify", file, "--index", f"{home_a.url('index')}/maven/", "--json").ok().data["files"]
    assert verdict["verified"] is True
    assert verdict["facts"]["package"] == f"{GROUP}:{ARTIFACT}"
    assert {path.name for path in tmp_path.iterdir()} == {f"{name}{suffix}" for suffix in ("", *SIDECARS)}
    home_a.farm("verify", file).ok()
    flip(file)
    (verdict,) = (done := home_a.farm("verify", file, "--json")).data["files"]
    assert (done.code, verdict["verified"]) == (VerificationError.exit_code, False)


# --- stock Maven -----------------------------------------------------------------------------------------------------


@dataclass(frozen=True)
class Consumer:
    """A project that was built."""

    folder: Path
    local: Path
    done: Done

    def forgetting(self) -> Path:
        """Return the local repository (plugins are in it) without the rebuilt version and what Maven noted about it."""
        shutil.rmtree(self.local / FOLDER, ignore_errors=True)
        return self.local


@pytest.fixture(scope="module")
def consumer(home_a: FarmHome, built: dict[str, Any], tmp_path_factory: pytest.TempPathFactory) -> Consumer:
    """A new project that uses the rebuilt jar, built with an empty local repository."""
    del built
    folder, local = project(tmp_path_factory.mktemp("app")), tmp_path_factory.mktemp("local")
    return Consumer(folder, local, mvn(home_a, folder, local, "package").ok())


def test_a_new_project_builds_with_stock_maven(home_a: FarmHome, consumer: Consumer) -> None:
    found = consumer.local / FOLDER
    assert f"Downloaded from farm: {home_a.url('index')}/maven/{FOLDER}/{JAR}" in consumer.done.out
    tracked = (found / "_remote.repositories").read_text(encoding="utf-8").splitlines()
    assert {line for line in tracked if not line.startswith("#")} == {f"{JAR}>farm=", f"{POM}>farm="}
    path = f"{consumer.folder / 'target' / 'app-1.0.jar'}:{found / JAR}"
    told = run(["java", "-cp", path, "org.consumer.App"], env=consumer_environment(consumer.folder)).ok().out
    assert int(told) > 0


def test_stock_maven_refuses_what_was_changed_on_the_way(home_a: FarmHome, consumer: Consumer, tmp_path: Path) -> None:
    """A server in between serves the jar with one byte changed, and the checksum as farm gives it."""
    project(tmp_path)
    between = Repository(checksums=False)
    for name in (JAR, POM):
        between.put(f"{FOLDER}/{name}", download(home_a, name, tmp_path).read_bytes())
        between.put(f"{FOLDER}/{name}.sha1", download(home_a, f"{name}.sha1", tmp_path).read_bytes())
    flip(tmp_path / JAR)
    between.put(f"{FOLDER}/{JAR}", (tmp_path / JAR).read_bytes())
    with serving(between), serving(Repository()) as nothing:
        url = between.url.removesuffix("maven")
        done = mvn(home_a, tmp_path, consumer.forgetting(), "compile", url=url, central=nothing.url)
    assert done.code != 0
    assert "Checksum validation failed" in done.out
    assert f"{GROUP}:{ARTIFACT}:jar:{VERSION}" in done.out
    assert not (consumer.local / FOLDER / JAR).exists()


def test_a_published_jar_that_was_damaged_reaches_nobody(
    home_a: FarmHome, built: dict[str, Any], consumer: Consumer, tmp_path: Path
) -> None:
    flip(home_a.published(JAR))
    home_a.disk_changed()
    try:
        with serving(Repository()) as nothing:
            done = mvn(home_a, project(tmp_path), consumer.forgetting(), "compile", central=nothing.url)
        assert done.code != 0
        assert f"{GROUP}:{ARTIFACT}:jar:{VERSION}" in done.out
        assert not (consumer.local / FOLDER / JAR).exists()
    finally:
        flip(home_a.published(JAR))
        home_a.disk_changed()
    assert sha256(download(home_a, JAR, tmp_path).read_bytes()).hexdigest() == digests(built)[JAR]


# --- what other recipes lock of it -----------------------------------------------------------------------------------


def locked(outcome: dict[str, Any], plan: BuildPlan, **change: Any) -> LockedFile:
    (blob,) = [file["blob"] for file in outcome["files"] if file["filename"] == JAR]
    values = {
        "filename": f"{FOLDER}/{JAR}", "name": plan.package.name, "version": VERSION, "origin": "farm",
        "roles": ("build",), "purl": f"pkg:maven/{GROUP}/{ARTIFACT}@{VERSION}?type=jar", "repository": "farm", **blob,
    }  # fmt: skip
    return LockedFile.model_validate({**values, **change})


def linked(lock: Lock, *files: LockedFile) -> LinkedLock:
    return LinkedLock.plain(lock.model_copy(update={"files": files}))


def test_inputs_that_were_rebuilt_here_come_from_farms_own_repository(home_a: FarmHome, built: dict[str, Any]) -> None:
    rt = home_a.runtime
    plan = steps.plan(rt, REFERENCE)
    lock = steps.lock(rt, plan, steps.source(rt, plan))
    file = locked(built, plan)
    blob = home_a.blob(file.sha256)
    blob.unlink()
    home_a.disk_changed()
    report = steps.inputs(rt, plan, linked(lock, file))
    assert (report.total, report.fetched, report.size) == (1, 1, file.size)
    assert sha256(blob.read_bytes()).hexdigest() == file.sha256

    other = locked(built, plan, sha256="0" * 64)
    with pytest.raises(InputDigestError, match=file.sha256):
        steps.inputs(rt, plan, linked(lock, other))


@pytest.mark.usefixtures("built")
def test_a_recipe_whose_inputs_are_yet_to_be_rebuilt_says_so(home_a: FarmHome) -> None:
    """No configured repository stands in for farm's own, although the lock's bytes are there too."""
    rt = home_a.runtime
    for path, files in locked_from_farm(CHECKOUT / "recipes").items():
        document = json.loads(path.read_text(encoding="utf-8"))
        plan = steps.plan(rt, str(document["package"]))
        lock = steps.lock(rt, plan, steps.source(rt, plan))
        of_farm = tuple(file for file in lock.files if file.origin == "farm")
        assert [file.filename for file in of_farm] == [file["filename"] for file in files]
        with pytest.raises(InputMissingError, match=of_farm[0].filename) as caught:
            steps.inputs(rt, plan, linked(lock, of_farm[0]))
        assert "Build the recipe" in caught.value.remedy
