"""Builds that misbehave: each stops with an exit code of its own, says what it was, and publishes nothing."""

from __future__ import annotations

import stat
import zipfile
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

from .packages import add

if TYPE_CHECKING:
    from pathlib import Path

    from .homes import FarmHome
    from .packages import Package

pytestmark = [pytest.mark.docker, pytest.mark.services]

LINK = (stat.S_IFLNK | 0o777) << 16


def refused(package: Package, kind: type[FarmError], *words: str) -> dict[str, Any]:
    """Build, expect the error, and see that nothing came of it."""
    error = package.home.build(package.reference).failed(kind, *words)
    assert package.home.page(package.name) is None
    package.home.nothing_is_left()
    return error


def logged(home: FarmHome, error: dict[str, Any]) -> str:
    """Return the build log that an error names."""
    return home.blob(error["details"]["log"]).read_text(encoding="utf-8")


def body(*lines: str) -> str:
    """Return a behave.py with these lines as its `build`."""
    return "def build(folder, wheel):\n" + "".join(f"    {line}\n" for line in lines)


def test_a_build_that_opens_a_socket_fails(home: FarmHome) -> None:
    behave = body("import socket", "socket.create_connection(('192.0.2.1', 443), 30)", "return wheel(folder)")
    package = add(home, "opens-socket", behave=behave)
    error = refused(package, BuildFailedError, "python/opens-socket@1.0", "Network is unreachable")
    assert error["details"]["step"] == "build"
    assert "socket.create_connection" in logged(home, error)
    assert "Network is unreachable" in logged(home, error)


def test_a_build_that_asks_for_a_name_fails(home: FarmHome) -> None:
    behave = body("import socket", "socket.getaddrinfo('index.example.test', 443)", "return wheel(folder)")
    refused(add(home, "asks-name", behave=behave), BuildFailedError, "python/asks-name@1.0", "gaierror")


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
    package = add(home, "looks-around", behave=behave, test={"imports": ["looks_around"]})
    env = {"HOME": str(user), "HOST_SECRET": secret, "AWS_SECRET_ACCESS_KEY": secret}
    outcome = home.build(package.reference, env=env).ok().data
    with zipfile.ZipFile(home.published(outcome["files"][0]["filename"])) as wheel:
        text = wheel.read("looks_around.json").decode()
    assert secret not in text
    assert '"found": []' in text
    assert '"home": []' in text
    assert "HOST_SECRET" not in text
    assert str(user) not in text


@pytest.mark.parametrize(
    ("name", "limits", "lines", "kind", "word"),
    [
        ("takes-time", {"time_seconds": 6}, ["import time", "time.sleep(600)"], SandboxTimeoutError, "6 s"),
        (
            "takes-memory",
            {"memory_mb": 128, "disk_mb": 64},
            ["kept = [bytearray(b'x' * 2**20) for _ in range(2000)]"],
            SandboxMemoryError,
            "128 MiB",
        ),
        (
            "takes-disk",
            {"disk_mb": 64},
            ["out = open('/tmp/large', 'wb')", "for _ in range(200): out.write(bytes(2**20)), out.flush()"],
            SandboxDiskError,
            "64 MiB",
        ),
        (
            "takes-pids",
            {"pids": 32},
            ["import subprocess", "kept = [subprocess.Popen(['sleep', '600']) for _ in range(100)]"],
            SandboxPidsError,
            "32 processes",
        ),
    ],
)
def test_a_build_that_runs_into_a_limit(
    home: FarmHome, name: str, limits: dict[str, int], lines: list[str], kind: type[FarmError], word: str
) -> None:
    package = add(home, name, behave=body(*lines, "return wheel(folder)"))
    # Limits change neither lock nor result: they are set when the lock is there.
    package.write(limits=limits)
    error = refused(package, kind, f"python/{name}@1.0", word)
    assert "limits." in error["remedy"]


@pytest.mark.parametrize(
    ("name", "lines", "words"),
    [
        ("wrong-name", ["return wheel(folder, name='lookalike')"], ["lookalike", "wrong-name"]),
        ("wrong-version", ["return wheel(folder, version='6.6')"], ["6.6", "1.0"]),
        ("two-wheels", ["wheel(folder, version='2.0')", "return wheel(folder)"], ["exactly one wheel", "two_wheels-2.0"]),
        ("no-wheel", ["open(folder + '/x.txt', 'w').close()", "return 'x.txt'"], ["exactly one wheel", "x.txt"]),
        ("holds-bytecode", ["return wheel(folder, more=[('a.pyc', b'')])"], ["bytecode", "a.pyc"]),
        ("foreign-code", ["return wheel(folder, more=[('a.so', b'\\x7fELF' + bytes(99))])"], ["native code", "a.so"]),
    ],
)
def test_what_is_built_is_not_what_the_recipe_says(
    home: FarmHome, name: str, lines: list[str], words: list[str]
) -> None:
    refused(add(home, name, behave=body(*lines)), GuardError, *words)


def test_a_native_package_that_comes_out_pure(home: FarmHome) -> None:
    package = add(home, "not-native", build={"image": "python311", "tags": "cp311-cp311-linux"})
    refused(package, GuardError, "cp311-cp311-linux", "a native package came out pure")


@pytest.mark.parametrize(
    ("name", "more", "word"),
    [
        ("climbs-out", "more=[('../../evil.py', b'1')]", "../../evil.py"),
        ("absolute-path", "more=[('/etc/evil', b'1')]", "/etc/evil"),
        ("holds-link", f"more=[('evil', b'/etc/passwd')], attributes={LINK}", "evil"),
    ],
)
def test_a_wheel_that_would_leave_its_folder(home: FarmHome, name: str, more: str, word: str) -> None:
    package = add(home, name, behave=body(f"return wheel(folder, {more})"))
    refused(package, UnsafeArchiveError, name.replace("-", "_"), word)


@pytest.mark.parametrize(
    ("name", "test", "word"),
    [
        ("fails-test", {"command": ["python", "-c", "raise SystemExit('it is broken')"]}, "it is broken"),
        ("fails-import", {"imports": ["no_such_module"]}, "no_such_module"),
    ],
)
def test_a_package_whose_test_fails(home: FarmHome, name: str, test: dict[str, Any], word: str) -> None:
    error = refused(add(home, name, test=test), PackageTestError, f"python/{name}@1.0", word)
    assert word in logged(home, error)


def test_people_read_what_happened_and_what_to_do(home: FarmHome) -> None:
    package = add(home, "for-people", behave=body("raise RuntimeError('this backend is broken')"))
    done = home.farm("build", package.reference)
    assert done.code == BuildFailedError.exit_code
    assert "BuildFailedError" in done.err
    assert "this backend is broken" in done.err
    assert f"→ {BuildFailedError.default_remedy}" in done.err
    assert "site-packages/farm" not in done.err
    assert not done.out
