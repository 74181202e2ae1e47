from __future__ import annotations

from typing import TYPE_CHECKING

import pytest

from farm.ecosystems.python.ecosystem import PythonEcosystem
from farm.errors import PatchError
from farm.model.plan import BuildSpec, Patch, TestSpec
from tests.fixtures_python import plan_of

if TYPE_CHECKING:
    from farm.model.lock import Lock
    from farm.model.plan import BuildPlan
    from tests.integration.python.conftest import Bench

pytestmark = pytest.mark.docker

BACKEND = """\
import zipfile
from sample import VALUE

def build_wheel(out, config_settings=None, metadata_directory=None):
    name = "sample-1.0-py3-none-any.whl"
    info = "sample-1.0.dist-info"
    with zipfile.ZipFile(f"{out}/{name}", "w") as wheel:
        wheel.writestr("sample.py", f"VALUE = {VALUE!r}\\n")
        wheel.writestr(f"{info}/METADATA", "Metadata-Version: 2.1\\nName: sample\\nVersion: 1.0\\n")
        wheel.writestr(f"{info}/WHEEL", "Wheel-Version: 1.0\\nRoot-Is-Purelib: true\\nTag: py3-none-any\\n")
        wheel.writestr(f"{info}/RECORD", "")
    return name

def prepare_metadata_for_build_wheel(folder, config_settings=None):
    import os
    os.mkdir(f"{folder}/sample-1.0.dist-info")
    with open(f"{folder}/sample-1.0.dist-info/METADATA", "w") as stream:
        stream.write("Metadata-Version: 2.1\\nName: sample\\nVersion: 1.0\\n")
    return "sample-1.0.dist-info"
"""
FILES = {
    "pyproject.toml": (
        '[build-system]\nrequires = ["no-such-backend"]\nbuild-backend = "backend"\nbackend-path = ["."]\n'
    ),
    "backend.py": BACKEND,
    "sample.py": "# one\n# two\nVALUE = 'as it is'\n# four\n",
}
REQUIRES = """\
--- a/pyproject.toml
+++ b/pyproject.toml
@@ -1,4 +1,4 @@
 [build-system]
-requires = ["no-such-backend"]
+requires = []
 build-backend = "backend"
 backend-path = ["."]
"""
VALUE = """\
--- a/sample.py
+++ b/sample.py
@@ -1,4 +1,4 @@
 # one
 # two
-VALUE = 'as it is'
+VALUE = 'patched'
 # four
"""


def patched(bench: Bench, *patches: str) -> BuildPlan:
    named = tuple(
        Patch(name=f"{number}.patch", blob=bench.vault.put_bytes(text.encode()))
        for number, text in enumerate(patches, start=1)
    )
    spec = BuildSpec(image="python311", patches=named)
    return plan_of("sample", "1.0", build=spec, test=TestSpec(command=("python", "-c", "import sample")))


def test_patches_are_applied_before_the_lock_and_in_the_build(bench: Bench) -> None:
    snapshot = bench.project(FILES)
    again = VALUE.replace("'as it is'", "'patched'", 1).replace("+VALUE = 'patched'", "+VALUE = 'twice'")
    plan = patched(bench, REQUIRES, VALUE, again)
    lock: Lock = PythonEcosystem().resolve(plan, snapshot, bench.context())
    assert lock.requirements["build"] == (), "what the patched pyproject.toml says"
    result = bench.build(plan, snapshot, lock)
    assert [argv[-1] for argv in result.commands[:3]] == ["/patches/1.patch", "/patches/2.patch", "/patches/3.patch"]
    assert b"VALUE = 'twice'" in bench.vault.read(result.artifacts[0].blob)


@pytest.mark.parametrize(
    ("patch", "reason"),
    [
        (VALUE.replace("# two", "# 2"), "patch does not apply"),
        (VALUE.replace("sample.py", "absent.py"), "No such file"),
        ("--- /dev/null\n+++ b/../work/x.py\n@@ -0,0 +1 @@\n+x\n", "invalid path"),
        ("no patch at all\n", "No valid patches"),
    ],
)
def test_a_patch_that_does_not_fit_is_named(bench: Bench, patch: str, reason: str) -> None:
    plan = patched(bench, REQUIRES, patch)
    with pytest.raises(PatchError, match=r"patch 2\.patch does not fit the source") as caught:
        PythonEcosystem().resolve(plan, bench.project(FILES), bench.context())
    assert reason in caught.value.message
