"""What tests of the sandbox share: the real engine and the builder image of this checkout (made when missing)."""

from __future__ import annotations

from pathlib import Path
from typing import TYPE_CHECKING, Protocol

import pytest

from farm.config import Settings, load_settings
from farm.image.builder import ensure_image
from farm.model.plan import Limits
from farm.sandbox.base import Mount, Peer, SandboxRequest, SandboxResult, Step, Unpack
from farm.sandbox.docker import DockerSandbox

if TYPE_CHECKING:
    from collections.abc import Callable

ROOT = Path(__file__).parents[1]
LIMITS = Limits(time_seconds=60, memory_mb=256, cpus=1, pids=64, disk_mb=64, output_mb=16)


class Run(Protocol):
    def __call__(
        self,
        *scripts: str,
        limits: Limits = LIMITS,
        mounts: tuple[Mount, ...] = (),
        unpack: tuple[Unpack, ...] = (),
        env: dict[str, str] | None = None,
        sandbox: DockerSandbox | None = None,
        peer: Peer | None = None,
    ) -> SandboxResult: ...


@pytest.fixture(scope="session")
def settings(tmp_path_factory: pytest.TempPathFactory) -> Settings:
    return load_settings(data=tmp_path_factory.mktemp("data"), images=ROOT / "images")


@pytest.fixture(scope="session")
def image_id(settings: Settings) -> str:
    return ensure_image(settings, "python311").identity.image_id


@pytest.fixture
def output(tmp_path: Path) -> Path:
    folder = tmp_path / "output"
    folder.mkdir()
    return folder


@pytest.fixture
def log(tmp_path: Path) -> Path:
    return tmp_path / "log"


@pytest.fixture
def run(settings: Settings, image_id: str, output: Path, log: Path) -> Callable[..., SandboxResult]:
    """Run Python scripts, one step each."""

    def call(
        *scripts: str,
        limits: Limits = LIMITS,
        mounts: tuple[Mount, ...] = (),
        unpack: tuple[Unpack, ...] = (),
        env: dict[str, str] | None = None,
        sandbox: DockerSandbox | None = None,
        peer: Peer | None = None,
    ) -> SandboxResult:
        steps = tuple(Step(f"step {n}", ("python3", "-c", script)) for n, script in enumerate(scripts, 1))
        request = SandboxRequest(
            image_id=image_id, label="python/sample@1", steps=steps, limits=limits, output=output, log=log,
            mounts=mounts, unpack=unpack, env=env or {}, peer=peer,
        )  # fmt: skip
        return (sandbox or DockerSandbox(settings)).run(request)

    return call
