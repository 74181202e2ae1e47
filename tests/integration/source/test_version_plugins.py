"""The rebuilt `.git` holds up against the real tools that ask git for a version."""

from __future__ import annotations

import os
import subprocess
import sys
from typing import TYPE_CHECKING

import pytest
from uv import find_uv_bin

from farm.model.plan import GitPin
from tests.fixtures_source import BASE

if TYPE_CHECKING:
    from pathlib import Path

    from tests.fixtures_source import GitRepo, Taker

SETUPTOOLS_SCM = """\
[build-system]
requires = ["setuptools", "setuptools-scm"]
build-backend = "setuptools.build_meta"
[project]
name = "demo"
dynamic = ["version"]
[tool.setuptools_scm]
"""
HATCH_VCS = """\
[build-system]
requires = ["hatchling", "hatch-vcs"]
build-backend = "hatchling.build"
[project]
name = "demo"
dynamic = ["version"]
[tool.hatch.version]
source = "vcs"
"""


@pytest.fixture(scope="module")
def python(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """Give the interpreter of a virtual environment with the tools, from the configured index."""
    folder = tmp_path_factory.mktemp("tools") / "venv"
    uv = find_uv_bin()
    subprocess.run([uv, "venv", "-q", "--python", sys.executable, str(folder)], check=True)
    tools = ["build", "setuptools==80.9.0", "setuptools-scm==8.3.1", "hatchling==1.27.0", "hatch-vcs==0.5.0"]
    interpreter = folder / "bin" / "python"
    subprocess.run([uv, "pip", "install", "-q", "--python", str(interpreter), *tools], check=True)
    return interpreter


def wheels(python: Path, tree: Path) -> list[str]:
    out = tree.with_name("out")
    # No identity, no home, no configuration of git: what a sandbox has.
    environment = {"PATH": f"{python.parent}:{os.defpath}", "HOME": "/nonexistent", "GIT_CONFIG_NOSYSTEM": "1"}
    command = [str(python), "-m", "build", "--wheel", "--no-isolation", "--outdir", str(out), str(tree)]
    done = subprocess.run(command, env=environment, capture_output=True, text=True, check=False)
    assert done.returncode == 0, done.stdout + done.stderr
    return sorted(path.name for path in out.iterdir())


@pytest.mark.parametrize("options", [(), ("-a", "-m", "release")], ids=["lightweight", "annotated"])
@pytest.mark.parametrize("project", [SETUPTOOLS_SCM, HATCH_VCS], ids=["setuptools-scm", "hatch-vcs"])
def test_the_version_is_that_of_the_tag(
    project: str,
    options: tuple[str, ...],
    python: Path,
    repo: GitRepo,
    taker: Taker,
) -> None:
    repo.commit({"README": "first\n"})
    repo.git("tag", "v1.0")
    # Files with other line ends and attributes, an ignored file, a mode, a link: what could make a tree look dirty.
    (repo.path / "link").symlink_to("demo/__init__.py")
    commit = repo.commit(
        {
            "pyproject.toml": project,
            "demo/__init__.py": "",
            "dos.txt": b"a\r\nb\r\n",
            ".gitattributes": "*.txt text=auto\n*.sh eol=lf\n*.id ident\n",
            ".gitignore": "build\n*.egg-info\n",
            "x.id": "$Id$\n",
            "run.sh": "#!/bin/sh\n",
        }
    )
    repo.git("tag", *options, "v1.2.3")
    repo.commit({"later": ""})
    snapshot = taker(GitPin(url=BASE + "demo", commit=commit, tag="v1.2.3"))
    (wheel,) = wheels(python, taker.unpacked(snapshot))
    assert wheel.split("-")[:2] == ["demo", "1.2.3"]
