"""Builds that misbehave: each stops with an exit code of its own, says what it was, and publishes nothing."""

from __future__ import annotations

import stat
import zipfile
from concurrent.futures import Future, ThreadPoolExecutor
from dataclasses import dataclass, field
from pathlib import Path
from typing import TYPE_CHECKING, Any

import pytest

from farm.errors import (
    BuildFailedError,
    FarmError,
    GuardError,
    PackageTestError,
    SandboxDiskError,
    SandboxMemoryError,
    SandboxPidsError,
    SandboxTimeoutError,
    UnsafeArchiveError,
)

from .packages import GOOD, add

if TYPE_CHECKING:
    from collections.abc import Iterator, Mapping

    from .homes import Done, FarmHome

pytestmark = [pytest.mark.docker, pytest.mark.services]

LINK = (stat.S_IFLNK | 0o777) << 16


def body(*lines: str) -> str:
    """Return a behave.py with these lines as its `build`."""
    return "def build(folder, wheel):\n" + "".join(f"    {line}\n" for line in lines)


@dataclass(frozen=True)
class Case:
    """A package that must not come through."""

    kind: type[FarmError]
    words: tuple[str, ...]
    """What the message must name."""
    behave: str = GOOD
    logged: str = ""
    """What the log that the error names must hold."""
    remedy: str = ""
    limits: Mapping[str, int] = field(default_factory=dict)
    recipe: Mapping[str, Any] = field(default_factory=dict)


CASES = {
    "opens-socket": Case(
        BuildFailedError,
        ("python/opens-socket@1.0", "Network is unreachable"),
        body("import socket", "socket.create_connection(('192.0.2.1', 443), 30)", "return wheel(folder)"),
        logged="socket.create_connection",
    ),
    "takes-time": Case(
        SandboxTimeoutError,
        ("python/takes-time@1.0", "6 s"),
        body("import time", "time.sleep(600)"),
        remedy="limits.time_seconds",
        limits={"time_seconds": 6},
    ),
    "takes-memory": Case(
        SandboxMemoryError,
        ("python/takes-memory@1.0", "128 MiB"),
        body("kept = [bytearray(b'x' * 2**20) for _ in range(2000)]"),
        remedy="limits.memory_mb",
        limits={"memory_mb": 128, "disk_mb": 64},
    ),
    "takes-disk": Case(
        SandboxDiskError,
        ("python/takes-disk@1.0", "64 MiB"),
        body("out = open('/tmp/large', 'wb')", "for _ in range(200): out.write(bytes(2**20)), out.flush()"),
        remedy="limits.disk_mb",
        limits={"disk_mb": 64},
    ),
    "takes-pids": Case(
        SandboxPidsError,
        ("python/takes-pids@1.0", "32 processes"),
        body("import subprocess", "kept = [subprocess.Popen(['sleep', '600']) for _ in range(100)]"),
        remedy="limits.pids",
        limits={"pids": 32},
    ),
    "wrong-name": Case(GuardError, ("lookalike", "wrong-name"), body("return wheel(folder, name='lookalike')")),
    "wrong-version": Case(GuardError, ("6.6", "1.0"), body("return wheel(folder, version='6.6')")),
    "two-wheels": Case(
        GuardError,
        ("exactly one wheel", "two_wheels-1.0-", "two_wheels-2.0-"),
        body("wheel(folder, version='2.0')", "return wheel(folder)"),
    ),
    "not-native": Case(
        GuardError,
        ("not_native-1.0-py3-none-any.whl", "cp311-cp311-linux", "a native package came out pure"),
        recipe={"build": {"image": "python311", "tags": "cp311-cp311-linux"}},
    ),
    "climbs-out": Case(
        UnsafeArchiveError,
        ("climbs_out-1.0-py3-none-any.whl", "../../evil.py"),
        body("return wheel(folder, more=[('../../evil.py', b'1')])"),
    ),
    "holds-link": Case(
        UnsafeArchiveError,
        ("holds_link-1.0-py3-none-any.whl", "evil"),
        body(f"return wheel(folder, more=[('evil', b'/etc/passwd')], attributes={LINK})"),
    ),
    "fails-test": Case(
        PackageTestError,
        ("python/fails-test@1.0", "it is broken"),
        logged="it is broken",
        recipe={"test": {"command": ["python", "-c", "raise SystemExit('it is broken')"]}},
    ),
    "fails-import": Case(
        PackageTestError,
        ("python/fails-import@1.0", "no_such_module"),
        logged="no_such_module",
        recipe={"test": {"imports": ["no_such_module"]}},
    ),
}


