from __future__ import annotations

import base64
import json
import time

import jwt
import pytest
from cryptography.hazmat.primitives.asymmetric import ec
from cryptography.hazmat.primitives.serialization import Encoding, PublicFormat

from farm.errors import SigningRefusedError
from farm.trust.signer.tokens import TokenMint

KEY = ec.generate_private_key(ec.SECP256R1())
ISSUER = "https://farm.example/oidc"


@pytest.fixture
def mint() -> TokenMint:
    return TokenMint(KEY, ISSUER)


def now() -> int:
    return int(time.time())


def claims(**changes: object) -> dict[str, object]:
    full: dict[str, object] = {
        "aud": "farm-signer",
        "exp": now() + 60,
        "iat": now(),
        "iss": ISSUER,
        "jti": "1",
        "sub": "run-1",
    }
    full.update(changes)
    return {key: value for key, value in full.items() if value is not None}


def part(value: object) -> str:
    return base64.urlsafe_b64encode(json.dumps(value).encode()).rstrip(b"=").decode()


def test_a_token_says_its_run_and_which_it_is(mint: TokenMint) -> None:
    token, made = mint.mint("run-1", now(), 60)
    assert mint.check(token) == made
    assert made.run_id == "run-1"


def test_two_tokens_of_a_run_differ(mint: TokenMint) -> None:
    assert mint.mint("run-1", now(), 60)[1] != mint.mint("run-1", now(), 60)[1]


def test_an_expired_token_is_refused(mint: TokenMint) -> None:
    token, _ = mint.mint("run-1", now() - 100, 60)
    with pytest.raises(SigningRefusedError, match="expired"):
        mint.check(token)


@pytest.mark.parametrize(
    "changes",
    [
        {"aud": "sigstore"},
        {"aud": None},
        {"iss": "https://elsewhere.example"},
        {"exp": None},
        {"iat": None},
        {"jti": None},
        {"sub": None},
        {"iat": now() + 10**6},  # far enough, however long ago the parameters were made
    ],
)
def test_our_own_key_over_other_claims_is_refused(mint: TokenMint, changes: dict[str, object]) -> None:
    with pytest.raises(SigningRefusedError):
        mint.check(jwt.encode(claims(**changes), KEY, algorithm="ES256"))


def test_a_token_by_another_key_is_refused(mint: TokenMint) -> None:
    other = ec.generate_private_key(ec.SECP256R1())
    with pytest.raises(SigningRefusedError):
        mint.check(jwt.encode(claims(), other, algorithm="ES256"))


def test_an_unsigned_token_is_refused(mint: TokenMint) -> None:
    with pytest.raises(SigningRefusedError):
        mint.check(f"{part({'alg': 'none', 'typ': 'JWT'})}.{part(claims())}.")
    token, _ = mint.mint("run-1", now(), 60)
    with pytest.raises(SigningRefusedError):
        mint.check(token.rsplit(".", 1)[0] + ".")


def test_the_public_key_used_as_a_shared_secret_is_refused(mint: TokenMint) -> None:
    import hashlib  # noqa: PLC0415 - used by this forgery alone
    import hmac  # noqa: PLC0415 - the same

    pem = KEY.public_key().public_bytes(Encoding.PEM, PublicFormat.SubjectPublicKeyInfo)
    head = f"{part({'alg': 'HS256', 'typ': 'JWT'})}.{part(claims())}"
    mac = base64.urlsafe_b64encode(hmac.digest(pem, head.encode(), hashlib.sha256)).rstrip(b"=").decode()
    with pytest.raises(SigningRefusedError):
        mint.check(f"{head}.{mac}")


@pytest.mark.parametrize("token", ["", "a", "a.b.c", "..", "é.é.é", "x" * 100_000])
def test_what_is_no_token_is_refused(mint: TokenMint, token: str) -> None:
    with pytest.raises(SigningRefusedError):
        mint.check(token)
