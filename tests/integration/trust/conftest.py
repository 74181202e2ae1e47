"""A real signer process for each test that asks for one."""

from __future__ import annotations

import os
import signal
import subprocess
import sys
import time
from dataclasses import dataclass, field
from pathlib import Path
from typing import TYPE_CHECKING

import pytest

from farm.config import Settings, TrustSettings
from farm.errors import SignerUnavailableError
from farm.model.evidence import JobRecord, RunResult
from farm.trust.client import SignerClient
from farm.trust.identity import ExpectedIdentity, expected_identity
from farm.trust.launch import signer_command
from tests.fixtures_repository import bucket, index, s3, s3_server, store

if TYPE_CHECKING:
    from collections.abc import Iterator

__all__ = ["bucket", "index", "s3", "s3_server", "store"]

DATA = Path(__file__).parents[2] / "data" / "trust"


@dataclass
class SignerProcess:
    """The signer of one farm, as `farm up` starts it."""

    settings: Settings
    log: Path
    processes: list[subprocess.Popen[bytes]] = field(default_factory=list)

    @property
    def socket(self) -> Path:
        return self.settings.signer_socket

    @property
    def trust_config(self) -> Path:
        return self.settings.trust_config_path

    @property
    def identity(self) -> ExpectedIdentity:
        return expected_identity(self.settings)

    def launch(self) -> subprocess.Popen[bytes]:
        """Start a process without waiting for it."""
        environment = {key: value for key, value in os.environ.items() if not key.startswith("FARM_")}
        with self.log.open("ab") as log:
            process = subprocess.Popen(
                signer_command(self.settings), stdout=log, stderr=log, stdin=subprocess.DEVNULL, env=environment
            )
        self.processes.append(process)
        return process

    def start(self) -> subprocess.Popen[bytes]:
        """Start a process and wait until it answers."""
        process = self.launch()
        deadline = time.monotonic() + 60
        with SignerClient(self.socket) as client:
            while True:
                try:
                    client.health()
                except SignerUnavailableError:
                    ended = process.poll()
                    assert ended is None, f"the signer ended with {ended}: {self.log.read_text()}"
                    assert time.monotonic() < deadline, self.log.read_text()
                    time.sleep(0.05)
                else:
                    return process

    def stop(self, number: int = signal.SIGTERM) -> int:
        """Stop the last process and return its exit code."""
        process = self.processes[-1]
        process.send_signal(number)
        return process.wait(timeout=30)


@pytest.fixture
def farm_signer(tmp_path: Path) -> Iterator[SignerProcess]:
    """A signer that was not started yet."""
    assert sys.platform == "linux"
    settings = Settings(data=tmp_path / "farm", trust=TrustSettings(namespace="https://farm.example", builder="test"))
    signer = SignerProcess(settings, tmp_path / "signer.log")
    yield signer
    for process in signer.processes:
        if process.poll() is None:
            process.kill()
            process.wait(timeout=30)


@pytest.fixture
def signer(farm_signer: SignerProcess) -> SignerProcess:
    """A signer that answers."""
    farm_signer.start()
    return farm_signer


@pytest.fixture
def job() -> JobRecord:
    return JobRecord.model_validate_json((DATA / "job.json").read_bytes())


@pytest.fixture
def result() -> RunResult:
    return RunResult.model_validate_json((DATA / "result.json").read_bytes())


@pytest.fixture
def wheel(tmp_path: Path) -> Path:
    path = tmp_path / "demo_pkg-1.0-py3-none-any.whl"
    path.write_bytes(os.urandom(3 * 1024 * 1024 + 17))
    return path