@pytest.fixture(scope="module")
def builds(home: FarmHome) -> Iterator[dict[str, Future[Done]]]:
    """The builds of all cases, two at a time."""

    def build(name: str) -> Done:
        case = CASES[name]
        package = add(home, name, behave=case.behave, **case.recipe)
        if case.limits:
            # Limits change neither lock nor result: they are set when the lock is there.
            package.write(limits=dict(case.limits))
        return home.build(package.reference)

    pool = ThreadPoolExecutor(2)
    assert home.runtime.vault  # made once, before there are threads
    yield {name: pool.submit(build, name) for name in CASES}
    pool.shutdown(cancel_futures=True)


@pytest.mark.parametrize("name", CASES)
def test_a_build_that_misbehaves(home: FarmHome, builds: dict[str, Future[Done]], name: str) -> None:
    case = CASES[name]
    error = builds[name].result().failed(case.kind, *case.words)
    assert case.remedy in error["remedy"]
    if case.logged:
        assert case.logged in Path(error["details"]["log"]).read_text(encoding="utf-8")
    assert home.page(name) is None


def test_builds_that_failed_leave_nothing_behind(home: FarmHome, builds: dict[str, Future[Done]]) -> None:
    for future in builds.values():
        future.result()
    home.nothing_is_left()
    root = home.data / "s3" / "farm-repository"
    assert not [path for path in root.rglob("*") for name in CASES if name in str(path).replace("_", "-")]


def test_a_build_sees_neither_the_environment_nor_the_home_of_the_host(home: FarmHome, tmp_path: Path) -> None:
    secret, marker = "s3cr3t-of-the-host", "farm-test-marker"
    user = tmp_path / "user"
    user.mkdir()
    (user / marker).write_text(secret)
    behave = body(
        "import json, os",
        f"found = [os.path.join(d, n) for d, _, names in os.walk('/') for n in names if n == {marker!r}]",
        f"for path in ({str(user / marker)!r}, '/proc/1/environ'):",
        "    try: found.append(open(path).read())",
        "    except OSError: pass",
        "seen = json.dumps({'env': dict(os.environ), 'found': found, 'home': os.listdir(os.path.expanduser('~'))})",
        "print('seen', seen)",
        "return wheel(folder, more=[('looks_around.json', seen.encode())])",
    )
    package = add(home, "looks-around", behave=behave)
    env = {"HOME": str(user), "HOST_SECRET": secret, "AWS_SECRET_ACCESS_KEY": secret}
    outcome = home.build(package.reference, env=env).ok().data
    with zipfile.ZipFile(home.published(outcome["files"][0]["filename"])) as wheel:
        text = wheel.read("looks_around.json").decode()
    assert '"found": []' in text
    assert '"home": []' in text
    for word in (secret, "HOST_SECRET", "AWS_", str(user)):
        assert word not in text


def test_people_read_what_happened_and_what_to_do(home: FarmHome) -> None:
    package = add(home, "for-people", behave=body("raise RuntimeError('this backend is broken')"))
    done = home.farm("build", package.reference)
    assert done.code == BuildFailedError.exit_code
    assert "BuildFailedError" in done.err
    assert "this backend is broken" in done.err
    assert f"→ {BuildFailedError.default_remedy}" in done.err
    assert "site-packages/farm" not in done.err
    assert not done.out
