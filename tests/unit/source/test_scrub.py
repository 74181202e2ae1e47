from __future__ import annotations

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from farm.source.scrub import has_credentials, scrub, secrets_of, without_credentials

SECRETS = st.text(st.characters(min_codepoint=33, max_codepoint=126, blacklist_characters="/'\"<>"), min_size=6).filter(
    lambda s: "@" not in s
)


@settings(deadline=None)
@given(SECRETS, SECRETS)
def test_no_password_of_an_address_survives(user: str, password: str) -> None:
    text = f"fatal: unable to access 'https://{user}:{password}@git.example.test/x/': refused"
    cleaned = scrub(text)
    assert f"{password}@" not in cleaned
    assert "git.example.test/x/" in cleaned


@pytest.mark.parametrize(
    "text",
    [
        "https://user:pa@ss-hunter2@h/x",
        "http://hunter2@h/x",
        "Authorization: Basic hunter2",
        "proxy-authorization: bearer hunter2",
        "https://h/x?token=hunter2&a=b",
        "https://h/x?X-Amz-Signature=hunter2",
    ],
)
def test_known_forms(text: str) -> None:
    assert "hunter2" not in scrub(text)


def test_given_secrets_go_wherever_they_are() -> None:
    assert scrub("it says hunter2 here", {"hunter2"}) == "it says *** here"
    assert secrets_of("https://u:p%40ss@h/x") == {"p%40ss", "p@ss"}


@pytest.mark.parametrize(
    ("url", "secret", "clean"),
    [
        ("https://h/x", False, "https://h/x"),
        ("https://u:p@h:8/x?a=b", True, "https://h:8/x?a=b"),
        ("https://token@h/x", True, "https://h/x"),
        ("ssh://git@h/x", False, "ssh://git@h/x"),
        ("ssh://git:p@h/x", True, "ssh://git@h/x"),
        ("git@h:x", False, "git@h:x"),
    ],
)
def test_addresses(url: str, secret: bool, clean: str) -> None:  # noqa: FBT001 - a table
    assert has_credentials(url) is secret
    assert without_credentials(url) == clean
