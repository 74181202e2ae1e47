from __future__ import annotations

from typing import TYPE_CHECKING

import pytest

from farm.config import Settings
from farm.errors import PrefectUnavailableError
from farm.flows import client

if TYPE_CHECKING:
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


def test_client_does_not_import_prefect() -> None:
    import subprocess  # noqa: PLC0415 - only this test asks another interpreter
    import sys  # noqa: PLC0415 - the same

    program = "import sys, farm.flows.client; print('prefect' in sys.modules)"
    assert subprocess.check_output([sys.executable, "-c", program], text=True).strip() == "False"
