"""Attacks on the signer's interface and on bundles, in the test process: it declares itself the signer."""

from __future__ import annotations

import asyncio
import json
import os
from dataclasses import dataclass
from pathlib import Path
from typing import TYPE_CHECKING, Any

import httpx
import pytest

from farm.model.base import BlobRef, sha256_file
from farm.model.evidence import JobRecord, RunResult
from farm.trust.identity import ExpectedIdentity, builder_id, issuer
from farm.trust.protocol import RESULT_LENGTH_HEADER, SHA256_HEADER
from farm.trust.role import declare_signer
from farm.trust.verify import Trust, parse_trust

declare_signer()

if TYPE_CHECKING:
    from starlette.applications import Starlette

DATA = Path(__file__).parents[2] / "data" / "trust"
NAMESPACE = "https://farm.example"
NAME = "demo_pkg-1.0-py3-none-any.whl"


@dataclass(frozen=True)
class Http:
    """Sends requests to the application as they are."""

    app: Starlette

    def request(self, method: str, path: str, **options: Any) -> httpx.Response:
        async def send() -> httpx.Response:
            transport = httpx.ASGITransport(self.app)
            async with httpx.AsyncClient(transport=transport, base_url="http://signer") as client:
                return await client.request(method, path, **options)

        return asyncio.run(send())


@dataclass(frozen=True)
class Target:
    """A signer under attack: raw requests, not those of the well-behaved client."""

    http: Http
    trust: Trust
    identity: ExpectedIdentity
    job: JobRecord
    result: RunResult
    wheel: Path

    @property
    def blob(self) -> BlobRef:
        return sha256_file(self.wheel)

    def open(self, **changes: object) -> str:
        """Open the run (with changed facts) and return its token."""
        answer = self.http.request("POST", "/runs", content=self.job.model_copy(update=changes).canonical())
        assert answer.status_code == 200, answer.text
        return str(answer.json()["token"])

    def post(
        self,
        token: str,
        *,
        run: str = "run-1",
        name: str = NAME,
        data: bytes | None = None,
        head: bytes | None = None,
        headers: dict[str, str] | None = None,
    ) -> httpx.Response:
        """Ask for a signature with whatever the attack wants in the request."""
        data = self.wheel.read_bytes() if data is None else data
        head = self.result.canonical() if head is None else head
        sent = {
            "authorization": f"Bearer {token}",
            RESULT_LENGTH_HEADER: str(len(head)),
            SHA256_HEADER: self.blob.sha256,
            **(headers or {}),
        }
        return self.http.request("POST", f"/runs/{run}/files/{name}", content=head + data, headers=sent)

    def log_size(self) -> int:
        return int(self.http.request("GET", "/health").json()["log_size"])


def make_target(folder: Path, wheel: Path, seconds: int = 600) -> Target:
    """Make a signer with its own keys in `folder`."""
    from farm.trust.signer.compose import compose  # noqa: PLC0415 - key code: after the role was declared

    folder.mkdir(exist_ok=True)
    app, config = compose(folder, namespace=NAMESPACE, host="farm.example", builder="test", token_seconds=seconds)
    return Target(
        http=Http(app),
        trust=parse_trust(json.dumps(config).encode(), "test"),
        identity=ExpectedIdentity(builder=builder_id(NAMESPACE, "test"), issuer=issuer(NAMESPACE)),
        job=JobRecord.model_validate_json((DATA / "job.json").read_bytes()),
        result=RunResult.model_validate_json((DATA / "result.json").read_bytes()),
        wheel=wheel,
    )


@pytest.fixture
def wheel(tmp_path: Path) -> Path:
    path = tmp_path / NAME
    path.write_bytes(os.urandom(200_000))
    return path


@pytest.fixture
def target(tmp_path: Path, wheel: Path) -> Target:
    return make_target(tmp_path / "signer", wheel)


@pytest.fixture
def short_lived(tmp_path: Path, wheel: Path) -> Target:
    """A signer whose tokens live for one second."""
    return make_target(tmp_path / "short", wheel, seconds=1)
