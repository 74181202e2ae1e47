"""A source that does not want to be patched."""

from __future__ import annotations

import subprocess
from typing import TYPE_CHECKING

import pytest

from farm.ecosystems.patches import PATCHES, patch_steps
from farm.model.plan import Patch
from tests.fixtures_maven import plan_of
from tests.fixtures_source import MemoryVault

if TYPE_CHECKING:
    from pathlib import Path

PATCH = b"""diff --git a/pom.xml b/pom.xml
--- a/pom.xml
+++ b/pom.xml
@@ -1 +1 @@
-old
+new
"""


@pytest.mark.parametrize("setting", ["worktree = {0}", "worktree = /", "bare = true"])
def test_a_repository_in_the_source_does_not_keep_a_patch_off(tmp_path: Path, setting: str) -> None:
    """The provenance says of every patch that it was applied: git's own success has to mean it."""
    source, work = tmp_path / "source", tmp_path / "work"
    work.mkdir()
    for folder in (".git/objects", ".git/refs"):
        (source / folder).mkdir(parents=True)
    (source / ".git/HEAD").write_text("ref: refs/heads/main\n")
    (source / ".git/config").write_text(f"[core]\n\trepositoryformatversion = 0\n\t{setting.format(tmp_path)}\n")
    (source / "pom.xml").write_text("old\n")
    vault = MemoryVault()
    plan = plan_of(patches=(Patch(name="fix.patch", blob=vault.put_bytes(PATCH)),))
    (mount,), (step,) = patch_steps(plan, vault, work)
    argv = [word.replace(PATCHES, str(mount.source)) for word in step.argv]
    subprocess.run(argv, cwd=source, env={"PATH": "/usr/bin:/bin", **step.env}, check=True)
    assert (source / "pom.xml").read_text() == "new\n"
