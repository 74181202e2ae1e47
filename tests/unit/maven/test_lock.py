"""The lock step without a sandbox of its own: what it refuses, what it writes down."""

from __future__ import annotations

import http.client
import json
from dataclasses import dataclass, field
from typing import TYPE_CHECKING

import pytest

from farm.config import Settings
from farm.ecosystems.base import StepContext
from farm.ecosystems.maven.basis import check
from farm.ecosystems.maven.ecosystem import ECOSYSTEM
from farm.ecosystems.maven.project import DistributionPin
from farm.errors import (
    BuildFailedError,
    BuildToolError,
    InputDigestError,
    InputMissingError,
    RecipeError,
    ResolutionError,
)
from farm.model.base import sha256_bytes
from farm.model.build import Usage
from farm.sandbox.base import SandboxResult
from farm.store.cache import BlobCache
from tests.fixtures_maven import IMAGE, NO_TESTS, SNAPSHOT, plan_of, pom, tar_of
from tests.fixtures_maven_http import Repository, UnixConnection, serving
from tests.fixtures_maven_repository import jar
from tests.fixtures_source import MemoryVault

if TYPE_CHECKING:
    from collections.abc import Iterator, Mapping
    from pathlib import Path

    from farm.model.lock import Lock
    from farm.model.plan import BuildPlan
    from farm.sandbox.base import SandboxRequest

DISTRIBUTION = jar({"apache-maven-3.9.9/bin/mvn": "#!/bin/sh\n"})
MAVEN = DistributionPin("3.9.9", sha256_bytes(DISTRIBUTION))


@dataclass
class Asks:
    """A sandbox whose build asks the recorder for paths and ends as it is told to."""

    paths: tuple[str, ...] = ()
    method: str = "GET"
    exit_code: int = 0
    words: str = "[INFO] BUILD SUCCESS\n"
    answers: dict[str, int] = field(default_factory=dict)
    requests: list[SandboxRequest] = field(default_factory=list)

    def run(self, request: SandboxRequest) -> SandboxResult:
        self.requests.append(request)
        assert request.peer is not None
        for path in self.paths:
            connection = UnixConnection(request.peer.socket)
            connection.request(self.method, path)
            self.answers[path] = connection.getresponse().status
            connection.close()
        request.log.write_text(self.words)
        sums = {"tests": 1, "failures": 0, "errors": 0, "skipped": 0}
        (request.output / "tests.json").write_text(json.dumps(sums))
        return SandboxResult(self.exit_code, "maven" if self.exit_code else "", "probe", Usage(seconds=1), self.words)


@dataclass
class Bench:
    folder: Path
    upstream: Repository
    vault: MemoryVault = field(default_factory=MemoryVault)
    plan: BuildPlan = field(default_factory=lambda: plan_of(maven=MAVEN))
    told: list[str] = field(default_factory=list)

    def lock(self, sandbox: Asks, files: Mapping[str, str], own_index: str = "") -> Lock:
        snapshot = SNAPSHOT.model_copy(update={"archive": self.vault.put_bytes(tar_of(files))})
        settings = Settings(data=self.folder / "data", maven_repository=self.upstream.url)
        work = self.folder / "work"
        work.mkdir()
        ctx = StepContext(
            settings=settings, vault=self.vault, sandbox=sandbox, image=IMAGE,
            cache=BlobCache(self.vault, self.folder / "cache"), work=work, tell=self.told.append, own_index=own_index,
        )  # fmt: skip
        found = ECOSYSTEM.resolve(self.plan, snapshot, ctx)
        check(self.plan, snapshot, IMAGE, found)
        return found


@pytest.fixture
def bench(tmp_path: Path) -> Iterator[Bench]:
    files = {MAVEN.path: DISTRIBUTION, "org/x/a/1/a-1.jar": b"jar", "org/x/a/1/a-1.pom": b"pom"}
    with serving(Repository(files)) as upstream:
        yield Bench(tmp_path, upstream)


SOURCE = {"pom.xml": pom()}


def test_every_file_that_was_asked_for_is_locked_and_in_the_vault(bench: Bench) -> None:
    sandbox = Asks(("/org/x/a/1/a-1.jar", "/org/x/a/1/a-1.jar.sha1", "/org/x/a/1/a-1.pom", "/org/x/gone/1/gone-1.pom"))
    lock = bench.lock(sandbox, SOURCE)
    assert [(file.filename, file.roles) for file in lock.files] == [
        (MAVEN.path, ("backend",)),
        ("org/x/a/1/a-1.jar", ("build",)),
        ("org/x/a/1/a-1.pom", ("build",)),
    ]
    assert lock.missing == ("org/x/gone/1/gone-1.pom",)
    assert all(bench.vault.has(file.ref) for file in lock.files)
    (request,) = sandbox.requests
    assert lock.requirements["command"] == request.steps[0].argv
    assert any("MiB" in words for words in bench.told)


