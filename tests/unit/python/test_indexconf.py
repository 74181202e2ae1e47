from __future__ import annotations

import os
from typing import TYPE_CHECKING

import pytest

from farm.ecosystems.python.indexconf import configured_index, index_for_pip
from farm.errors import ConfigError

if TYPE_CHECKING:
    from pathlib import Path

UV, PIP, SET = "https://uv.example/simple", "https://pip.example/simple", "https://set.example/simple"


def home(folder: Path, **files: str) -> dict[str, str]:
    names = {"uv": ".config/uv/uv.toml", "pip": ".config/pip/pip.conf"}
    for key, text in files.items():
        path = folder / names[key]
        path.parent.mkdir(parents=True)
        path.write_text(text, encoding="utf-8")
    return {"HOME": str(folder), "PIP_CONFIG_FILE": str(folder / names["pip"])}


def test_farms_own_setting_wins(tmp_path: Path) -> None:
    env = {**home(tmp_path, pip=f"[global]\nindex-url={PIP}\n"), "UV_DEFAULT_INDEX": UV}
    assert configured_index(SET, env).url == SET


@pytest.mark.parametrize(
    ("env", "url"),
    [
        ({"UV_DEFAULT_INDEX": UV, "PIP_INDEX_URL": PIP}, UV),
        ({"UV_DEFAULT_INDEX": f"corp={UV}"}, UV),
        ({"UV_INDEX_URL": UV, "PIP_INDEX_URL": PIP}, UV),
        ({"PIP_INDEX_URL": f"{PIP}?a=b"}, f"{PIP}?a=b"),
    ],
)
def test_variables(tmp_path: Path, env: dict[str, str], url: str) -> None:
    assert (
        configured_index("", {**home(tmp_path, pip="[global]\nindex-url = https://file.example\n"), **env}).url == url
    )


@pytest.mark.parametrize(
    "text",
    [
        f'index-url = "{UV}"',
        f'[pip]\nindex-url = "{UV}"',
        f'[[index]]\nurl = "{PIP}"\n[[index]]\nurl = "{UV}"\ndefault = true',
    ],
)
def test_uv_file(tmp_path: Path, text: str) -> None:
    found = configured_index("", home(tmp_path, uv=text, pip=f"[global]\nindex-url = {PIP}\n"))
    assert found.url == UV
    assert found.origin.endswith("uv.toml")


def test_pip_file_and_its_certificate(tmp_path: Path) -> None:
    bundle = tmp_path / "ca.pem"
    bundle.touch()
    env = home(tmp_path, pip=f"[install]\nindex_url = {PIP}\n[global]\nindex-url = {SET}\ncert = {bundle}\n")
    found = configured_index("", env)
    assert (found.url, found.ca_bundle) == (PIP, str(bundle))
    other = tmp_path / "other.pem"
    other.touch()
    assert configured_index("", {**env, "SSL_CERT_FILE": str(other)}).ca_bundle == str(other)


def test_extra_indexes_are_not_read(tmp_path: Path) -> None:
    env = {**home(tmp_path, pip=f"[global]\nextra-index-url = {PIP}\n"), "PIP_EXTRA_INDEX_URL": PIP}
    assert PIP not in configured_index("", env).url


@pytest.mark.parametrize("files", [{"uv": "index-url = ["}, {"pip": "no section"}])
def test_a_broken_file_is_named(tmp_path: Path, files: dict[str, str]) -> None:
    with pytest.raises(ConfigError, match=r"uv\.toml|pip\.conf"):
        configured_index("", home(tmp_path, **files))


def test_a_bundle_that_is_not_there(tmp_path: Path) -> None:
    with pytest.raises(ConfigError, match=r"missing\.pem"):
        configured_index("", {**home(tmp_path), "PIP_CERT": str(tmp_path / "missing.pem")})


def test_the_index_for_pip_is_pips_own_or_uvs(tmp_path: Path) -> None:
    files = home(tmp_path, uv=f'index-url = "{UV}"', pip=f"[global]\nindex-url = {PIP}\n")
    assert index_for_pip("", files) == ""
    assert index_for_pip(SET, files) == SET
    assert index_for_pip("", {**files, "PIP_CONFIG_FILE": os.devnull}) == UV
    assert index_for_pip("", {**files, "PIP_CONFIG_FILE": os.devnull, "PIP_INDEX_URL": PIP}) == ""
