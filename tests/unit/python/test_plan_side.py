"""What is pure: environment, commands, targets, requirements, the lock's basis."""

from __future__ import annotations

import io
import tarfile
from typing import TYPE_CHECKING

import pytest

from farm.ecosystems.python.basis import CONSTRAINTS, basis, check
from farm.ecosystems.python.environment import build_environment, commands
from farm.ecosystems.python.lock import applicable
from farm.ecosystems.python.resolver import _read_pylock, parse_requirements
from farm.ecosystems.python.source import DEFAULT_REQUIRES, build_requires
from farm.ecosystems.python.target import python_version, supported_tags
from farm.errors import BuildFailedError, GuardError, LockStaleError, RecipeError, ResolutionError
from farm.model.base import BlobRef
from farm.model.build import ImageIdentity
from farm.model.lock import Lock, LockedFile
from farm.model.plan import BuildSpec, Target, TestSpec
from farm.model.source import SourceSnapshot
from tests.fixtures_python import plan_of

if TYPE_CHECKING:
    from pathlib import Path

TARGET = Target(platform="linux/amd64", interpreter="cp311")
SNAPSHOT = SourceSnapshot(
    strength="archive", uri="u", tree_digest="1" * 64, archive=BlobRef(sha256="2" * 64, size=1), epoch=1700000000,
    files=1, size=1,
)  # fmt: skip
IMAGE = ImageIdentity(
    name="python311", image_id="sha256:x", digest="3" * 64, layers=(), definition="4" * 64, platform="linux/amd64",
    interpreter="cp311", version="3.11", base="x",
)  # fmt: skip


def test_the_fixed_environment() -> None:
    env = build_environment(plan_of("sample", "1.0"), SNAPSHOT)
    assert env["SOURCE_DATE_EPOCH"] == "1700000000"
    assert "-ffile-prefix-map=/src=." in env["CFLAGS"]
    assert {"TZ": "UTC", "LC_ALL": "C.UTF-8", "PYTHONHASHSEED": "0"}.items() <= env.items()
    assert list(env) == sorted(env)


def test_the_recipe_adds_to_flags_and_overrides_nothing() -> None:
    env = build_environment(plan_of("s", "1", build=BuildSpec(image="i", env={"CFLAGS": "-O1", "FLAG": "x"})), SNAPSHOT)
    assert env["CFLAGS"].startswith("-ffile-prefix-map")
    assert env["CFLAGS"].endswith(" -O1")
    assert env["FLAG"] == "x"
    for key in ("PATH", "SOURCE_DATE_EPOCH", "PYTHONHASHSEED", "HOME"):
        with pytest.raises(RecipeError, match=key):
            build_environment(plan_of("s", "1", build=BuildSpec(image="i", env={key: "x"})), SNAPSHOT)


def test_an_epoch_of_the_recipe_counts() -> None:
    plan = plan_of("s", "1", build=BuildSpec(image="i", source_date_epoch=400000000))
    assert build_environment(plan, SNAPSHOT)["SOURCE_DATE_EPOCH"] == "400000000"


def test_commands_are_argument_lists_with_the_settings_in_order() -> None:
    settings: dict[str, str | tuple[str, ...]] = {"z": "1", "a": ("2", "3; rm -rf /")}
    *_, build = commands(plan_of("s", "1", build=BuildSpec(image="i", config_settings=settings)))
    assert build[1:5] == ("-m", "build", "--wheel", "--no-isolation")
    assert build[-4:] == (
        "--config-setting=a=2", "--config-setting=a=3; rm -rf /", "--config-setting=z=1", "/src",
    )  # fmt: skip


@pytest.mark.parametrize(("interpreter", "version"), [("cp311", "3.11"), ("cp39", "3.9"), ("cp314", "3.14")])
def test_interpreters(interpreter: str, version: str) -> None:
    assert python_version(Target(platform="linux/amd64", interpreter=interpreter)) == version


def test_unknown_targets_are_recipe_errors() -> None:
    with pytest.raises(RecipeError, match="pypy311"):
        python_version(Target(platform="linux/amd64", interpreter="pypy311"))
    with pytest.raises(RecipeError, match="windows/amd64"):
        supported_tags(Target(platform="windows/amd64", interpreter="cp311"))


