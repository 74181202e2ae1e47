"""Run tokens: JWTs (RFC 7519, ES256) that the signer makes for one run and later takes back from the worker."""

from __future__ import annotations

import secrets
from dataclasses import dataclass
from typing import TYPE_CHECKING

import jwt

from farm.errors import SigningRefusedError

if TYPE_CHECKING:
    from cryptography.hazmat.primitives.asymmetric import ec

__all__ = ["TokenId", "TokenMint"]

_ALGORITHM = "ES256"
_AUDIENCE = "farm-signer"
_REQUIRED = ["aud", "exp", "iat", "iss", "jti", "sub"]


@dataclass(frozen=True)
class TokenId:
    """What a valid token says: for which run it is, and which of the run's tokens it is."""

    run_id: str
    serial: str


class TokenMint:
    """Makes and checks tokens with a key that only the signer has."""

    def __init__(self, key: ec.EllipticCurvePrivateKey, issuer: str) -> None:
        self._key = key
        self._issuer = issuer

    def mint(self, run_id: str, now: int, seconds: int) -> tuple[str, TokenId]:
        """Return a token for `run_id` that expires `seconds` after `now` (seconds since the epoch)."""
        serial = secrets.token_hex(16)
        claims = {
            "aud": _AUDIENCE,
            "exp": now + seconds,
            "iat": now,
            "iss": self._issuer,
            "jti": serial,
            "sub": run_id,
        }
        return jwt.encode(claims, self._key, algorithm=_ALGORITHM), TokenId(run_id, serial)

    def check(self, token: str) -> TokenId:
        """Return what a token says.

        Raises:
            SigningRefusedError: not a token of this signer, for another audience, or expired.
        """
        try:
            claims = jwt.decode(
                token,
                self._key.public_key(),
                # A list of one: what the token's own header names counts for nothing.
                algorithms=[_ALGORITHM],
                audience=_AUDIENCE,
                issuer=self._issuer,
                options={"require": _REQUIRED},
            )
        except jwt.ExpiredSignatureError as error:
            raise SigningRefusedError("the run's token has expired", details={"status": 401}) from error
        except jwt.PyJWTError as error:
            raise SigningRefusedError(f"this is no valid run token: {error}", details={"status": 401}) from error
        return TokenId(str(claims["sub"]), str(claims["jti"]))
