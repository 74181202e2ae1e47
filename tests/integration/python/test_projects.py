"""The whole way of small projects through real sandboxes: no index is needed, their backends lie in their trees."""

from __future__ import annotations

import zipfile
from typing import TYPE_CHECKING

import pytest

from farm.ecosystems.python.ecosystem import PythonEcosystem
from farm.ecosystems.python.guards import NO_NATIVE_CODE
from farm.errors import BuildFailedError, GuardError, PackageTestError, ResolutionError, UnsafeArchiveError
from farm.model.plan import BuildSpec, TestSpec, Waiver
from tests.fixtures_python import plan_of

if TYPE_CHECKING:
    from pathlib import Path

    from .conftest import Bench

pytestmark = pytest.mark.docker
PYTHON = PythonEcosystem()

PYPROJECT = '[build-system]\nrequires = []\nbuild-backend = "backend"\nbackend-path = ["."]\n'
BACKEND = """
import base64, hashlib, os, sys, zipfile

NAME, VERSION, TAG = "sample", "1.0", "py3-none-any"


def wheel(folder, files, name=None):
    info = f"{NAME}-{VERSION}.dist-info"
    files = dict(files)
    files[f"{info}/METADATA"] = f"Metadata-Version: 2.1\\nName: {NAME}\\nVersion: {VERSION}\\n".encode()
    pure = "true" if TAG.endswith("any") else "false"
    files[f"{info}/WHEEL"] = f"Wheel-Version: 1.0\\nRoot-Is-Purelib: {pure}\\nTag: {TAG}\\n".encode()
    rows = ""
    for path, data in files.items():
        digest = base64.urlsafe_b64encode(hashlib.sha256(data).digest()).rstrip(b"=").decode()
        rows += f"{path},sha256={digest},{len(data)}\\n"
    files[f"{info}/RECORD"] = (rows + f"{info}/RECORD,,\\n").encode()
    name = name or f"{NAME}-{VERSION}-{TAG}.whl"
    with zipfile.ZipFile(os.path.join(folder, name), "w") as out:
        for path, data in files.items():
            out.writestr(path, data)
    return name


def files():
    with open("sample/__init__.py", "rb") as source:
        return {"sample/__init__.py": source.read()}


def get_requires_for_build_wheel(config_settings=None):
    return []


def build_wheel(folder, config_settings=None, metadata_directory=None):
    return wheel(folder, files())
"""
BASE = {
    "pyproject.toml": PYPROJECT,
    "backend.py": BACKEND,
    "sample/__init__.py": "VALUE = 'from the wheel'\n",
    "tests/check.py": (
        "import sample, pathlib, sys\n"
        "assert pathlib.Path(sys.prefix) in pathlib.Path(sample.__file__).parents, sample.__file__\n"
        "assert pathlib.Path('tests/data.txt').read_text() == 'data'\n"
    ),
    "tests/data.txt": "data",
}
TEST = TestSpec(imports=("sample",), command=("python", "tests/check.py"))


def test_the_whole_way_twice_gives_the_same_bytes(bench: Bench, tmp_path: Path) -> None:
    plan = plan_of("sample", "1.0", build=BuildSpec(image="python311", tags="py3-none-any"), test=TEST)
    snapshot = bench.project(BASE)
    lock = PYTHON.resolve(plan, snapshot, bench.context())
    assert lock.files == ()
    PYTHON.check_lock(plan, snapshot, bench.image, lock)
    results = [bench.build(plan, snapshot, lock) for _ in range(2)]
    assert results[0].probe
    assert b"Successfully built" in bench.vault.read(results[0].log)
    notes = {note.name: note.value for note in PYTHON.inspect(plan, results[0], bench.context())}
    assert notes["raw-filename"] == "sample-1.0-py3-none-any.whl"
    one, other = (bench.finish(plan, snapshot, result, {"farm.spdx.json": b"{}"}) for result in results)
    assert one.blob == other.blob
    assert one.metadata is not None
    assert b"Name: sample" in bench.vault.read(one.metadata)
    path = tmp_path / one.filename
    bench.vault.fetch(one.blob, path)
    with zipfile.ZipFile(path) as wheel:
        assert "sample-1.0.dist-info/sboms/farm.spdx.json" in wheel.namelist()
    report = PYTHON.test(plan, snapshot, lock, results[0], (one,), bench.context())
    assert report.result == "passed"


def test_the_build_sees_the_locked_files_and_nothing_of_the_front_end(bench: Bench) -> None:
    """A backend that builds itself must not find the tools of the image: they would be an input that no lock names."""
    spy = """
def get_requires_for_build_wheel(config_settings=None):
    return []


def build_wheel(folder, config_settings=None, metadata_directory=None):
    import importlib.metadata, importlib.util
    tools = ("build", "packaging", "pyproject_hooks", "setuptools", "pip", "uv")
    found = [name for name in tools if importlib.util.find_spec(name)]
    found += [d.name for d in importlib.metadata.distributions()]
    assert not found, found
    allowed = {"HOME", "PATH", "LANG", "LC_ALL", "TZ", "SOURCE_DATE_EPOCH", "CFLAGS", "CXXFLAGS", "FFLAGS", "LDFLAGS",
               "RUSTFLAGS", "CARGO_NET_OFFLINE", "EXTRA", "VIRTUAL_ENV"}
    ours = ("PYTHON", "PIP_", "UV_", "_PYPROJECT_HOOKS_")
    rest = {key for key in os.environ if key not in allowed and not key.startswith(ours)}
    assert not rest, rest
    assert os.environ["EXTRA"] == "yes" and config_settings == {"key": "value"}, config_settings
    mask = os.umask(0)
    assert mask == 0o022, oct(mask)
    assert os.getcwd() == "/src"
    return wheel(folder, files())
"""
    build = BuildSpec(image="python311", env={"EXTRA": "yes"}, config_settings={"key": "value"})
    plan = plan_of("sample", "1.0", build=build)
    snapshot = bench.project({**BASE, "backend.py": BACKEND + spy})
    lock = PYTHON.resolve(plan, snapshot, bench.context())
    assert bench.build(plan, snapshot, lock).artifacts


