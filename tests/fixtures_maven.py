"""Plans, sources and locks of small Maven projects, for the tests of the Maven ecosystem."""

from __future__ import annotations

import hashlib
import io
import tarfile
from typing import TYPE_CHECKING, Any

from farm.ecosystems.maven.basis import basis, locked_requirements, purl_of
from farm.ecosystems.maven.command import maven_argv
from farm.ecosystems.maven.paths import parse_path
from farm.ecosystems.maven.project import DistributionPin
from farm.model.base import BlobRef
from farm.model.build import ImageIdentity
from farm.model.lock import Lock, LockedFile
from farm.model.plan import ArchivePin, BuildPlan, BuildSpec, Limits, PackageId, Patch, Target, TestSpec
from farm.model.source import SourceSnapshot

if TYPE_CHECKING:
    from collections.abc import Iterable, Mapping

EPOCH = 1_700_000_000
MAVEN = DistributionPin("3.9.9", "4ec3f26fb1a692473aea0235c300bd20f0f9fe741947c82c1234cefd76ac3a3c")
NO_TESTS = TestSpec(skip_reason="it has none")
NAME, VERSION = "org.example:sample", "1.0"

SNAPSHOT = SourceSnapshot(
    strength="archive", uri="u", tree_digest="1" * 64, archive=BlobRef(sha256="2" * 64, size=1), epoch=EPOCH, files=1,
    size=1,
)  # fmt: skip
IMAGE = ImageIdentity(
    name="jdk17", image_id="sha256:x", digest="3" * 64, layers=(), definition="4" * 64, platform="linux/amd64",
    interpreter="jdk17", version="17", base="x",
)  # fmt: skip


def plan_of(
    options: Mapping[str, Any] | None = None,
    *,
    name: str = NAME,
    version: str = VERSION,
    test: TestSpec | None = None,
    image: str = "jdk17",
    env: Mapping[str, str] | None = None,
    epoch: int | None = None,
    patches: tuple[Patch, ...] = (),
    subdirectory: str = "",
    maven: DistributionPin | None = MAVEN,
) -> BuildPlan:
    """A plan; `maven=None` leaves the version of Maven to the wrapper."""
    pinned = {} if maven is None else {"maven": {"version": maven.version, "sha256": maven.sha256}}
    return BuildPlan(
        package=PackageId(ecosystem="maven", name=name, version=version),
        recipe_path="maven/sample/recipe.yaml",
        recipe_digest="0" * 64,
        source=ArchivePin(kind="url", sha256="0" * 64, url="https://source.example.test/x", subdirectory=subdirectory),
        build=BuildSpec(
            image=image, options={**pinned, **(options or {})}, env=dict(env or {}), patches=patches,
            source_date_epoch=epoch,
        ),
        test=test or TestSpec(),
        target=Target(platform="linux/amd64", interpreter=image),
        limits=Limits(time_seconds=300, memory_mb=3000),
    )  # fmt: skip


def locked(path: str, data: bytes, **more: Any) -> LockedFile:
    found = parse_path(path).coordinates
    values = {
        "filename": path,
        "name": f"{found.group}:{found.artifact}" if found else "x:y",
        "version": found.version if found else "",
        "sha256": hashlib.sha256(data).hexdigest(),
        "size": len(data),
        "origin": "index",
        "roles": ("build",),
        "purl": purl_of(path),
        "sha1": hashlib.sha1(data, usedforsecurity=False).hexdigest(),
        "repository": "central",
    }
    return LockedFile.model_validate({**values, **more})


def lock_of(
    plan: BuildPlan,
    snapshot: SourceSnapshot = SNAPSHOT,
    *,
    files: Iterable[LockedFile] = (),
    missing: tuple[str, ...] = (),
    has_timestamp: bool = False,
    maven: DistributionPin = MAVEN,
) -> Lock:
    """The lock that a recording of `plan` would have."""
    argv = maven_argv(plan, snapshot, has_timestamp=has_timestamp)
    needed = locked_requirements(plan, snapshot, argv, maven)
    return Lock(
        package=str(plan.package),
        target=plan.target.key,
        image=plan.build.image,
        basis=basis(plan, needed),
        requirements=needed,
        files=tuple(files),
        missing=missing,
    )


def tar_of(files: Mapping[str, bytes | str]) -> bytes:
    sink = io.BytesIO()
    with tarfile.open(fileobj=sink, mode="w") as tar:
        for name, content in sorted(files.items()):
            data = content.encode() if isinstance(content, str) else content
            entry = tarfile.TarInfo(name)
            entry.size = len(data)
            tar.addfile(entry, io.BytesIO(data))
    return sink.getvalue()


def pom(artifact: str = "sample", version: str = VERSION, more: str = "", *, group: str = "org.example") -> str:
    return (
        '<project xmlns="http://maven.apache.org/POM/4.0.0"><modelVersion>4.0.0</modelVersion>'
        f"<groupId>{group}</groupId><artifactId>{artifact}</artifactId><version>{version}</version>{more}</project>\n"
    )
