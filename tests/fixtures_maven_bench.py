"""A bench that records and replays small Maven projects in real sandboxes.

One recording asks the configured repositories; what it brought is then served from memory to all others.
"""

from __future__ import annotations

import functools
import itertools
import threading
from contextlib import closing
from dataclasses import dataclass, field
from typing import TYPE_CHECKING

import pytest

from farm.config import load_settings
from farm.ecosystems.base import StepContext
from farm.ecosystems.maven.ecosystem import ECOSYSTEM
from farm.ecosystems.maven.paths import parse_path
from farm.ecosystems.maven.transfer import UpstreamClient
from farm.ecosystems.maven.upstreams import configured_upstreams
from farm.image.builder import ensure_image
from farm.model.source import SourceSnapshot
from farm.sandbox.docker import DockerSandbox
from farm.source.tree import scan, tree_digest, write_tar
from farm.store.cache import BlobCache
from tests.fixtures_maven import EPOCH, lock_of, plan_of, pom
from tests.fixtures_maven_http import Repository, serving
from tests.fixtures_sandbox import ROOT
from tests.fixtures_source import MemoryVault

if TYPE_CHECKING:
    from collections.abc import Iterator, Mapping
    from pathlib import Path

    from farm.config import Settings
    from farm.model.build import BuildResult, ImageIdentity
    from farm.model.lock import Lock
    from farm.model.plan import BuildPlan


@dataclass
class Through(Repository):
    """A repository in memory that asks the configured ones for what it has not got, once."""

    folder: Path | None = None
    lock: threading.Lock = field(default_factory=threading.Lock)

    def find(self, path: str) -> bytes | None:
        found = super().find(path)
        parsed = parse_path(path)
        if found is not None or parsed.kind == "checksum" or path.startswith("org/example/") or self.folder is None:
            return found
        with self.lock:
            if path not in self.files:
                for upstream in configured_upstreams(load_settings()):
                    with closing(UpstreamClient(upstream)) as client:
                        target = self.folder / "file"
                        if client.fetch(parsed, target) is not None:
                            self.files[path] = target.read_bytes()
                            break
            return self.files.get(path)


@dataclass
class MavenBench:
    """Runs the steps of the Maven ecosystem, each in a scratch folder of its own."""

    folder: Path
    settings: Settings
    vault: MemoryVault
    images: Mapping[str, ImageIdentity]
    counter: Iterator[int] = field(default_factory=itertools.count)

    def context(self, image: str = "jdk17", vault: MemoryVault | None = None) -> StepContext:
        work = self.folder / f"step-{next(self.counter)}"
        work.mkdir()
        vault = vault or self.vault
        return StepContext(
            settings=self.settings,
            vault=vault,
            sandbox=DockerSandbox(self.settings),
            image=self.images[image],
            cache=BlobCache(vault, self.folder / "cache"),
            work=work,
        )

    def project(self, files: Mapping[str, str], subdirectory: str = "") -> SourceSnapshot:
        root = self.folder / f"project-{next(self.counter)}"
        for name, text in files.items():
            path = root / name
            path.parent.mkdir(parents=True, exist_ok=True)
            path.write_text(text, encoding="utf-8")
        entries = scan(root)
        tar = self.folder / f"source-{next(self.counter)}.tar"
        write_tar(root, entries, EPOCH, tar)
        return SourceSnapshot(
            strength="archive",
            uri="https://source.example.test/x",
            tree_digest=tree_digest(entries),
            archive=self.vault.put_file(tar),
            epoch=EPOCH,
            subdirectory=subdirectory,
            files=len(entries),
            size=0,
        )

    def record(self, plan: BuildPlan, snapshot: SourceSnapshot) -> Lock:
        return ECOSYSTEM.resolve(plan, snapshot, self.context(plan.build.image))

    def build(self, plan: BuildPlan, snapshot: SourceSnapshot, lock: Lock) -> BuildResult:
        return ECOSYSTEM.build(plan, snapshot, lock, self.context(plan.build.image))


@dataclass(frozen=True)
class Sample:
    """The project that is recorded once: a parent and a library whose JUnit 5 tests bind loopback."""

    plan: BuildPlan
    snapshot: SourceSnapshot
    lock: Lock


