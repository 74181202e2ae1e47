"""What a builder image is made of: `images/<name>/image.toml` and the requirement file beside it."""

from __future__ import annotations

import tomllib
from pathlib import Path
from typing import Annotated, Literal

from packaging.utils import canonicalize_name
from pydantic import Field, StringConstraints, ValidationError, model_validator

from farm.errors import ImageBuildError
from farm.model.base import Value, canonical_json, sha256_bytes

__all__ = [
    "CUSTOMISE",
    "FILE",
    "ImageDefinition",
    "definition_digest",
    "image_names",
    "load_definition",
    "read_requirements",
]

FILE = "image.toml"
CUSTOMISE = Path(__file__).with_name("customise.py")
"""The program that finishes the file system; part of what an image is made of."""

PackageName = Annotated[str, StringConstraints(pattern=r"^[a-z0-9][a-z0-9+.-]+$")]


class ImageDefinition(Value):
    """The content of an image.toml; `name` is that of its folder."""

    schema_version: Literal[1] = Field(alias="schema")
    name: Annotated[str, StringConstraints(pattern=r"^[a-z0-9][a-z0-9_.-]*$")]
    suite: Annotated[str, StringConstraints(pattern=r"^[a-z]*$")] = ""
    """Debian release to bootstrap."""
    base: Annotated[str, StringConstraints(pattern=r"^(([^@\s]+@)?sha256:[0-9a-f]{64})?$")] = Field("", alias="from")
    """An image by digest to start from instead (`name@sha256:…`, or the id of one that is on the host)."""
    sources: tuple[Annotated[str, StringConstraints(pattern=r"^deb [^\n]+$")], ...] = ()
    """apt lines to bootstrap from (a snapshot of a mirror, say); none = the host's own."""
    platform: Literal["linux/amd64", "linux/arm64"]
    interpreter: Annotated[str, StringConstraints(pattern=r"^(cp3|jdk)[0-9]+$")]
    """What the image is for: the tag that targets and locks carry (`cp311`, `jdk17`)."""
    version: Annotated[str, StringConstraints(pattern=r"^(3\.[0-9]+|[1-9][0-9]*)$")]
    """Of the interpreter: `3.11` of CPython, the major `17` of a JDK. What is installed is checked against it."""
    packages: tuple[PackageName, ...] = ()
    requirements: str = ""
    """File of the tools that Python builds need; none for a JDK, whose tools are inputs of the build."""
    wheels: tuple[str, ...] = ()
    """Names out of the requirements whose wheels are kept in the image."""
    epoch: int = Field(default=315532800, ge=0)
    """The newest time that a file of the image may carry."""

    @model_validator(mode="after")
    def _one_base(self) -> ImageDefinition:
        if bool(self.suite) == bool(self.base):
            msg = "exactly one of suite and from is needed"
            raise ValueError(msg)
        if self.base and self.packages:
            msg = "packages are Debian's: they need a suite"
            raise ValueError(msg)
        return self

    @model_validator(mode="after")
    def _one_interpreter(self) -> ImageDefinition:
        python = "." in self.version
        tag = f"cp{self.version.replace('.', '')}" if python else f"jdk{self.version}"
        if self.interpreter != tag:
            msg = f"interpreter {self.interpreter} and version {self.version} do not belong together ({tag} would)"
            raise ValueError(msg)
        if python != bool(self.requirements):
            msg = "requirements are the tools of a CPython image: needed there, and nowhere else"
            raise ValueError(msg)
        if self.wheels and not self.requirements:
            msg = "wheels are of the requirements: without these there are none to keep"
            raise ValueError(msg)
        return self

    @property
    def architecture(self) -> str:
        """`amd64`."""
        return self.platform.partition("/")[2]

    @property
    def origin(self) -> str:
        """What it starts from, as the image's identity says it."""
        return self.base or f"mmdebstrap:{self.suite}"

    @property
    def kept_wheels(self) -> tuple[str, ...]:
        """`wheels`, normalised and sorted."""
        return tuple(sorted(canonicalize_name(name) for name in self.wheels))


def image_names(images: Path) -> tuple[str, ...]:
    """Return the names of the definitions below the folder `images`, sorted."""
    return tuple(sorted(path.parent.name for path in images.glob(f"*/{FILE}")))


def load_definition(folder: Path) -> ImageDefinition:
    """Read the definition in `folder` (`images/<name>`).

    Raises:
        ImageBuildError: no such folder, unreadable TOML, unknown keys, wrong types; the message names each.
    """
    path = folder / FILE
    remedy = f"Correct {path}."
    try:
        raw = tomllib.loads(path.read_text(encoding="utf-8"))
        if "name" in raw:
            raise ImageBuildError(f"{path}: name: an image is called as its folder", remedy=remedy)
        return ImageDefinition.model_validate({**raw, "name": folder.name})
    except FileNotFoundError as error:
        known = sorted(p.parent.name for p in folder.parent.glob(f"*/{FILE}"))
        msg = f"there is no image {folder.name!r}: {path} is missing"
        raise ImageBuildError(msg, remedy=f"Images here: {', '.join(known) or 'none'}.") from error
    except ValidationError as error:
        parts = [f"{'.'.join(map(str, e['loc'])) or 'image'}: {e['msg']}" for e in error.errors()]
        raise ImageBuildError(f"{path}: {'; '.join(parts)}", remedy=remedy) from error
    except (OSError, UnicodeDecodeError, tomllib.TOMLDecodeError) as error:
        raise ImageBuildError(f"{path}: {error}", remedy=remedy) from error


def read_requirements(definition: ImageDefinition, folder: Path) -> bytes:
    """Return the requirement file of the definition; nothing where it names none.

    Raises:
        ImageBuildError: it is not there, or not beside the definition.
    """
    if not definition.requirements:
        return b""
    path = folder / definition.requirements
    try:
        if path.parent != folder:
            raise ImageBuildError(f"{folder / FILE}: requirements must name a file in the same folder")
        return path.read_bytes()
    except OSError as error:
        raise ImageBuildError(f"{path}: {error.strerror}", remedy=f"Put the file beside {folder / FILE}.") from error


def definition_digest(definition: ImageDefinition, requirements: bytes) -> str:
    """Return the SHA-256 over what farm puts into the image: the definition, its tools, its customisation."""
    parts = {
        "definition": definition.model_dump(mode="json"),
        "requirements": sha256_bytes(requirements),
        "customise": sha256_bytes(CUSTOMISE.read_bytes()),
    }
    return sha256_bytes(canonical_json(parts))
