"""Synthetic versions of Maven packages for the tests of the repository: POMs, jars, Gradle metadata, all declared."""

from __future__ import annotations

import hashlib
import io
import json
import zipfile
from dataclasses import dataclass, field
from typing import TYPE_CHECKING

from farm.ecosystems.maven.repository.layout import LAYOUT
from farm.model.plan import PackageId
from farm.repository.model import Publication, PublishFile
from farm.repository.publish import publish
from tests.fixtures_repository import EPOCH, UPLOAD_TIME, FixedGate, evidence

if TYPE_CHECKING:
    from pathlib import Path

    from farm.ecosystems.maven.repository.model import PublishedVersion
    from farm.repository.model import Published
    from farm.store.base import Vault
    from farm.store.objects import ObjectStore

GROUP = "org.example.kit"


def jar(members: dict[str, str]) -> bytes:
    sink = io.BytesIO()
    with zipfile.ZipFile(sink, "w", zipfile.ZIP_DEFLATED) as archive:
        for name, text in members.items():
            archive.writestr(zipfile.ZipInfo(name, EPOCH), text)
    return sink.getvalue()


def pom(
    artifact: str,
    version: str | None,
    *,
    group: str | None = GROUP,
    parent: str = "",
    packaging: str = "",
    more: str = "",
) -> bytes:
    """A POM; `parent` is `group:artifact:version`."""
    above = ""
    if parent:
        g, a, v = parent.split(":")
        above = f"<parent><groupId>{g}</groupId><artifactId>{a}</artifactId><version>{v}</version></parent>"
    return (
        '<?xml version="1.0" encoding="UTF-8"?>\n<project xmlns="http://maven.apache.org/POM/4.0.0">'
        f"<modelVersion>4.0.0</modelVersion>{above}"
        + (f"<groupId>{group}</groupId>" if group else "")
        + f"<artifactId>{artifact}</artifactId>"
        + (f"<version>{version}</version>" if version else "")
        + (f"<packaging>{packaging}</packaging>" if packaging else "")
        + f"{more}</project>\n"
    ).encode()


def gradle_module(artifact: str, version: str, name: str, data: bytes, **changes: object) -> bytes:
    file = {
        "name": name, "url": name, "size": len(data), "sha512": hashlib.sha512(data).hexdigest(),
        "sha256": hashlib.sha256(data).hexdigest(), "sha1": hashlib.sha1(data, usedforsecurity=False).hexdigest(),
        "md5": hashlib.md5(data, usedforsecurity=False).hexdigest(),
    } | changes  # fmt: skip
    return json.dumps(
        {
            "formatVersion": "1.1",
            "component": {"group": GROUP, "module": artifact, "version": version},
            "variants": [{"name": "apiElements", "files": [file]}],
        }
    ).encode()


def plugin_xml(artifact: str, version: str, prefix: str = "kit") -> str:
    return (
        f"<plugin><groupId>{GROUP}</groupId><artifactId>{artifact}</artifactId><version>{version}</version>"
        f"<goalPrefix>{prefix}</goalPrefix></plugin>"
    )


@dataclass
class Version:
    """What a build of `org.example.kit:kit` puts out: path → bytes, to be changed by a test before it is published."""

    version: str = "1.0"
    artifact: str = "kit"
    names: tuple[str, ...] = ("kit-core", "kit-bom", "kit-maven-plugin")
    upload_time: str = UPLOAD_TIME
    files: dict[str, bytes] = field(default_factory=dict)

    def place(self, artifact: str, ending: str) -> str:
        """Path of an artifact's file; `ending` begins with `.` or `-`."""
        return f"{GROUP.replace('.', '/')}/{artifact}/{self.version}/{artifact}-{self.version}{ending}"

    @classmethod
    def multi(cls, version: str = "1.0", payload: str = "1") -> Version:
        """A parent, a library with Gradle metadata, a BOM, a plugin."""
        made = cls(version)
        parent = f"{GROUP}:kit:{version}"
        core = jar({"org/example/Kit.class": payload})
        bom = (
            f"<dependencyManagement><dependencies><dependency><groupId>{GROUP}</groupId>"
            f"<artifactId>kit-core</artifactId><version>{version}</version></dependency></dependencies>"
            "</dependencyManagement>"
        )
        plugin = jar({"META-INF/maven/plugin.xml": plugin_xml("kit-maven-plugin", version)})
        made.files = {
            made.place("kit", ".pom"): pom("kit", version, packaging="pom"),
            made.place("kit-core", ".pom"): pom("kit-core", None, group=None, parent=parent),
            made.place("kit-core", ".jar"): core,
            made.place("kit-core", "-sources.jar"): jar({"Kit.java": payload}),
            made.place("kit-core", ".module"): gradle_module("kit-core", version, f"kit-core-{version}.jar", core),
            made.place("kit-bom", ".pom"): pom("kit-bom", version, packaging="pom", more=bom),
            made.place("kit-maven-plugin", ".pom"): pom(
                "kit-maven-plugin",
                None,
                group=None,
                parent=parent,
                packaging="maven-plugin",
                more="<name>Kit &amp; co</name>",
            ),
            made.place("kit-maven-plugin", ".jar"): plugin,
        }
        return made

    @classmethod
    def single(cls, artifact: str = "small", version: str = "1.0", payload: str = "1") -> Version:
        """A library alone."""
        made = cls(version, artifact, ())
        made.files = {
            made.place(artifact, ".pom"): pom(artifact, version),
            made.place(artifact, ".jar"): jar({"Small.class": payload}),
        }
        return made

    def publication(self, vault: Vault) -> Publication:
        """Put everything into the vault and return what `publish` takes."""
        files = []
        for path, data in self.files.items():
            name = path.rpartition("/")[2]
            blob = vault.put_bytes(data)
            beside = {suffix: vault.put_bytes(document) for suffix, document in evidence(name, blob.sha256).items()}
            files.append(PublishFile(filename=name, path=path, blob=blob, sidecars=beside))
        return Publication(
            package=PackageId(ecosystem="maven", name=f"{GROUP}:{self.artifact}", version=self.version),
            names=tuple(f"{GROUP}:{name}" for name in self.names),
            recipe=f"maven/{GROUP}.{self.artifact}/recipe.yaml",
            run_uri="urn:uuid:00000000-0000-4000-8000-000000000000",
            build_key="0" * 64,
            upload_time=self.upload_time,
            files=tuple(files),
        )

    def publish(self, vault: Vault, store: ObjectStore, work: Path) -> Published[PublishedVersion]:
        """Publish it with a gate that accepts what was made here."""
        return publish(
            self.publication(vault),
            layout=LAYOUT,
            vault=vault,
            store=store,
            gate=FixedGate(),
            run_dir=work,
            work=work,
            wait=0,
        )