def test_the_projects_own_modules_are_left_out_but_not_their_older_releases(bench: Bench) -> None:
    for version in ("0.9", "1.0"):
        bench.upstream.put(f"org/example/sample/{version}/sample-{version}.jar", b"jar of " + version.encode())
    bench.upstream.put("org/example/sample-other/1.0/sample-other-1.0.jar", b"another project")
    paths = tuple(f"/{path}" for path in bench.upstream.files if path.startswith("org/example"))
    lock = bench.lock(Asks((*paths, "/org/example/sample/1.0/sample-1.0.pom")), SOURCE)
    assert [file.filename for file in lock.files if file.filename.startswith("org/example")] == [
        "org/example/sample-other/1.0/sample-other-1.0.jar",
        "org/example/sample/0.9/sample-0.9.jar",
    ]
    assert lock.missing == ()


def test_the_farms_own_repository_is_asked_first_and_its_files_say_so(
    bench: Bench, monkeypatch: pytest.MonkeyPatch
) -> None:
    verified: list[tuple[object, ...]] = []
    monkeypatch.setattr("farm.ecosystems.own.verify_own", lambda *values: verified.append(values[2:]))
    with serving(Repository({"org/x/a/1/a-1.jar": b"rebuilt here"})) as own:
        lock = bench.lock(Asks(("/org/x/a/1/a-1.jar", "/org/x/a/1/a-1.pom")), SOURCE, own.url)
    assert {file.filename: file.origin for file in lock.files} == {
        MAVEN.path: "index", "org/x/a/1/a-1.jar": "farm", "org/x/a/1/a-1.pom": "index",
    }  # fmt: skip
    assert [values[1:] for values in verified] == [("maven", "org.x:a", "1")]


def test_what_is_called_rebuilt_and_does_not_verify_makes_no_lock(bench: Bench) -> None:
    with (
        serving(Repository({"org/x/a/1/a-1.jar": b"evil"})) as own,
        pytest.raises(InputDigestError, match=r"a-1\.jar of farm's own repository"),
    ):
        bench.lock(Asks(("/org/x/a/1/a-1.jar",)), SOURCE, own.url)


def test_no_maven_project(bench: Bench) -> None:
    with pytest.raises(BuildToolError, match="Gradle"):
        bench.lock(Asks(), {"build.gradle": ""})


def test_a_wrapper_without_a_hash(bench: Bench) -> None:
    bench.plan = plan_of(maven=None)
    url = "distributionUrl=https://repo.example.test/apache-maven-3.9.9-bin.zip"
    with pytest.raises(RecipeError, match="no distributionSha256Sum"):
        bench.lock(Asks(), {**SOURCE, ".mvn/wrapper/maven-wrapper.properties": url})


def test_a_distribution_that_nobody_has(bench: Bench) -> None:
    bench.plan = plan_of({"maven": {"version": "3.0", "sha256": "0" * 64}})
    with pytest.raises(InputMissingError, match=r"Maven 3\.0"):
        bench.lock(Asks(), SOURCE)


def test_a_distribution_with_other_bytes(bench: Bench) -> None:
    bench.upstream.put(MAVEN.path, DISTRIBUTION + b"evil")
    sandbox = Asks()
    with pytest.raises(InputDigestError, match=f"{MAVEN.sha256} is pinned"):
        bench.lock(sandbox, SOURCE)
    assert sandbox.requests == []


def test_what_reaches_past_the_recorder_makes_no_lock(bench: Bench) -> None:
    with pytest.raises(
        ResolutionError, match=r"tried to reach through the recorder: CONNECT elsewhere\.example\.test:443"
    ):
        bench.lock(Asks(("elsewhere.example.test:443",), method="CONNECT"), SOURCE)


def test_a_recording_with_a_hole_makes_no_lock_though_maven_went_on(
    bench: Bench, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr("farm.ecosystems.maven.transfer._LONGEST_PAUSE", 0.01)
    bench.upstream.fail["org/x/a/1/a-1.pom"] = [500] * 20
    sandbox = Asks(("/org/x/a/1/a-1.pom",))
    with pytest.raises(ResolutionError, match=r"not everything it asked for could be had: org/x/a/1/a-1\.pom"):
        bench.lock(sandbox, SOURCE)
    assert sandbox.answers == {"/org/x/a/1/a-1.pom": http.client.BAD_GATEWAY}


def test_a_recorded_run_that_fails(bench: Bench) -> None:
    with pytest.raises(BuildFailedError, match="Failed to execute goal a:b:1:c"):
        bench.lock(Asks(exit_code=1, words="[ERROR] Failed to execute goal a:b:1:c (x) on project y: z\n"), SOURCE)


def test_what_the_pom_leaves_open_is_told(bench: Bench, capsys: pytest.CaptureFixture[str]) -> None:
    dependency = "<dependency><groupId>x</groupId><artifactId>y</artifactId><version>LATEST</version></dependency>"
    bench.plan = plan_of(maven=MAVEN, test=NO_TESTS)
    bench.lock(Asks(), {"pom.xml": pom(more=f"<dependencies>{dependency}</dependencies>")})
    assert "dependency x:y has the version LATEST" in capsys.readouterr().out
