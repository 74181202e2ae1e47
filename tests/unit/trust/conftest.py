"""The trust tests run key code in the test process: it declares itself the signer, as the signer's `__main__` does."""

from __future__ import annotations

import hashlib
import json
from pathlib import Path
from typing import TYPE_CHECKING

import pytest

from farm.model.base import BlobRef
from farm.model.evidence import JobRecord, RunResult
from farm.trust.identity import ExpectedIdentity, builder_id, issuer
from farm.trust.role import declare_signer
from farm.trust.verify import Trust, parse_trust

declare_signer()

if TYPE_CHECKING:
    from farm.trust.authority.instance import Authority

DATA = Path(__file__).parents[2] / "data" / "trust"
NAMESPACE = "https://farm.example"


@pytest.fixture
def job() -> JobRecord:
    return JobRecord.model_validate_json((DATA / "job.json").read_bytes())


@pytest.fixture
def result() -> RunResult:
    return RunResult.model_validate_json((DATA / "result.json").read_bytes())


@pytest.fixture
def identity() -> ExpectedIdentity:
    return ExpectedIdentity(builder=builder_id(NAMESPACE, "test"), issuer=issuer(NAMESPACE))


@pytest.fixture
def authority(tmp_path: Path) -> Authority:
    from farm.trust.authority.instance import Authority  # noqa: PLC0415 - key code: after the role was declared

    return Authority(tmp_path / "authority", "farm.example")


@pytest.fixture
def trust(authority: Authority, identity: ExpectedIdentity) -> Trust:
    return parse_trust(json.dumps(authority.trust_config(identity.issuer)).encode(), "test")


@pytest.fixture
def blob() -> BlobRef:
    data = b"the bytes of a wheel"
    return BlobRef(sha256=hashlib.sha256(data).hexdigest(), size=len(data))
