from __future__ import annotations

import pytest
from hypothesis import given
from hypothesis import strategies as st

from farm.ecosystems.python.repository.negotiate import TYPES, choose

JSON_V1 = "application/vnd.pypi.simple.v1+json"
HTML_V1 = "application/vnd.pypi.simple.v1+html"


@pytest.mark.parametrize(
    ("accept", "expected"),
    [
        (None, "text/html"),
        ("", "text/html"),
        ("*/*", "text/html"),
        ("text/html,application/xhtml+xml,application/xml;q=0.9,*/*;q=0.8", "text/html"),
        # What pip and uv send.
        (f"{JSON_V1}, {HTML_V1}; q=0.1, text/html; q=0.01", JSON_V1),
        (f"{JSON_V1}, {HTML_V1};q=0.2, text/html;q=0.01", JSON_V1),
        ("application/vnd.pypi.simple.latest+json", JSON_V1),
        ("application/vnd.pypi.simple.latest+html", HTML_V1),
        ("APPLICATION/VND.PYPI.SIMPLE.V1+JSON ; Q=1.000", JSON_V1),
        ("application/*", JSON_V1),
        ("text/*;q=0.5, application/*;q=0.4", "text/html"),
        (f"*/*, {JSON_V1};q=0, text/html;q=0", HTML_V1),
        (f"{JSON_V1};q=0.5, text/html;q=0.9", "text/html"),
        (f"{JSON_V1};q=0.999, text/html;q=0.998", JSON_V1),
        # A newer version of the API that is not spoken here.
        ("application/vnd.pypi.simple.v2+json", None),
        ("application/json", None),
        ("text/html;q=0", None),
        ("image/png", None),
        # Malformed parts do not count.
        ("text/html;q=2", None),
        ("text/html;q=0.1234", None),
        ("text/html;q=-1", None),
        (f"garbage, {JSON_V1}", JSON_V1),
    ],
)
def test_choice(accept: str | None, expected: str | None) -> None:
    assert choose(accept) == expected


@given(st.text(max_size=300))
def test_any_header_gets_an_answer(accept: str) -> None:
    assert choose(accept) in {*TYPES, None}


@given(
    st.lists(st.tuples(st.sampled_from(TYPES), st.integers(0, 1000)), min_size=1, max_size=3, unique_by=lambda p: p[0])
)
def test_the_best_liked_type_wins(wanted: list[tuple[str, int]]) -> None:
    chosen = choose(", ".join(f"{kind};q={weight // 1000}.{weight % 1000:03d}" for kind, weight in wanted))
    best = max(weight for _, weight in wanted)
    assert chosen is None if best == 0 else dict(wanted)[str(chosen)] == best
