from __future__ import annotations

import json
from pathlib import Path

import pytest

from farm.cli.app import main
from farm.errors import ConfigError, ServiceError

GOLDEN = Path(__file__).parents[1] / "repository" / "golden"


@pytest.fixture(autouse=True)
def home(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    """A farm whose services do not run."""
    monkeypatch.chdir(tmp_path)
    monkeypatch.delenv("FARM_CONFIG", raising=False)
    (tmp_path / "farm.toml").write_text(f'data = "{tmp_path / "data"}"\n')


def use(*arguments: str) -> object:
    with pytest.raises(SystemExit) as caught:
        main(("use", *arguments))
    return caught.value.code


@pytest.mark.parametrize(
    ("tool", "golden"),
    [("maven", "settings.xml"), ("gradle", "settings.gradle.kts"), ("pip", "pip.conf"), ("uv", "uv.toml")],
)
def test_the_text_of_one_tool_is_a_file(capsys: pytest.CaptureFixture[str], tool: str, golden: str) -> None:
    assert use(tool, "--url", "http://127.0.0.1:8080") == 0
    assert capsys.readouterr().out == (GOLDEN / golden).read_text()


def test_all_of_them_as_json(capsys: pytest.CaptureFixture[str]) -> None:
    assert use("--url", "https://packages.example.org/farm/", "--json") == 0
    guides = json.loads(capsys.readouterr().out)
    assert [guide["tool"] for guide in guides] == ["gradle", "maven", "pip", "uv"]
    assert all("https://packages.example.org/farm/" in guide["text"] for guide in guides)
    assert "AllowInsecureProtocol" not in guides[0]["text"]


def test_without_an_address_or_for_an_unknown_tool() -> None:
    assert use("maven") == ServiceError.exit_code
    assert use("ant", "--url", "http://127.0.0.1:8080") == ConfigError.exit_code
