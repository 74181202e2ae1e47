"""Content negotiation of the simple API: an Accept header (RFC 9110) against the three media types of PEP 691."""

from __future__ import annotations

from typing import Final, NamedTuple

__all__ = ["HTML_TYPES", "HTML_V1", "JSON_V1", "TYPES", "choose"]

JSON_V1: Final = "application/vnd.pypi.simple.v1+json"
HTML_V1: Final = "application/vnd.pypi.simple.v1+html"
HTML: Final = "text/html"

TYPES: Final = (HTML, JSON_V1, HTML_V1)
"""What is offered; where a client likes two equally, the earlier wins, and old clients that say `*/*` get HTML."""

HTML_TYPES: Final = frozenset({HTML, HTML_V1})

_LATEST: Final = {
    "application/vnd.pypi.simple.latest+json": JSON_V1,
    "application/vnd.pypi.simple.latest+html": HTML_V1,
}
_MAX_RANGES: Final = 64


class _Range(NamedTuple):
    kind: str
    quality: float


def choose(accept: str | None) -> str | None:
    """Return the media type to answer with, or None when nothing that is offered is acceptable (406).

    Args:
        accept: the Accept header; None or blank means that anything goes. A malformed part is ignored.
    """
    if accept is None or not accept.strip():
        return TYPES[0]
    ranges = [found for part in accept.split(",")[:_MAX_RANGES] if (found := _parse(part)) is not None]
    best = max(TYPES, key=lambda kind: _quality(kind, ranges))
    return best if _quality(best, ranges) > 0 else None


def _parse(part: str) -> _Range | None:
    kind, *parameters = (piece.strip().lower() for piece in part.split(";"))
    if kind.count("/") != 1:
        return None
    quality = 1.0
    for parameter in parameters:
        key, _, value = parameter.partition("=")
        if key.strip() == "q":
            number = _number(value.strip())
            if number is None:
                return None
            quality = number
    return _Range(_LATEST.get(kind, kind), quality)


def _number(text: str) -> float | None:
    """Return a qvalue: `0`, `1`, or up to three decimals between them."""
    whole, _, rest = text.partition(".")
    if whole not in {"0", "1"} or len(rest) > 3 or not (rest or "0").isascii() or not (rest or "0").isdigit():  # noqa: PLR2004 - RFC 9110, 12.4.2: three decimals
        return None
    value = float(f"{whole}.{rest or '0'}")
    return value if value <= 1 else None


def _quality(kind: str, ranges: list[_Range]) -> float:
    """Return how much `kind` is wanted: of the ranges that fit it, the most specific one counts."""
    for wanted in (kind, f"{kind.partition('/')[0]}/*", "*/*"):
        fitting = [found.quality for found in ranges if found.kind == wanted]
        if fitting:
            return max(fitting)
    return 0.0
