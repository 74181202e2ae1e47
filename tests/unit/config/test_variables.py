from __future__ import annotations

import re
from typing import TYPE_CHECKING

import pytest

from farm.config import load_settings
from farm.errors import ConfigError, TrustRootError
from farm.services.registry import MARKER

if TYPE_CHECKING:
    from pathlib import Path


@pytest.fixture(autouse=True)
def _elsewhere(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.chdir(tmp_path)
    monkeypatch.delenv("FARM_CONFIG", raising=False)


@pytest.mark.parametrize(
    ("name", "near"),
    [
        ("FARM_PYTHON_INDX", "FARM_PYTHON_INDEX"),
        ("FARM_S3__ENDPIONT", "FARM_S3__ENDPOINT"),
        ("FARM_TRUST_CONFIG", "FARM_TRUST__TRUST_CONFIG"),
        ("FARM_S3_ENDPOINT", "FARM_S3__ENDPOINT"),
        ("farm_dta", "FARM_DATA"),
        ("FARM_QQQQQQQQQQ", ""),
    ],
)
def test_a_variable_that_is_no_setting_is_an_error(name: str, near: str, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv(name, "x")
    with pytest.raises(ConfigError, match=re.escape(f"{name} is no setting")) as caught:
        load_settings()
    assert caught.value.message.partition("did you mean ")[2] == (f"{near}?" if near else "")


@pytest.mark.parametrize(
    ("name", "value"),
    [
        ("FARM_NO_INSTALL", "1"),
        (MARKER, "m"),
        ("farm_python_index", "https://index.example"),
        ("FARM_S3", '{"region": "eu"}'),
        ("FARM_SOURCES", '{"https://git.example": "https://mirror.example"}'),
        ("FARM_SERVICES__INDEX_PORT", "8000"),
    ],
)
def test_every_spelling_of_a_setting_and_farms_own_variables_are_taken(
    name: str, value: str, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setenv(name, value)
    load_settings()


def test_the_remedy_of_a_missing_trust_root_names_a_variable_that_works(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    (name,) = re.findall(r"FARM_\w+", TrustRootError.default_remedy)
    monkeypatch.setenv(name, str(tmp_path / "t.json"))
    assert load_settings().trust_config_path == tmp_path / "t.json"
