from __future__ import annotations

from typing import TYPE_CHECKING

import httpx
import pytest

from farm.errors import ConfigError
from farm.net import DIRECT, ca_bundle, direct, is_loopback, tls_context

if TYPE_CHECKING:
    from pathlib import Path


@pytest.mark.parametrize(
    ("url", "expected"),
    [
        ("http://127.0.0.1:9000", True),
        ("http://127.8.8.8", True),
        ("https://user:pass@localhost:1/x", True),
        ("http://[::1]:9000/", True),
        ("http://10.0.0.1", False),
        ("https://s3.example.test", False),
        ("https://localhost.example.test", False),
        ("", False),
    ],
)
def test_what_is_this_host(url: str, expected: bool) -> None:  # noqa: FBT001 - a table
    assert is_loopback(url) is expected


@pytest.mark.parametrize(
    ("given", "expected"),
    [
        ({}, "localhost,127.0.0.1,::1"),
        ({"NO_PROXY": "corp.test, localhost"}, "corp.test,localhost,127.0.0.1,::1"),
        ({"no_proxy": "a.test", "NO_PROXY": "b.test"}, "a.test,localhost,127.0.0.1,::1"),
        ({"no_proxy": "*"}, "*"),
    ],
)
def test_programs_are_told_to_reach_this_host_directly(given: dict[str, str], expected: str) -> None:
    assert direct({**given, "A": "b"}) == {"A": "b", "no_proxy": expected, "NO_PROXY": expected}


def test_only_this_host_is_reached_past_the_proxy(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.delenv("no_proxy", raising=False)
    monkeypatch.delenv("NO_PROXY", raising=False)
    monkeypatch.setenv("http_proxy", "http://127.0.0.1:9")
    with httpx.Client(mounts=DIRECT) as client:
        for url in ("http://localhost:1/", "http://127.0.0.1:1/", "http://[::1]:1/"):
            assert client._transport_for_url(httpx.URL(url)) is client._transport
        assert client._transport_for_url(httpx.URL("http://example.test/")) is not client._transport


def test_the_bundle_is_the_users(tmp_path: Path) -> None:
    one, other = tmp_path / "one.pem", tmp_path / "other.pem"
    one.touch()
    other.touch()
    assert ca_bundle({}) == ""
    assert ca_bundle({}, str(one)) == str(one)
    assert ca_bundle({"CURL_CA_BUNDLE": str(other)}, str(one)) == str(other)
    assert ca_bundle({"PIP_CERT": str(one), "SSL_CERT_FILE": "/nonexistent/ca.pem"}) == str(one)


def test_a_bundle_that_cannot_be_used_is_not_passed_over(tmp_path: Path) -> None:
    with pytest.raises(ConfigError, match="PIP_CERT"):
        ca_bundle({"PIP_CERT": str(tmp_path / "missing.pem"), "SSL_CERT_FILE": "/nonexistent/ca.pem"})
    broken = tmp_path / "broken.pem"
    broken.write_text("no certificate")
    with pytest.raises(ConfigError, match=r"broken\.pem"):
        tls_context(str(broken))
