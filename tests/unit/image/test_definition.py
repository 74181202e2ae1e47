from __future__ import annotations

from pathlib import Path
from typing import TYPE_CHECKING, Any

import pytest

from farm.errors import ImageBuildError, ImageMissingError
from farm.image.builder import identity_of, image_tag
from farm.image.definition import definition_digest, image_names, load_definition, read_requirements

if TYPE_CHECKING:
    from collections.abc import Callable

ROOT = Path(__file__).parents[3]
TOML = """
schema = 1
suite = "bookworm"
platform = "linux/amd64"
interpreter = "cp311"
version = "3.11"
packages = ["gcc"]
requirements = "requirements.txt"
wheels = ["build", "Pyproject_Hooks"]
"""
JDK = """
schema = 1
suite = "trixie"
platform = "linux/amd64"
interpreter = "jdk21"
version = "21"
packages = ["openjdk-21-jdk-headless"]
"""
BASE = "registry.example.org/base@sha256:" + "a" * 64


@pytest.fixture
def write(tmp_path: Path) -> Callable[[str], Path]:
    def call(text: str) -> Path:
        folder = tmp_path / "sample"
        folder.mkdir(exist_ok=True)
        (folder / "image.toml").write_text(text)
        return folder

    return call


def test_a_definition_is_called_as_its_folder(write: Callable[[str], Path]) -> None:
    definition = load_definition(write(TOML))

    assert definition.name == "sample"
    assert definition.architecture == "amd64"
    assert definition.origin == "mmdebstrap:bookworm"
    assert definition.kept_wheels == ("build", "pyproject-hooks")


def test_an_image_by_digest_is_a_base(write: Callable[[str], Path]) -> None:
    text = TOML.replace('suite = "bookworm"', f'from = "{BASE}"').replace('["gcc"]', "[]")

    assert load_definition(write(text)).origin == BASE


@pytest.mark.parametrize(
    ("old", "new", "word"),
    [
        ('suite = "bookworm"', "", "exactly one of suite and from"),
        ('suite = "bookworm"', f'suite = "bookworm"\nfrom = "{BASE}"', "exactly one of suite and from"),
        ('suite = "bookworm"', f'from = "{BASE}"', "packages are Debian's"),
        ('suite = "bookworm"', 'from = "registry.example.org/base:latest"', "from"),
        ("schema = 1", "schema = 2", "schema"),
        ("schema = 1", "schema = 1\ncolour = 3", "colour"),
        ("schema = 1", 'schema = 1\nname = "x"', "name"),
        ('["gcc"]', '["gcc", "--option=x"]', "packages.1"),
        ('["gcc"]', '["gcc,evil"]', "packages.0"),
        ("linux/amd64", "windows/amd64", "platform"),
        ("cp311", "cp310", "do not belong together (cp311 would)"),
        ("cp311", "jdk17", "do not belong together"),
        ('version = "3.11"', 'version = "311"', "do not belong together"),
        ('version = "3.11"', 'version = "3"', "do not belong together"),
        ("cp311", "pypy311", "interpreter"),
        ('requirements = "requirements.txt"\n', "", "requirements are the tools of a CPython image"),
        ("schema = 1", "schema = ", "image.toml"),
    ],
)
def test_what_is_wrong_is_named(write: Callable[[str], Path], old: str, new: str, word: str) -> None:
    assert old in TOML

    with pytest.raises(ImageBuildError) as caught:
        load_definition(write(TOML.replace(old, new)))

    assert word in caught.value.message
    assert "image.toml" in caught.value.message


def test_an_image_for_a_jdk_needs_no_tools(write: Callable[[str], Path]) -> None:
    folder = write(JDK)
    definition = load_definition(folder)

    assert (definition.interpreter, definition.version) == ("jdk21", "21")
    assert read_requirements(definition, folder) == b""


@pytest.mark.parametrize(
    ("more", "word"),
    [
        ('requirements = "requirements.txt"', "nowhere else"),
        ('wheels = ["pip"]', "none to keep"),
    ],
)
def test_python_tools_in_an_image_for_a_jdk_are_refused(write: Callable[[str], Path], more: str, word: str) -> None:
    with pytest.raises(ImageBuildError, match=word):
        load_definition(write(JDK + more))


def test_an_unknown_image_names_those_that_are_there(write: Callable[[str], Path], tmp_path: Path) -> None:
    write(TOML)

    with pytest.raises(ImageBuildError, match="no image 'other'") as caught:
        load_definition(tmp_path / "other")

    assert "sample" in caught.value.remedy


def test_requirements_lie_beside_the_definition(write: Callable[[str], Path], tmp_path: Path) -> None:
    (tmp_path / "outside.txt").touch()
    folder = write(TOML)
    definition = load_definition(folder)

    with pytest.raises(ImageBuildError, match=r"requirements\.txt"):
        read_requirements(definition, folder)
    with pytest.raises(ImageBuildError, match="same folder"):
        read_requirements(definition.model_copy(update={"requirements": "../outside.txt"}), folder)


def test_the_digest_follows_everything_an_image_is_made_of(write: Callable[[str], Path]) -> None:
    definition = load_definition(write(TOML))
    digest = definition_digest(definition, b"a==1")

    assert digest == definition_digest(load_definition(write(f"# a comment\n{TOML}")), b"a==1")
    assert digest != definition_digest(definition, b"a==2")
    assert digest != definition_digest(load_definition(write(TOML.replace("gcc", "g++"))), b"a==1")
    assert image_tag("sample", digest) == f"farm/sample:{digest[:12]}"


@pytest.mark.parametrize("image", image_names(ROOT / "images"))
def test_the_images_of_the_repository_can_be_read_and_every_tool_is_pinned(image: str) -> None:
    folder = ROOT / "images" / image
    definition = load_definition(folder)
    requirements = read_requirements(definition, folder).decode()

    assert definition.interpreter == image.partition("-")[0].replace("python", "cp")
    assert "python3" in definition.packages  # the sandbox's own program runs on it
    for name in definition.kept_wheels:
        assert f"{name}==" in requirements
    assert "://" not in requirements
    assert "--index" not in requirements


INSPECTED: dict[str, Any] = {
    "Id": "sha256:" + "1" * 64,
    "RootFS": {"Layers": ["sha256:" + "2" * 64]},
    "Config": {
        "Labels": {
            "farm.image.name": "sample",
            "farm.image.definition": "3" * 64,
            "farm.image.platform": "linux/amd64",
            "farm.image.interpreter": "cp311",
            "farm.image.version": "3.11",
            "farm.image.base": "mmdebstrap:bookworm",
            "farm.image.packages": '{"sha256":"' + "4" * 64 + '","size":7}',
        }
    },
}


def test_the_identity_is_that_of_the_layers() -> None:
    identity = identity_of(INSPECTED)

    assert identity.digest == identity_of({**INSPECTED, "Id": "sha256:" + "9" * 64}).digest
    assert identity.digest != identity_of({**INSPECTED, "RootFS": {"Layers": []}}).digest
    assert identity.packages is not None
    assert identity.packages.size == 7


@pytest.mark.parametrize("config", [None, {}, {"Labels": None}, {"Labels": {"farm.image.name": "x"}}])
def test_an_image_of_somebody_else_is_none_of_ours(config: dict[str, Any] | None) -> None:
    with pytest.raises(ImageMissingError, match="not made by farm"):
        identity_of({**INSPECTED, "Config": config})
