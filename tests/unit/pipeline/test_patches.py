from __future__ import annotations

import os
from typing import TYPE_CHECKING, cast
from unittest.mock import Mock, create_autospec

import pytest

from farm.errors import RecipeError
from farm.model.base import BlobRef, sha256_bytes
from farm.pipeline import patches as module
from farm.pipeline.patches import store_patches
from farm.store.vault import S3Vault

if TYPE_CHECKING:
    from pathlib import Path


@pytest.fixture
def folder(tmp_path: Path) -> Path:
    """Give the folder of a recipe with one patch."""
    (tmp_path / "patches").mkdir()
    (tmp_path / "patches" / "a.patch").write_bytes(b"the patch")
    return tmp_path


@pytest.fixture
def vault() -> Mock:
    found = create_autospec(S3Vault, instance=True)
    found.put_bytes.side_effect = lambda data: BlobRef(sha256=sha256_bytes(data), size=len(data))
    return cast("Mock", found)


def test_patches_go_into_the_vault_by_name(folder: Path, vault: Mock) -> None:
    found = store_patches(vault, folder, ["a.patch"])
    assert found == {"a.patch": BlobRef(sha256=sha256_bytes(b"the patch"), size=9)}
    vault.put_bytes.assert_called_once_with(b"the patch")


def test_what_is_no_regular_file_is_refused(folder: Path, vault: Mock) -> None:
    place = folder / "patches"
    (place / "link.patch").symlink_to(place / "a.patch")
    (place / "dangling.patch").symlink_to(place / "absent")
    os.mkfifo(place / "pipe.patch")
    (place / "folder.patch").mkdir()
    for name in ("link.patch", "dangling.patch", "pipe.patch", "folder.patch"):
        with pytest.raises(RecipeError, match=f"patches/{name} is no regular file"):
            store_patches(vault, folder, [name])
    with pytest.raises(RecipeError, match="is not there"):
        store_patches(vault, folder, ["absent.patch"])
    vault.put_bytes.assert_not_called()


def test_a_patch_that_is_too_large_is_refused(folder: Path, vault: Mock, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(module, "_LIMIT", 8)
    with pytest.raises(RecipeError, match="larger than 8 bytes"):
        store_patches(vault, folder, ["a.patch"])
