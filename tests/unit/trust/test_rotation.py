from __future__ import annotations

import json
from typing import TYPE_CHECKING, Any

import pytest

from farm.errors import TrustRootError
from farm.trust.rotation import lost_entries

if TYPE_CHECKING:
    from pathlib import Path

    from farm.trust.authority.instance import Authority

ISSUER = "https://farm.example/oidc"
KINDS = ("tlogs", "ctlogs", "certificateAuthorities", "timestampAuthorities")


def both(one: dict[str, Any], other: dict[str, Any]) -> dict[str, Any]:
    """Return the configuration after a rotation: the entries of both."""
    root = {key: [*value, *other["trustedRoot"][key]] for key, value in one["trustedRoot"].items() if key in KINDS}
    return one | {"trustedRoot": one["trustedRoot"] | root}


def test_entries_may_be_added_and_none_may_go(authority: Authority, tmp_path: Path) -> None:
    from farm.trust.authority.instance import Authority as Instance  # noqa: PLC0415 - after the role was declared

    old = authority.trust_config(ISSUER)
    other = Instance(tmp_path / "other", "farm.example").trust_config(ISSUER)
    raw = json.dumps(old).encode()
    assert lost_entries(raw, json.dumps(old, indent=3).encode()) == ()
    assert lost_entries(raw, json.dumps(both(other, old)).encode()) == ()
    assert lost_entries(raw, json.dumps(other).encode()) == KINDS
    assert lost_entries(json.dumps(both(other, old)).encode(), raw) == KINDS


@pytest.mark.parametrize("raw", [b"", b"{}", b"[]", b"\xff", b'{"trustedRoot": {"tlogs": 1}}', b"[" * 100_000])
def test_what_cannot_be_read_is_nothing_to_replace(authority: Authority, raw: bytes) -> None:
    good = json.dumps(authority.trust_config(ISSUER)).encode()
    for old, new in ((raw, good), (good, raw)):
        with pytest.raises(TrustRootError):
            lost_entries(old, new)
