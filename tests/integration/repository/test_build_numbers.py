"""Stock installers take the highest build number from farm's index, and so does farm when it locks."""

from __future__ import annotations

import os
import subprocess
import sys
import zipfile
from pathlib import Path
from typing import TYPE_CHECKING

import pytest

from farm.ecosystems.python.numbers import number_of, with_number
from farm.ecosystems.python.repository.layout import LAYOUT
from farm.ecosystems.python.resolver import Indexes, resolve
from farm.model.plan import Target
from farm.repository.publish import publish
from farm.store.vault import S3Vault
from tests.fixtures_repository import FixedGate, IndexServer, RcloneServer, make_wheel, publication_of

if TYPE_CHECKING:
    from collections.abc import Iterator

pytestmark = pytest.mark.services

LAST = 10
"""As text, 10 comes before 9."""


@pytest.fixture(scope="module")
def index(s3_server: RcloneServer, tmp_path_factory: pytest.TempPathFactory) -> Iterator[IndexServer]:
    """An index with eleven builds of `sample-lib` 1.0; each says which it is."""
    folder = tmp_path_factory.mktemp("numbers")
    store, vault = s3_server.store("numbers"), S3Vault(s3_server.store("numbers-vault"))
    for number in range(LAST + 1):
        path, metadata = make_wheel(folder, payload=f"BUILD = {number}\n")
        wheel = path.rename(path.with_name(with_number(path.name, number)))
        publish(
            publication_of(vault, (wheel, metadata)), layout=LAYOUT, vault=vault, store=store, gate=FixedGate(),
            run_dir=folder, work=folder,
        )  # fmt: skip
    server = IndexServer(s3_server, folder, "numbers")
    server.start()
    yield server
    server.stop()


def installed(target: Path) -> str:
    return (target / "sample_lib.py").read_text(encoding="utf-8")


def run(home: Path, *argv: object) -> None:
    env = {"PATH": os.environ["PATH"], "HOME": str(home), "PIP_NO_INPUT": "1", "UV_NO_CONFIG": "1"}
    done = subprocess.run(list(map(str, argv)), env=env, capture_output=True, text=True, check=False, timeout=120)
    assert done.returncode == 0, done.stderr


def test_pip(index: IndexServer, tmp_path: Path) -> None:
    pip = (sys.executable, "-m", "pip", "--disable-pip-version-check")
    run(tmp_path, *pip, "install", "--index-url", index.simple, "--target", tmp_path / "t", "sample-lib")
    assert installed(tmp_path / "t") == f"BUILD = {LAST}\n"
    run(tmp_path, *pip, "download", "--index-url", index.simple, "-d", tmp_path / "d", "sample-lib==1.0")
    (file,) = (tmp_path / "d").iterdir()
    assert number_of(file.name) == LAST
    with zipfile.ZipFile(file) as wheel:
        assert wheel.read("sample_lib.py") == f"BUILD = {LAST}\n".encode()


def test_uv(index: IndexServer, tmp_path: Path) -> None:
    uv = (Path(sys.executable).with_name("uv"), "pip", "install", "--python", sys.executable)
    run(tmp_path, *uv, "--cache-dir", tmp_path / "c", "--default-index", index.simple, "--target", tmp_path / "t",
        "sample-lib==1.0")  # fmt: skip
    assert installed(tmp_path / "t") == f"BUILD = {LAST}\n"


def test_farms_own_locks(index: IndexServer, tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv("UV_CACHE_DIR", str(tmp_path / "uv-cache"))
    target = Target(platform="linux/amd64", interpreter="cp311")
    (pin,) = resolve(["sample-lib"], target=target, indexes=Indexes(index.simple), work=tmp_path)
    assert number_of(pin.filename) == LAST