def test_tags_best_first() -> None:
    tags = [str(tag) for tag in supported_tags(TARGET)]
    order = [
        "cp311-cp311-manylinux_2_28_x86_64",
        "cp311-cp311-manylinux2014_x86_64",
        "cp311-abi3-manylinux_2_17_x86_64",
        "cp38-abi3-manylinux1_x86_64",
        "py3-none-manylinux1_x86_64",
        "cp311-none-any",
        "py3-none-any",
    ]
    assert sorted(order, key=tags.index) == order
    assert not any("musl" in tag or "aarch64" in tag for tag in tags)


@pytest.mark.parametrize(
    "line",
    ["evil @ https://evil.example/x.whl", "--index-url https://evil.example", "-r /etc/passwd", "a\nb", "./x", ""],
)
def test_foreign_requirement_lines_cannot_steer_the_resolver(line: str) -> None:
    with pytest.raises(ResolutionError):
        parse_requirements([line], "x")


def test_requirements_in_one_spelling() -> None:
    assert parse_requirements(["b >= 1", "a[y, x]==2 ; python_version<'4'", "b>=1"], "x") == (
        'a[x,y]==2; python_version < "4"',
        "b>=1",
    )


def test_only_what_applies_without_extras_is_runtime() -> None:
    lines = ["a", 'b; extra == "test"', 'c; sys_platform == "win32"', 'd; python_version >= "3.11"',
             'e @ https://example.org/e ; extra == "dev"']  # fmt: skip
    assert applicable(lines, TARGET) == ("a", 'd; python_version >= "3.11"')
    with pytest.raises(GuardError, match="no requirement"):
        applicable(["???"], TARGET)


def test_pylock_takes_the_best_wheel_of_the_target() -> None:
    def wheel(name: str, digit: str) -> str:
        return f'{{ url = "https://example.org/a%20b/{name}", hashes = {{ sha256 = "{digit * 64}" }} }}'

    names = [
        "a-1-py3-none-any.whl",
        "a-1-cp311-cp311-manylinux2014_x86_64.whl",
        "a-1-cp311-cp311-win_amd64.whl",
        "x.zip",
    ]
    wheels = ", ".join(wheel(name, str(number)) for number, name in enumerate(names))
    (pin,) = _read_pylock(f'[[packages]]\nname = "A"\nversion = "1"\nwheels = [{wheels}]', supported_tags(TARGET))
    assert (pin.name, pin.filename, pin.sha256) == ("a", names[1], "1" * 64)
    # Of equal tags the highest number, compared as one; a better tag comes before any number.
    for other, best in (("a-1-9-T", "a-1-10-T"), ("a-1-T", "a-1-1-T"), ("a-1-99-py3-none-any", "a-1-T")):
        pair = [f"{name.replace('T', 'cp311-cp311-manylinux2014_x86_64')}.whl" for name in (other, best)]
        for order in (pair, pair[::-1]):
            wheels = ", ".join(wheel(name, "1") for name in order)
            (pin,) = _read_pylock(
                f'[[packages]]\nname = "A"\nversion = "1"\nwheels = [{wheels}]', supported_tags(TARGET)
            )
            assert pin.filename == pair[1]
    with pytest.raises(ResolutionError, match="no wheel for this target"):
        _read_pylock(f'[[packages]]\nname = "a"\nwheels = [{wheel(names[2], "2")}]', supported_tags(TARGET))
    with pytest.raises(ResolutionError, match="no SHA-256"):
        _read_pylock(
            f'[[packages]]\nname = "a"\nwheels = [{{ url = "https://example.org/{names[0]}" }}]', supported_tags(TARGET)
        )


def archive(folder: Path, files: dict[str, bytes]) -> Path:
    path = folder / "source.tar"
    with tarfile.open(path, "w") as tar:
        for name, data in files.items():
            info = tarfile.TarInfo(name)
            info.size = len(data)
            tar.addfile(info, io.BytesIO(data))
    return path


