from __future__ import annotations

from typing import TYPE_CHECKING

from farm.consumer.fetch import fetch_sidecars
from tests.fixtures_python import serving

if TYPE_CHECKING:
    from pathlib import Path

    import pytest


def test_an_index_on_this_host_is_reached_past_the_proxy(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    for name in ("no_proxy", "NO_PROXY"):
        monkeypatch.delenv(name, raising=False)
    for name in ("http_proxy", "HTTP_PROXY", "ALL_PROXY"):
        monkeypatch.setenv(name, "http://127.0.0.1:9")
    wheel = "sample-1.0-py3-none-any.whl"
    with serving() as index:
        index.projects["sample"] = {wheel: b"wheel", f"{wheel}.provenance": b"{}"}
        fetch_sidecars(index.url, tmp_path / wheel, tmp_path)
        assert f"/files/{wheel}" in "".join(path for path, _ in index.requests)
