"""A real C extension from the configured index, all the way, twice."""

from __future__ import annotations

from typing import TYPE_CHECKING

import pytest

from farm.ecosystems.python.ecosystem import PythonEcosystem
from farm.ecosystems.python.locate import fetch_locked
from farm.errors import GuardError, InputDigestError
from farm.model.plan import ArchivePin, BuildSpec, TestSpec
from tests.fixtures_python import plan_of

if TYPE_CHECKING:
    from .conftest import Bench

pytestmark = pytest.mark.docker
PYTHON = PythonEcosystem()


def test_markupsafe(bench: Bench) -> None:
    plan = plan_of(
        "markupsafe",
        "3.0.2",
        sha256="ee55d3edf80167e48ea11a923c7386f4669df67d7994554387f84e7d8b0a2bf0",
        build=BuildSpec(image="python311", tags="cp311-cp311-linux", requires=("setuptools==80.9.0",)),
        test=TestSpec(
            imports=("markupsafe", "markupsafe._speedups"),
            command=("python", "-m", "pytest", "-q", "tests"),
            requires=("pytest==8.4.2",),
        ),
    )
    assert isinstance(plan.source, ArchivePin)
    snapshot = bench.sdist(plan.source)
    lock = PYTHON.resolve(plan, snapshot, bench.context())
    assert [(f.name, f.version) for f in lock.with_role("build", "backend")] == [("setuptools", "80.9.0")]
    assert "pytest" in {f.name for f in lock.with_role("test")}
    assert lock == PYTHON.resolve(plan, snapshot, bench.context())

    first, second = (bench.build(plan, snapshot, lock) for _ in range(2))
    assert first.artifacts == second.artifacts
    notes = {note.name for note in PYTHON.inspect(plan, first, bench.context())}
    assert "native" in notes
    artifact = bench.finish(plan, snapshot, first)
    assert artifact.blob == bench.finish(plan, snapshot, second).blob
    assert artifact.filename.startswith("markupsafe-3.0.2-cp311-cp311-manylinux")
    assert PYTHON.test(plan, snapshot, lock, first, (artifact,), bench.context()).result == "passed"

    pure = plan.model_copy(update={"build": plan.build.model_copy(update={"tags": "py3-none-any"})})
    with pytest.raises(GuardError, match="expects the tags"):
        PYTHON.inspect(pure, first, bench.context())
    file = lock.files[0]
    forged = file.model_copy(update={"sha256": "0" * 64})
    with pytest.raises(InputDigestError):
        fetch_locked(forged, bench.folder / "forged", bench.settings, "")
    fetch_locked(file, bench.folder / file.filename, bench.settings, "")
