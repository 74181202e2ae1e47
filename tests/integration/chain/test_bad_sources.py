"""Sources and locks that are not what was pinned: refused before anything runs, and nothing is published."""

from __future__ import annotations

import hashlib
import json
import re
from typing import TYPE_CHECKING

import pytest

from farm.errors import (
    CommitNotFoundError,
    FarmError,
    InputDigestError,
    InputMissingError,
    LockMissingError,
    LockStaleError,
    SourceDigestError,
    SourceUnavailableError,
    SourceUnsafeError,
    TagMovedError,
)
from tests.fixtures_python import wheel_files, write_wheel
from tests.fixtures_source import tar_of

from .packages import add, tree

if TYPE_CHECKING:
    from pathlib import Path
    from typing import Any

    from tests.fixtures_python import IndexDouble

    from .homes import FarmHome
    from .packages import Package

pytestmark = [pytest.mark.docker, pytest.mark.services]


def refused(package: Package, kind: type[FarmError], *words: str) -> dict[str, Any]:
    """Build, expect the error, and see that nothing came of it."""
    error = package.home.build(package.reference).failed(kind, *words)
    assert package.home.page(package.name) is None
    package.home.nothing_is_left()
    return error


# --- git -------------------------------------------------------------------------------------------------------------


def test_a_commit_that_the_repository_does_not_have(home: FarmHome) -> None:
    package = add(home, "no-commit", lock=False)
    package.write(versions={"1.0": {"commit": "3f0c2a9d5b7e4c1f8a6d9e2b0c4f7a1d3e5b8c60"}})
    refused(package, CommitNotFoundError, "/no-commit", "3f0c2a9d5b7e4c1f8a6d9e2b0c4f7a1d3e5b8c60")


@pytest.mark.parametrize("annotated", [False, True])
def test_a_tag_that_points_elsewhere(home: FarmHome, annotated: bool) -> None:  # noqa: FBT001 - a parameter of pytest
    package = add(home, f"tag-{'annotated' if annotated else 'plain'}", tagged=True, lock=False)
    pinned = package.repo.git("rev-parse", "HEAD")
    moved = package.repo.commit({"behave.py": "raise SystemExit('this was never reviewed')\n"})
    package.repo.git("tag", "--force", *(("-m", "moved", "-a") if annotated else ()), "v1.0")
    error = refused(package, TagMovedError, "v1.0", moved, pinned)
    assert error["details"] == {"tag": "v1.0", "expected": pinned, "found": moved}


def test_a_tag_that_is_gone(home: FarmHome) -> None:
    package = add(home, "tag-gone", tagged=True, lock=False)
    package.repo.git("tag", "-d", "v1.0")
    refused(package, TagMovedError, "v1.0", "/tag-gone")


def test_a_repository_that_cannot_be_reached(home: FarmHome) -> None:
    package = add(home, "no-repository", lock=False)
    package.repo.path.rename(package.repo.path.with_name("elsewhere"))
    error = refused(package, SourceUnavailableError, "/no-repository")
    assert error["infrastructure"] is True


def test_the_way_to_a_repository_is_the_users_own_git_configuration(home: FarmHome, tmp_path: Path) -> None:
    package = add(home, "by-instead-of", lock=False)
    package.write(source={"git": "https://mirror.example.test/by-instead-of"})
    config = {
        "GIT_CONFIG_COUNT": "1",
        "GIT_CONFIG_KEY_0": f"url.{package.repo.path.parent}/.insteadOf",
        "GIT_CONFIG_VALUE_0": "https://mirror.example.test/",
    }
    done = home.farm("lock", package.reference, "--json", env=config).ok().data
    assert (done["files"], done["same"]) == (0, False)
    outcome = home.build(package.reference, env=config).ok().data
    assert outcome["source_uri"].startswith("git+https://mirror.example.test/by-instead-of@")
    assert str(package.repo.path.parent) not in json.dumps(outcome)
    assert home.download("by-instead-of", tmp_path).is_file()


# --- archives --------------------------------------------------------------------------------------------------------


def serve_sdist(upstream: IndexDouble, name: str, archive: bytes = b"") -> bytes:
    """Put the sdist of a package on the upstream index."""
    data = archive or tar_of(*((f"{name}-1.0/{path}", text.encode()) for path, text in tree(name, "1.0").items()))
    upstream.projects[name] = {f"{name}-1.0.tar.gz": data}
    return data