JUNIT = """<dependencies><dependency><groupId>org.junit.jupiter</groupId><artifactId>junit-jupiter</artifactId>
<version>5.11.4</version><scope>test</scope></dependency></dependencies>"""
UTF8 = (
    "<properties><maven.compiler.release>17</maven.compiler.release>"
    "<project.build.sourceEncoding>UTF-8</project.build.sourceEncoding></properties>"
)
CODE = """package org.example;

public final class Greeting {
    private Greeting() {}

    public static String of(String name) {
        return "Hello, " + name;
    }
}
"""
TESTS = """package org.example;

import static org.junit.jupiter.api.Assertions.assertEquals;

import java.net.InetAddress;
import java.net.ServerSocket;
import java.net.Socket;
import org.junit.jupiter.api.Disabled;
import org.junit.jupiter.api.Test;

class GreetingTest {
    @Test
    void greets() {
        assertEquals("Hello, you", Greeting.of("you"));
    }

    @Test
    void bindsLoopback() throws Exception {
        try (ServerSocket server = new ServerSocket(0, 1, InetAddress.getLoopbackAddress());
                Socket client = new Socket(server.getInetAddress(), server.getLocalPort());
                Socket there = server.accept()) {
            client.getOutputStream().write(42);
            client.shutdownOutput();
            assertEquals(42, there.getInputStream().read());
        }
    }

    @Test
    @Disabled("not today")
    void rests() {}
}
"""
PARENT = "<parent><groupId>org.example</groupId><artifactId>sample</artifactId><version>1.0</version></parent>"
SAMPLE = {
    "pom.xml": pom(more=f"<packaging>pom</packaging>{UTF8}<modules><module>lib</module></modules>"),
    "lib/pom.xml": (
        '<project xmlns="http://maven.apache.org/POM/4.0.0"><modelVersion>4.0.0</modelVersion>'
        f"{PARENT}<artifactId>sample-lib</artifactId>{JUNIT}</project>\n"
    ),
    "lib/src/main/java/org/example/Greeting.java": CODE,
    "lib/src/test/java/org/example/GreetingTest.java": TESTS,
}
OPTIONS = {"artifacts": ["org.example:sample-lib"]}


@functools.cache
def _first(base: Path) -> MavenBench:
    folder = base / "maven-recorded"
    folder.mkdir()
    settings = load_settings(data=folder / "data", images=ROOT / "images")
    images = {name: ensure_image(settings, name).identity for name in ("jdk17", "jdk21")}
    return MavenBench(folder, settings, MemoryVault(), images)


@functools.cache
def _sample(base: Path) -> Sample:
    # Cached here, since a session's fixture is made anew for each conftest that brings it in.
    first = _first(base)
    plan, snapshot = plan_of(OPTIONS), first.project(SAMPLE)
    return Sample(plan, snapshot, first.record(plan, snapshot))


@pytest.fixture(scope="session")
def first(tmp_path_factory: pytest.TempPathFactory) -> MavenBench:
    """The bench of the one recording that asks the configured repositories."""
    return _first(tmp_path_factory.getbasetemp())


@pytest.fixture(scope="session")
def sample(tmp_path_factory: pytest.TempPathFactory) -> Sample:
    """That recording."""
    return _sample(tmp_path_factory.getbasetemp())


@pytest.fixture(scope="session")
def repository(first: MavenBench, sample: Sample, tmp_path_factory: pytest.TempPathFactory) -> Iterator[Through]:
    """What the recording brought, served; what it did not bring is fetched on demand."""
    files = {file.filename: first.vault.read(file.ref) for file in sample.lock.files}
    with serving(Through(files, folder=tmp_path_factory.mktemp("through"))) as found:
        assert isinstance(found, Through)
        yield found


@pytest.fixture
def bench(first: MavenBench, repository: Through, tmp_path: Path) -> MavenBench:
    """A bench whose recordings ask the served repository; it shares the vault of the first."""
    settings = load_settings(data=tmp_path / "data", images=ROOT / "images", maven_repository=repository.url)
    return MavenBench(tmp_path, settings, first.vault, first.images)


def variant(sample: Sample, bench: MavenBench, files: Mapping[str, str]) -> tuple[SourceSnapshot, Lock]:
    """Change files of the sample; return its source and a lock of the same files for it."""
    snapshot = bench.project({**SAMPLE, **files})
    return snapshot, lock_of(sample.plan, snapshot, files=sample.lock.files, missing=sample.lock.missing or ())