@pytest.mark.parametrize(
    ("change", "error", "words"),
    [
        ('    wheel(folder, files(), "other-1.0-py3-none-any.whl")\n', GuardError, "exactly one wheel"),
        ('    open(os.path.join(folder, "left.txt"), "w").close()\n', GuardError, "exactly one wheel"),
        ('    return wheel(folder, {"../evil.py": b""})\n', UnsafeArchiveError, "evil"),
        ("    raise SystemExit('the compiler is missing')\n", BuildFailedError, "the compiler is missing"),
        ("    import socket; socket.create_connection(('192.0.2.1', 80))\n", BuildFailedError, "unreachable"),
        ("    os.mkdir(os.path.join(folder, 'folder'))\n", GuardError, "more than files"),
    ],
)
def test_bad_builds_are_clear_errors(bench: Bench, change: str, error: type[Exception], words: str) -> None:
    backend = BACKEND.replace("    return wheel(folder, files())\n", f"{change}    return wheel(folder, files())\n")
    plan = plan_of("sample", "1.0")
    good = bench.project(BASE)
    lock = PYTHON.resolve(plan, good, bench.context())
    snapshot = bench.project({**BASE, "backend.py": backend})
    with pytest.raises(error, match=words):
        PYTHON.inspect(plan, bench.build(plan, snapshot, lock), bench.context())


def test_a_source_of_another_version_is_seen_while_locking(bench: Bench) -> None:
    snapshot = bench.project({**BASE, "backend.py": BACKEND.replace('"1.0"', '"0.1.dev1"')})
    with pytest.raises(GuardError, match=r"0\.1\.dev1, the recipe says sample 1\.0"):
        PYTHON.resolve(plan_of("sample", "1.0"), snapshot, bench.context())


@pytest.mark.parametrize("answer", ['["evil @ https://evil.example/x.whl"]', '["--index-url=https://evil.example"]'])
def test_a_backend_cannot_steer_the_resolver(bench: Bench, answer: str) -> None:
    snapshot = bench.project({**BASE, "backend.py": BACKEND.replace("return []", f"return {answer}")})
    with pytest.raises(ResolutionError):
        PYTHON.resolve(plan_of("sample", "1.0"), snapshot, bench.context())


@pytest.mark.parametrize(
    ("tests", "words"),
    [
        (TestSpec(imports=("absent",)), "import absent"),
        (TestSpec(imports=("json",)), "not from the wheel"),
        (
            TestSpec(imports=("sample",), command=("python", "-c", "raise SystemExit('three tests failed')")),
            "three tests",
        ),
        (TestSpec(command=("no-such-command",)), "no-such-command"),
    ],
)
def test_failing_tests_are_clear_errors(bench: Bench, tests: TestSpec, words: str) -> None:
    plan = plan_of("sample", "1.0", test=tests)
    snapshot = bench.project(BASE)
    lock = PYTHON.resolve(plan, snapshot, bench.context())
    built = bench.build(plan, snapshot, lock)
    artifact = bench.finish(plan, snapshot, built)
    with pytest.raises(PackageTestError, match=words):
        PYTHON.test(plan, snapshot, lock, built, (artifact,), bench.context())


def test_a_skipped_test_says_why(bench: Bench) -> None:
    plan = plan_of("sample", "1.0", test=TestSpec(skip_reason="needs a display"))
    snapshot = bench.project(BASE)
    lock = PYTHON.resolve(plan, snapshot, bench.context())
    built = bench.build(plan, snapshot, lock)
    report = PYTHON.test(plan, snapshot, lock, built, (), bench.context())
    assert (report.result, report.reason) == ("skipped", "needs a display")


def test_native_tags_without_code_need_a_waiver(bench: Bench) -> None:
    snapshot = bench.project({**BASE, "backend.py": BACKEND.replace('"py3-none-any"', '"cp311-cp311-linux_x86_64"')})
    build = BuildSpec(image="python311", tags="cp311-cp311-linux")
    plan = plan_of("sample", "1.0", build=build)
    lock = PYTHON.resolve(plan, snapshot, bench.context())
    result = bench.build(plan, snapshot, lock)
    with pytest.raises(GuardError, match="no native code"):
        PYTHON.inspect(plan, result, bench.context())
    waived = build.model_copy(update={"waivers": (Waiver(rule=NO_NATIVE_CODE, reason="upstream does so"),)})
    PYTHON.inspect(plan.model_copy(update={"build": waived}), result, bench.context())
