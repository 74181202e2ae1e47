"""What is published hangs on what it contains: other inputs that lead to the same content lead to the same bytes."""

from __future__ import annotations

from typing import TYPE_CHECKING

import pytest

from farm.ecosystems.python.ecosystem import PythonEcosystem
from farm.evidence.documents import embedded
from farm.model.lock import LockedFile
from farm.model.plan import BuildSpec, Patch
from farm.pipeline.documents import component_facts
from tests.fixtures_python import plan_of, wheel_files, write_wheel

from .test_projects import BASE

if TYPE_CHECKING:
    from pathlib import Path

    from farm.model.build import Artifact
    from farm.model.lock import Lock
    from farm.model.plan import BuildPlan
    from farm.model.source import SourceSnapshot

    from .conftest import Bench

pytestmark = pytest.mark.docker
PYTHON = PythonEcosystem()
PATCH = """\
--- a/tests/data.txt
+++ b/tests/data.txt
@@ -1 +1 @@
-data
+other
"""


def helper(bench: Bench, folder: Path, version: str) -> LockedFile:
    """Put a build requirement that nothing uses into the vault."""
    name = f"helper-{version}-py3-none-any.whl"
    ref = bench.vault.put_file(write_wheel(folder, wheel_files("helper", version), name))
    return LockedFile(
        filename=name,
        name="helper",
        version=version,
        sha256=ref.sha256,
        size=ref.size,
        origin="index",
        roles=("build",),
        purl=f"pkg:pypi/helper@{version}",
    )


def finished(bench: Bench, plan: BuildPlan, snapshot: SourceSnapshot, lock: Lock) -> Artifact:
    """Build and finish with the documents that farm embeds."""
    result = bench.build(plan, snapshot, lock)
    (artifact,) = PYTHON.finish(
        plan, snapshot, result, lambda a: embedded(component_facts(plan, snapshot, a)), bench.context()
    )
    return artifact


def test_other_inputs_with_equal_output_give_equal_bytes(bench: Bench, tmp_path: Path) -> None:
    plan = plan_of("sample", "1.0")
    snapshot = bench.project({**BASE, "tests/data.txt": "data\n"})
    lock = PYTHON.resolve(plan, snapshot, bench.context())
    locks = [lock.model_copy(update={"files": (helper(bench, tmp_path, v),)}) for v in ("1.0", "2.0")]
    plain, one, two = (finished(bench, plan, snapshot, each) for each in (lock, *locks))
    assert plain.blob == one.blob == two.blob

    patch = Patch(name="fix.patch", blob=bench.vault.put_bytes(PATCH.encode()))
    build = BuildSpec(image="python311", patches=(patch,))
    patched = plan.model_copy(update={"build": build, "recipe_digest": "1" * 64})
    assert finished(bench, patched, snapshot, lock).blob == plain.blob, "what is patched is not in the wheel"
