"""What a sandbox run said is still there when the run, or what came of it, is of no use."""

from __future__ import annotations

from dataclasses import dataclass
from typing import TYPE_CHECKING

import pytest

from farm.config import Settings
from farm.ecosystems.base import StepContext
from farm.ecosystems.python import finish
from farm.ecosystems.python.backend import Backend
from farm.ecosystems.python.build import build_wheel
from farm.ecosystems.python.run import run
from farm.ecosystems.python.test import test_wheel as run_tests
from farm.errors import (
    BuildFailedError,
    DockerUnavailableError,
    FarmError,
    PackageTestError,
    PlatformTagError,
    SandboxMemoryError,
    SandboxTimeoutError,
)
from farm.model.build import Artifact, ImageIdentity, RawArtifact, Usage
from farm.model.lock import Lock
from farm.model.plan import TestSpec
from farm.model.source import SourceSnapshot
from farm.sandbox.base import SandboxResult
from farm.store.cache import BlobCache
from tests.fixtures_python import plan_of
from tests.fixtures_source import MemoryVault

if TYPE_CHECKING:
    from collections.abc import Callable
    from pathlib import Path

    from farm.sandbox.base import SandboxRequest

PLAN = plan_of("sample", "1.0", test=TestSpec(imports=("sample",)))
LOCK = Lock(package="python/sample@1.0", target="t", image="python311", basis="0" * 64, requirements={}, files=())
IMAGE = ImageIdentity(
    name="python311",
    image_id="sha256:0",
    digest="0" * 64,
    layers=(),
    definition="0" * 64,
    platform="linux/amd64",
    interpreter="cp311",
    version="3.11",
    base="b",
)


@dataclass
class Said:
    """A sandbox that writes a log and ends as it is told to."""

    exit_code: int = 0
    error: FarmError | None = None
    words: str = "all that was said\n"

    def run(self, request: SandboxRequest) -> SandboxResult:
        if self.words:
            request.log.write_text(self.words)
        if self.error is not None:
            raise self.error
        failed = "step" if self.exit_code else ""
        return SandboxResult(self.exit_code, failed, "probe", Usage(seconds=1), self.words)


@dataclass
class Bench:
    folder: Path
    vault: MemoryVault

    def context(self, sandbox: Said) -> StepContext:
        work = self.folder / "work"
        work.mkdir()
        cache = BlobCache(self.vault, self.folder / "cache")
        return StepContext(Settings(data=self.folder / "data"), self.vault, sandbox, IMAGE, work, cache)

    @property
    def snapshot(self) -> SourceSnapshot:
        return SourceSnapshot(
            strength="archive",
            uri="pkg:pypi/sample",
            tree_digest="0" * 64,
            archive=self.vault.put_bytes(b"tar"),
            epoch=1_700_000_000,
            files=0,
            size=0,
        )

    def kept(self) -> list[Path]:
        return sorted((self.folder / "data").rglob("*.log"))


@pytest.fixture
def bench(tmp_path: Path) -> Bench:
    return Bench(tmp_path, MemoryVault())


def build(bench: Bench, ctx: StepContext) -> object:
    return build_wheel(PLAN, bench.snapshot, LOCK, ctx)


def run_test_step(bench: Bench, ctx: StepContext) -> object:
    blob = bench.vault.put_bytes(b"wheel")
    name = "sample-1.0-py3-none-any.whl"
    artifact = Artifact(
        filename=name, kind="wheel", blob=blob, raw=RawArtifact(filename=name, blob=blob), metadata=blob
    )
    return run_tests(PLAN, bench.snapshot, LOCK, (artifact,), ctx)


def hooks(bench: Bench, ctx: StepContext) -> object:
    return Backend(PLAN, bench.snapshot, ctx, bench.folder).requires((), 1)


def repair(bench: Bench, ctx: StepContext) -> object:
    return finish._repair(PLAN, bench.folder / "sample.whl", ctx)


STEPS = [
    (build, BuildFailedError, "build"),
    (run_test_step, PackageTestError, "test"),
    (hooks, BuildFailedError, "requires-1"),
    (repair, PlatformTagError, "repair"),
]


def check_kept(bench: Bench, error: FarmError, step: str) -> None:
    (log,) = bench.kept()
    assert log.parent == bench.folder / "data" / "logs" / "builds"
    assert log.name.startswith(f"python-sample-1.0-{step}-")
    assert log.read_text() == "all that was said\n"
    assert error.details["log"] == str(log)
    assert str(log) in error.remedy
    assert error.remedy.startswith(type(error).default_remedy)


@pytest.mark.parametrize(("step", "kind", "name"), STEPS)
def test_the_log_of_a_step_that_fails(
    bench: Bench, step: Callable[[Bench, StepContext], object], kind: type[FarmError], name: str
) -> None:
    with pytest.raises(kind) as caught:
        step(bench, bench.context(Said(exit_code=3)))
    check_kept(bench, caught.value, name)


@pytest.mark.parametrize(("step", "kind", "name"), [s for s in STEPS if s[0] is not run_test_step])
def test_the_log_of_a_step_that_leaves_nothing(
    bench: Bench, step: Callable[[Bench, StepContext], object], kind: type[FarmError], name: str
) -> None:
    with pytest.raises(kind) as caught:
        step(bench, bench.context(Said()))
    check_kept(bench, caught.value, name)


@pytest.mark.parametrize("kind", [SandboxTimeoutError, SandboxMemoryError])
@pytest.mark.parametrize(("step", "_", "name"), STEPS)
def test_the_log_of_a_step_that_is_stopped(
    bench: Bench, step: Callable[[Bench, StepContext], object], kind: type[FarmError], _: object, name: str
) -> None:
    with pytest.raises(kind) as caught:
        step(bench, bench.context(Said(error=kind("stopped", details={"step": "x"}))))
    check_kept(bench, caught.value, name)
    assert caught.value.details["step"] == "x"


def test_no_sandbox_no_log(bench: Bench) -> None:
    with pytest.raises(DockerUnavailableError) as caught:
        build(bench, bench.context(Said(error=DockerUnavailableError("no engine"), words="")))
    assert bench.kept() == []
    assert "log" not in caught.value.details


def test_the_log_of_what_succeeds_is_in_the_vault_alone(bench: Bench) -> None:
    ctx = bench.context(Said())
    assert run(PLAN, ctx, "any", (), {}).log.is_file()
    run_test_step(bench, ctx)
    assert bench.kept() == []
    assert b"all that was said\n" in bench.vault.blobs.values()
