"""What people and machines are shown of the catalog and of bumps."""

from __future__ import annotations

import json
from typing import TYPE_CHECKING, Any

import pytest
import structlog

from farm.cli.app import main
from farm.errors import ReleaseCoolingError
from tests.fixtures_python import index
from tests.fixtures_upstream import Home, upload

if TYPE_CHECKING:
    from collections.abc import Iterator
    from pathlib import Path

    from tests.fixtures_python import IndexDouble

__all__ = ["index"]

LONG_AGO = "2020-01-01T00:00:00Z"
FAR_AHEAD = "2090-01-01T00:00:00Z"


@pytest.fixture
def home(tmp_path: Path, monkeypatch: pytest.MonkeyPatch, index: IndexDouble) -> Iterator[Home]:
    monkeypatch.chdir(tmp_path)
    monkeypatch.delenv("FARM_CONFIG", raising=False)
    (tmp_path / "farm.toml").write_text(f'python_index = "{index.url}"\n')
    found = Home(tmp_path)
    for name, newer in (("sample", LONG_AGO), ("other", FAR_AHEAD)):
        found.write({"1.0": "a" * 64}, f"archive:\n    pypi-sdist: {name}", name)
        upload(index, "1.0", LONG_AGO, project=name)
        upload(index, "1.1", newer, project=name)
    found.write({"1.0": "a" * 40}, "git: https://git.example.test/x", "third")
    yield found
    structlog.reset_defaults()  # verbs send the log to what pytest gave them as stderr


def ends(*arguments: str) -> Any:
    with pytest.raises(SystemExit) as caught:
        main(arguments)
    return caught.value.code


def test_outdated_shows_what_is_to_be_done(home: Home, capsys: pytest.CaptureFixture[str]) -> None:
    del home
    assert ends("catalog", "outdated") == 0
    head, other, sample, rest = capsys.readouterr().out.splitlines()
    assert head.split() == ["package", "pinned", "newest", "released", "state"]
    assert other.strip().split(maxsplit=4) == ["python/other", "1.0", "-", "-", "1.1 cooling until 2090-01-08"]
    assert sample.strip().split(maxsplit=4) == ["python/sample", "1.0", "1.1", "2020-01-01", "can be pinned"]
    assert rest.startswith("1 more")
    assert ends("catalog", "outdated", "--all") == 0
    assert "python/third" in capsys.readouterr().out


def test_machines_get_every_recipe(home: Home, capsys: pytest.CaptureFixture[str]) -> None:
    del home
    assert ends("catalog", "outdated", "--json") == 0
    told = json.loads(capsys.readouterr().out)
    assert [one["state"] for one in told] == ["cooling", "outdated", "not-asked"]
    assert ends("catalog", "outdated", "python/sample", "--json") == 0
    assert [one["newest"] for one in json.loads(capsys.readouterr().out)] == ["1.1"]


def test_bump_says_what_it_did_and_what_comes_next(home: Home, capsys: pytest.CaptureFixture[str]) -> None:
    recipe = home.root / "recipes" / "python" / "sample" / "recipe.yaml"
    before = recipe.read_text()
    assert ends("recipe", "bump", "python/sample", "--dry-run") == 0
    assert capsys.readouterr().out.startswith("would pin python/sample 1.1\n")
    assert recipe.read_text() == before
    assert ends("recipe", "bump", "python/sample") == 0
    said = capsys.readouterr().out
    assert said.startswith("pinned python/sample 1.1\n")
    assert "farm lock python/sample@1.1" in said
    assert '"1.1":' in recipe.read_text()
    assert ends("recipe", "bump", "python/sample") == 0
    assert capsys.readouterr().out == "python/sample is current: upstream has nothing newer than 1.1\n"


def test_a_young_release_has_an_exit_code_of_its_own(home: Home, capsys: pytest.CaptureFixture[str]) -> None:
    del home
    assert ends("recipe", "bump", "python/other", "--json") == ReleaseCoolingError.exit_code
    told = json.loads(capsys.readouterr().out)
    assert (told["details"]["version"], "2090-01-08" in told["message"]) == ("1.1", True)
    assert ends("recipe", "bump", "python/other", "--allow-young", "--json") == 0
    assert json.loads(capsys.readouterr().out)["version"] == "1.1"
