from __future__ import annotations

from pathlib import Path

import pytest

from farm.recipe import reference


@pytest.mark.parametrize(
    ("text", "parts"),
    [
        ("python/click", ("python/click", "")),
        (" recipe python/click@8.1.8 ", ("python/click", "8.1.8")),
        ("recipes/python/click@8.1.8", ("recipes/python/click", "8.1.8")),
        ("/home/me@work/recipes/python/click", ("/home/me@work/recipes/python/click", "")),
        ("/home/me@work/recipes/python/click@8.1.8", ("/home/me@work/recipes/python/click", "8.1.8")),
    ],
)
def test_what_is_named_and_its_version(text: str, parts: tuple[str, str]) -> None:
    assert reference.split(text) == parts


@pytest.mark.parametrize(
    "name", ["recipes/python/click", "./click", "../click", "/r/python/click", "~/click", "recipe.yaml", "click/"]
)
def test_a_path_means_the_same_everywhere(name: str, tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.chdir(tmp_path)
    monkeypatch.setenv("HOME", str(tmp_path / "home"))
    assert reference.is_path(name)
    path = str(Path(name).expanduser().resolve())
    assert Path(path).is_absolute()
    assert reference.absolute(name) == path
    assert reference.absolute(f"{name}@1.0") == f"{path}@1.0"


@pytest.mark.parametrize("name", ["python/click", "python/click@8.1.8"])
def test_a_name_stays_a_name_beside_a_folder_of_that_name(
    name: str, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    (tmp_path / "python" / "click").mkdir(parents=True)
    monkeypatch.chdir(tmp_path)
    assert reference.absolute(name) == name
