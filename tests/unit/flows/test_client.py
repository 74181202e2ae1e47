from __future__ import annotations

import json
from contextlib import contextmanager
from typing import TYPE_CHECKING

import httpx
import pytest

from farm.config import Settings
from farm.errors import PrefectUnavailableError
from farm.flows import api as rest
from farm.flows import client
from farm.services import registry

if TYPE_CHECKING:
    from collections.abc import Iterator
    from pathlib import Path


@pytest.fixture
def settings(tmp_path: Path) -> Settings:
    return Settings(data=tmp_path)


def test_submit_without_a_server_says_how_to_start_it(settings: Settings) -> None:
    with pytest.raises(PrefectUnavailableError, match="not running") as caught:
        client.submit(settings, "python/markupsafe")
    assert "farm up" in caught.value.remedy
    assert caught.value.exit_code == 94


def test_other_verbs_without_a_server(settings: Settings) -> None:
    with pytest.raises(PrefectUnavailableError):
        client.logs(settings, "python/markupsafe@3.0.2")
    with pytest.raises(PrefectUnavailableError):
        client.find_run(settings, "python/markupsafe@3.0.2")
    with pytest.raises(PrefectUnavailableError):
        client.follow(settings, "python/markupsafe@3.0.2", print)


@pytest.mark.parametrize("written", ["recipes/python/click", "./recipes/python/click", "recipes/python/click@8.1.8"])
def test_a_path_is_submitted_absolute_since_the_worker_stands_elsewhere(
    written: str, settings: Settings, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    sent: list[tuple[str, str]] = []

    def answer(request: httpx.Request) -> httpx.Response:
        if request.url.path.endswith("/create_flow_run"):
            parameters = json.loads(request.content)["parameters"]
            sent.append((parameters["reference"], parameters["image"]))
            return httpx.Response(201, json={"id": "1", "name": "n"})
        found = [{"status": "ONLINE"}] if request.url.path.endswith("/workers/filter") else {"id": "d"}
        return httpx.Response(200, json=found)

    @contextmanager
    def api(_settings: Settings) -> Iterator[httpx.Client]:
        with httpx.Client(base_url="http://prefect.test/api", transport=httpx.MockTransport(answer)) as made:
            yield made

    monkeypatch.setattr(client, "connect", api)
    monkeypatch.chdir(tmp_path)
    client.submit(settings, written)
    client.submit(settings, "python/click", image="python39")
    assert sent == [(str(tmp_path / written), ""), ("python/click", "python39")]


def test_every_call_carries_the_login(settings: Settings, monkeypatch: pytest.MonkeyPatch) -> None:
    registry.run_folder(settings)
    user, _, password = registry.prefect_login(settings).partition(":")
    monkeypatch.setattr(rest, "service_url", lambda *_: "http://127.0.0.1:1")
    with rest.connect(settings) as api:
        assert isinstance(api.auth, httpx.BasicAuth)
        assert api.auth._auth_header == httpx.BasicAuth(user, password)._auth_header


def test_client_does_not_import_prefect() -> None:
    import subprocess  # noqa: PLC0415 - only this test asks another interpreter
    import sys  # noqa: PLC0415 - the same

    program = (
        "import sys, farm.flows.client, farm.flows.rebuilds, farm.flows.schedules; print('prefect' in sys.modules)"
    )
    assert subprocess.check_output([sys.executable, "-c", program], text=True).strip() == "False"
