from __future__ import annotations

from pathlib import Path

import pytest

from farm.config import load_settings
from farm.consumer.root import trust_root
from farm.errors import TrustRootError


def chosen(file: Path, named: str = "") -> Path:
    return trust_root(named, load_settings(), [file])


@pytest.fixture(autouse=True)
def home(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Path:
    """A checkout with its farm, which is the working folder; files elsewhere are below `tmp_path` too."""
    for name in ("FARM_CONFIG", "FARM_TRUST__TRUST_CONFIG"):
        monkeypatch.delenv(name, raising=False)
    folder = tmp_path / "home"
    folder.mkdir()
    (folder / "farm.toml").write_text("")
    (tmp_path / "downloads").mkdir()
    monkeypatch.chdir(folder)
    return folder


def test_the_farms_own_for_files_elsewhere_and_below_the_checkout(home: Path, tmp_path: Path) -> None:
    for file in (tmp_path / "downloads" / "x.whl", Path("dist/x.whl"), home / ".farm" / "s3" / "x.whl"):
        assert chosen(file) == home / ".farm" / "trust" / "trust_config.json"


@pytest.mark.parametrize("file", ["x.whl", "../x.whl", "./dist/../x.whl", ".farm/x.whl", ".farm/trust/x.whl"])
def test_one_that_came_along_with_the_file_is_refused(file: str) -> None:
    Path("dist").mkdir()
    with pytest.raises(TrustRootError, match="may have come with it") as caught:
        chosen(Path(file))
    assert "--trust-config" in caught.value.remedy


def test_a_link_does_not_hide_that_it_came_along(home: Path, tmp_path: Path) -> None:
    (tmp_path / "aside").mkdir()
    (home / ".farm").symlink_to(tmp_path / "aside")
    with pytest.raises(TrustRootError):
        chosen(Path("x.whl"))
    (tmp_path / "downloads" / "home").symlink_to(home)
    with pytest.raises(TrustRootError):
        chosen(tmp_path / "downloads" / "home" / "x.whl")


def test_a_planted_farm_toml_cannot_name_one_beside_the_file(home: Path, tmp_path: Path) -> None:
    planted = tmp_path / "downloads"
    (home / "farm.toml").write_text(f'[trust]\ntrust_config = "{planted / "root.json"}"\n')
    with pytest.raises(TrustRootError):
        chosen(planted / "x.whl")


def test_one_that_is_named_is_taken_wherever_it_lies(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    assert chosen(Path("x.whl"), "root.json") == Path("root.json")
    monkeypatch.setenv("FARM_TRUST__TRUST_CONFIG", str(tmp_path / "root.json"))
    assert chosen(tmp_path / "x.whl") == tmp_path / "root.json"


def test_without_a_farm_here_there_is_none(home: Path, monkeypatch: pytest.MonkeyPatch, tmp_path: Path) -> None:
    (home / "farm.toml").unlink()
    with pytest.raises(TrustRootError, match=r"no farm\.toml") as caught:
        chosen(tmp_path / "downloads" / "x.whl")
    assert "--trust-config" in caught.value.remedy
    monkeypatch.setenv("FARM_TRUST__TRUST_CONFIG", str(tmp_path / "root.json"))
    assert chosen(Path("x.whl")) == tmp_path / "root.json"
