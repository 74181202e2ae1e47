from __future__ import annotations

from farm.flows.logs import render


def test_package_comes_first_then_the_event_then_sorted_values() -> None:
    event = {"event": "fetched", "package": "python/x@1", "module": "m", "size": 3, "file": "a b"}
    assert render(None, "info", event) == "[python/x@1] fetched file=a b size=3"


def test_line_without_a_package_and_with_a_trace() -> None:
    assert render(None, "error", {"event": "broken", "exception": "Traceback …"}) == "broken\nTraceback …"