def test_build_requires_and_their_defaults(tmp_path: Path) -> None:
    text = b'[build-system]\nrequires = ["b", "a"]\n'
    assert build_requires(archive(tmp_path, {"./pyproject.toml": text}), "") == ("b", "a")
    assert build_requires(archive(tmp_path, {"sub/pyproject.toml": text}), "sub") == ("b", "a")
    assert build_requires(archive(tmp_path, {"setup.py": b""}), "") == DEFAULT_REQUIRES
    assert build_requires(archive(tmp_path, {"pyproject.toml": b"[tool.x]\n"}), "") == DEFAULT_REQUIRES


@pytest.mark.parametrize("text", [b"[build-system]\n", b"[build-system]\nrequires = 'a'\n", b"\xff", b"["])
def test_a_pyproject_that_cannot_be_used(tmp_path: Path, text: bytes) -> None:
    with pytest.raises(BuildFailedError, match=r"pyproject\.toml"):
        build_requires(archive(tmp_path, {"pyproject.toml": text}), "")


PLAN = plan_of(
    "sample",
    "1.0",
    build=BuildSpec(image="python311", requires=("setuptools==80.9.0",)),
    test=TestSpec(requires=("pytest",)),
)
FILE = LockedFile(
    filename="setuptools-80.9.0-py3-none-any.whl", name="setuptools", version="80.9.0", sha256="5" * 64, size=1,
    origin="index", roles=("build",), purl="pkg:pypi/setuptools@80.9.0",
)  # fmt: skip


def lock() -> Lock:
    requirements = {"build": ("setuptools",), "backend": (), "runtime": (), "test": ("pytest",),
                    CONSTRAINTS: ("setuptools==80.9.0",)}  # fmt: skip
    return Lock(
        package="python/sample@1.0", target="cp311-linux-amd64", image="python311",
        basis=basis(PLAN, SNAPSHOT, requirements), requirements=requirements, files=(FILE,),
    )  # fmt: skip


def test_a_fresh_lock_holds() -> None:
    check(PLAN, SNAPSHOT, IMAGE, Lock.model_validate_json(lock().canonical()))


def changed_build(**values: object) -> BuildSpec:
    return PLAN.build.model_copy(update=values)


@pytest.mark.parametrize(
    ("update", "word"),
    [
        ({"package": PLAN.package.model_copy(update={"version": "2.0"})}, "package"),
        ({"build": changed_build(requires=())}, r"build\.requires"),
        ({"build": changed_build(env={"A": "b"})}, r"build\.env"),
        ({"build": changed_build(config_settings={"A": "b"})}, r"build\.config_settings"),
        ({"build": changed_build(image="python312")}, "builder image"),
        ({"test": TestSpec(requires=("pytest", "x"))}, r"test\.requires"),
        ({"target": Target(platform="linux/arm64", interpreter="cp311")}, "target"),
    ],
)
def test_a_stale_lock_says_what_changed_and_names_the_command(update: dict[str, object], word: str) -> None:
    with pytest.raises(LockStaleError, match=word) as caught:
        check(PLAN.model_copy(update=update), SNAPSHOT, IMAGE, lock())
    assert "farm lock python/sample" in caught.value.remedy


def test_another_source_or_interpreter_is_stale() -> None:
    with pytest.raises(LockStaleError, match="source tree"):
        check(PLAN, SNAPSHOT.model_copy(update={"tree_digest": "9" * 64}), IMAGE, lock())
    with pytest.raises(LockStaleError, match="interpreter"):
        check(PLAN, SNAPSHOT, IMAGE.model_copy(update={"interpreter": "cp312"}), lock())


def test_an_edited_lock_is_stale() -> None:
    edited = lock().model_copy(update={"requirements": {**lock().requirements, "backend": ("evil",)}})
    with pytest.raises(LockStaleError, match="lock file itself"):
        check(PLAN, SNAPSHOT, IMAGE, edited)
    other = FILE.model_copy(update={"filename": "evil-1.0-py3-none-any.whl"})
    with pytest.raises(LockStaleError, match=r"evil-1\.0"):
        check(PLAN, SNAPSHOT, IMAGE, lock().model_copy(update={"files": (other,)}))