@pytest.mark.parametrize("kind", ["pypi-sdist", "url"])
def test_an_archive_that_is_not_the_pinned_one(home: FarmHome, upstream: IndexDouble, kind: str) -> None:
    name = f"archive{len(kind)}"
    data = serve_sdist(upstream, name)
    url = f"http://127.0.0.1:{upstream.port}/files/{name}-{{version}}.tar.gz"
    archive = {"pypi-sdist": name} if kind == "pypi-sdist" else {"url": url}
    actual = hashlib.sha256(data).hexdigest()
    package = add(home, name, lock=False, source={"archive": archive}, versions={"1.0": {"sha256": "a" * 64}})
    refused(package, SourceDigestError, f"{name}-1.0.tar.gz", "a" * 64, actual)

    package.write(versions={"1.0": {"sha256": actual}}).locked()
    outcome = home.build(package.reference).ok().data
    assert outcome["source_strength"] == "archive"
    # What is in the vault now is taken from there: a change at the source makes no difference any more.
    serve_sdist(upstream, name, b"something else")
    assert home.build(package.reference).ok().data["reused"] is True


def test_an_archive_that_would_leave_its_folder(home: FarmHome, upstream: IndexDouble) -> None:
    data = serve_sdist(upstream, "climber", tar_of(("climber-1.0/../../evil.py", b"")))
    package = add(
        home,
        "climber",
        lock=False,
        source={"archive": {"pypi-sdist": "climber"}},
        versions={"1.0": {"sha256": hashlib.sha256(data).hexdigest()}},
    )
    refused(package, SourceUnsafeError, "evil.py")


# --- locks -----------------------------------------------------------------------------------------------------------


def test_a_lock_that_is_missing(home: FarmHome) -> None:
    package = add(home, "no-lock", lock=False)
    error = refused(package, LockMissingError, "python/no-lock@1.0")
    assert "farm lock python/no-lock@1.0" in error["remedy"]


def test_a_lock_that_was_made_for_something_else(home: FarmHome) -> None:
    package = add(home, "stale-lock")
    commit = package.repo.commit({"more.py": ""})
    package.write(versions={"1.0": {"commit": commit}})
    error = refused(package, LockStaleError, "python/stale-lock@1.0", "the source tree")
    assert "farm lock python/stale-lock@1.0" in error["remedy"]
    assert home.farm("lock", "--check", package.reference, "--json").code == LockStaleError.exit_code
    home.farm("lock", package.reference, "--json").ok()
    home.farm("lock", "--check", package.reference, "--json").ok()

    package.write(build={**package.recipe["build"], "requires": ["setuptools==80.9.0"]})
    refused(package, LockStaleError, "build.requires", "setuptools==80.9.0")


def serve_helper(upstream: IndexDouble, folder: Path) -> bytes:
    """Put a build requirement on the upstream index."""
    path = write_wheel(folder, wheel_files("helper"), "helper-1.0-py3-none-any.whl")
    upstream.projects["helper"] = {path.name: path.read_bytes()}
    return path.read_bytes()


def test_a_lock_whose_file_is_not_what_the_index_has(home: FarmHome, upstream: IndexDouble, tmp_path: Path) -> None:
    data = serve_helper(upstream, tmp_path)
    package = add(home, "changed-lock", requires=["helper==1.0"])
    right = hashlib.sha256(data).hexdigest()
    text = package.lock_path.read_text(encoding="utf-8")
    assert right in text
    package.lock_path.write_text(text.replace(right, "b" * 64), encoding="utf-8")
    refused(package, InputDigestError, "helper-1.0-py3-none-any.whl", "b" * 64, right)

    # An index that changes the file, and says so, does no better: another farm fetches what this one has in its vault.
    package.lock_path.write_text(text, encoding="utf-8")
    home.blob(right).unlink()
    home.disk_changed()
    upstream.projects["helper"]["helper-1.0-py3-none-any.whl"] = bytes(len(data))
    upstream.stated["helper-1.0-py3-none-any.whl"] = right
    refused(package, InputDigestError, "helper-1.0-py3-none-any.whl", right)
    del upstream.projects["helper"]["helper-1.0-py3-none-any.whl"]
    refused(package, InputMissingError, "helper-1.0-py3-none-any.whl")

    upstream.stated.clear()
    serve_helper(upstream, tmp_path)
    outcome = home.build(package.reference).ok().data
    assert [re.sub(r"-.*", "", file["filename"]) for file in outcome["inputs"]] == ["helper"]


def test_a_name_that_the_farm_builds_is_never_taken_from_upstream(
    home: FarmHome, upstream: IndexDouble, tmp_path: Path
) -> None:
    """The way in of dependency confusion: somebody claims an internal name in public, with a higher version."""
    home.build(add(home, "own-lib").reference).ok()
    claimed = write_wheel(tmp_path, wheel_files("own_lib", "99.0"), "own_lib-99.0-py3-none-any.whl")
    upstream.projects["own-lib"] = {claimed.name: claimed.read_bytes()}
    package = add(home, "needs-own-lib", requires=["own-lib"])
    (file,) = home.build(package.reference).ok().data["inputs"]
    assert (file["filename"], file["origin"]) == ("own_lib-1.0-py3-none-any.whl", "farm")
    page = home.page("own-lib")
    assert page is not None
    assert file["sha256"] == page["files"][0]["hashes"]["sha256"]
