from __future__ import annotations

import json
from typing import TYPE_CHECKING

import pytest
from pydantic import SecretStr

from farm.config import S3Settings, Settings
from farm.errors import ConfigError, StoreUnavailableError
from farm.store.config import embedded_path, s3_config

if TYPE_CHECKING:
    from pathlib import Path


def settings(folder: Path, **s3: str) -> Settings:
    keys = {"access_key", "secret_key"}
    values = {key: SecretStr(value) if key in keys else value for key, value in s3.items()}
    return Settings(data=folder, s3=S3Settings.model_validate(values))


def test_the_embedded_server_by_default(tmp_path: Path) -> None:
    chosen = settings(tmp_path)
    embedded_path(chosen).parent.mkdir()
    embedded_path(chosen).write_text(json.dumps({"endpoint": "http://e", "access_key": "a", "secret_key": "hush"}))
    found = s3_config(chosen)
    assert (found.endpoint, found.secret_key.get_secret_value()) == ("http://e", "hush")
    assert "hush" not in repr(found)


def test_explicit_settings_win(tmp_path: Path) -> None:
    chosen = settings(tmp_path, endpoint="http://mine", access_key="a", secret_key="b", region="eu")
    assert (s3_config(chosen).endpoint, s3_config(chosen).region) == ("http://mine", "eu")


def test_no_server_yet(tmp_path: Path) -> None:
    with pytest.raises(StoreUnavailableError) as caught:
        s3_config(settings(tmp_path))
    assert "farm up" in caught.value.remedy


@pytest.mark.parametrize("content", ["", "[]", '{"endpoint": "http://e", "secret_key": "hush"}', "{"])
def test_a_damaged_file_does_not_show_its_keys(tmp_path: Path, content: str) -> None:
    chosen = settings(tmp_path)
    embedded_path(chosen).parent.mkdir()
    embedded_path(chosen).write_text(content)
    with pytest.raises(ConfigError) as caught:
        s3_config(chosen)
    assert "hush" not in str(caught.value)


def test_an_endpoint_without_keys(tmp_path: Path) -> None:
    with pytest.raises(ConfigError, match=r"s3\.access_key"):
        s3_config(settings(tmp_path, endpoint="http://mine"))
