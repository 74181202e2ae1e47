"""The Maven repository over a real S3 server, read by stock Maven and over HTTP."""

from __future__ import annotations

import hashlib
import os
import subprocess
from dataclasses import dataclass
from typing import TYPE_CHECKING

import httpx
import pytest

from farm.consumer.fetch import fetch_sidecars
from farm.consumer.sidecars import SUFFIXES
from farm.ecosystems.maven.repository.snippets import guides
from farm.repository.model import BUNDLE, CYCLONEDX, PROVENANCE_BUNDLE, SPDX
from farm.store.vault import S3Vault
from tests.fixtures_maven_repository import GROUP, Version, pom
from tests.fixtures_repository import IndexServer, RcloneServer

if TYPE_CHECKING:
    from collections.abc import Iterator
    from pathlib import Path

pytestmark = pytest.mark.services

FOLDER = "maven/org/example/kit/"
CORE = f"{FOLDER}kit-core/1.1/kit-core-1.1"


@dataclass(frozen=True)
class Site:
    """A repository with `org.example.kit:kit` 1.0 and 1.1."""

    index: IndexServer
    newest: Version


@pytest.fixture(scope="module")
def site(s3_server: RcloneServer, tmp_path_factory: pytest.TempPathFactory) -> Iterator[Site]:
    folder = tmp_path_factory.mktemp("maven-site")
    store, vault = s3_server.store("maven-site"), S3Vault(s3_server.store("maven-site-vault"))
    for version in ("1.0", "1.1"):
        made = Version.multi(version)
        made.publish(vault, store, folder)
    server = IndexServer(s3_server, folder, "maven-site")
    server.start()
    yield Site(server, made)
    server.stop()


@pytest.fixture
def web(site: Site) -> Iterator[httpx.Client]:
    with httpx.Client(base_url=site.index.root, trust_env=False) as client:
        yield client


def mvn(folder: Path, root: str, *goals: str) -> subprocess.CompletedProcess[str]:
    """Run stock Maven in `folder` with the settings that farm prints, an empty local repository and no other index."""
    settings = folder / "settings.xml"
    settings.write_text(
        guides(root)[0].text.replace("<id>farm</id>\n          <url>", "<id>central</id>\n          <url>")
    )
    return subprocess.run(
        [  # noqa: S607 - the host's own, as a developer calls it
            "mvn",
            "-B",
            "-C",
            "-ntp",
            "-s",
            str(settings),
            f"-Dmaven.repo.local={folder / 'local'}",
            *goals,
        ],
        cwd=folder,
        env={"PATH": os.environ["PATH"], "HOME": str(folder)}
        | {k: v for k, v in os.environ.items() if k == "JAVA_HOME"},
        capture_output=True,
        text=True,
        check=False,
        timeout=180,
    )


def project(folder: Path, parent: str, imported: str) -> None:
    """A project whose model needs farm's repository, and whose `validate` runs no plugin."""
    group, artifact, version = imported.split(":")
    managed = (
        f"<dependencyManagement><dependencies><dependency><groupId>{group}</groupId><artifactId>{artifact}</artifactId>"
        f"<version>{version}</version><type>pom</type><scope>import</scope></dependency></dependencies>"
        "</dependencyManagement>"
    )
    (folder / "pom.xml").write_bytes(
        pom("app", "1.0", group="org.consumer", parent=parent, packaging="pom", more=managed)
    )


class TestMaven:
    def test_it_resolves_parents_and_imports_with_strict_checksums(self, site: Site, tmp_path: Path) -> None:
        project(tmp_path, f"{GROUP}:kit:1.1", f"{GROUP}:kit-bom:1.0")
        done = mvn(tmp_path, site.index.root, "validate")
        assert done.returncode == 0, done.stdout
        got = {path.name for path in (tmp_path / "local").rglob("*.pom")}
        assert got == {"kit-1.1.pom", "kit-bom-1.0.pom"}

    def test_it_resolves_the_newest_of_a_range(self, site: Site, tmp_path: Path) -> None:
        project(tmp_path, f"{GROUP}:kit:[1.0,2)", f"{GROUP}:kit-bom:1.1")
        done = mvn(tmp_path, site.index.root, "validate")
        assert done.returncode == 0, done.stdout
        assert (tmp_path / "local/org/example/kit/kit/1.1/kit-1.1.pom").is_file()

    def test_it_finds_a_plugin_by_its_prefix(self, site: Site, tmp_path: Path) -> None:
        """The plugin has no classes, so what counts is that Maven got as far as asking it for its goals."""
        project(tmp_path, f"{GROUP}:kit:1.1", f"{GROUP}:kit-bom:1.1")
        done = mvn(tmp_path, site.index.root, f"{GROUP}:kit-maven-plugin:1.1:nothing")
        assert "Could not find goal 'nothing' in plugin org.example.kit:kit-maven-plugin:1.1" in done.stdout
        assert (tmp_path / "local/org/example/kit/kit-maven-plugin/1.1/kit-maven-plugin-1.1.jar").is_file()

    def test_what_is_not_there_is_not_found(self, site: Site, tmp_path: Path) -> None:
        project(tmp_path, f"{GROUP}:kit:9.9", f"{GROUP}:kit-bom:1.1")
        done = mvn(tmp_path, site.index.root, "validate")
        assert done.returncode != 0
        assert "Could not find artifact org.example.kit:kit:pom:9.9" in done.stdout


class TestFiles:
    def test_every_file_with_its_checksums(self, web: httpx.Client, site: Site) -> None:
        for path, data in site.newest.files.items():
            answer = web.get(f"maven/{path}")
            assert (answer.status_code, answer.content) == (200, data)
            for name in ("md5", "sha1", "sha256", "sha512"):
                checksum = hashlib.new(name, data).hexdigest()
                assert answer.headers[f"x-checksum-{name}"] == checksum
                beside = web.get(f"maven/{path}.{name}")
                assert (beside.text, beside.headers["content-type"]) == (checksum, "text/plain; charset=utf-8")
            assert "immutable" in answer.headers["cache-control"]

    def test_evidence_lies_beside_it(self, web: httpx.Client) -> None:
        for suffix in (BUNDLE, PROVENANCE_BUNDLE, CYCLONEDX, SPDX):
            answer = web.get(f"{CORE}.jar{suffix}")
            assert answer.status_code == 200
            assert answer.json()

    def test_conditional_and_partial_requests(self, web: httpx.Client, site: Site) -> None:
        data = site.newest.files[site.newest.place("kit-core", ".jar")]
        whole = web.head(f"{CORE}.jar")
        assert (whole.content, whole.headers["content-length"]) == (b"", str(len(data)))
        assert whole.headers["content-type"] == "application/java-archive"
        assert web.get(f"{CORE}.jar", headers={"If-None-Match": whole.headers["etag"]}).status_code == 304
        part = web.get(f"{CORE}.jar", headers={"Range": "bytes=2-5"})
        assert (part.status_code, part.content) == (206, data[2:6])
        assert (
            web.get(f"{CORE}.jar.sha1", headers={"Range": "bytes=0-3"}).content
            == web.get(f"{CORE}.jar.sha1").content[:4]
        )
        assert web.get(f"{CORE}.jar", headers={"Range": "bytes=999999-"}).status_code == 416

    def test_metadata_changes_and_says_so(self, web: httpx.Client) -> None:
        for path in (f"{FOLDER}kit-core/maven-metadata.xml", f"{FOLDER}maven-metadata.xml", "maven/.meta/prefixes.txt"):
            answer = web.get(path)
            assert answer.status_code == 200
            assert answer.headers["cache-control"] == "no-cache"
            assert web.get(path, headers={"If-None-Match": answer.headers["etag"]}).status_code == 304
            for name in ("md5", "sha1", "sha256", "sha512"):
                assert web.get(f"{path}.{name}").text == hashlib.new(name, answer.content).hexdigest()

    def test_where_a_digest_is(self, web: httpx.Client, site: Site) -> None:
        data = site.newest.files[site.newest.place("kit-core", ".jar")]
        answer = web.get(f"sha256/{hashlib.sha256(data).hexdigest()}")
        urls = [str(answer.url.join(file["url"])) for file in answer.json()["files"]]
        assert str(web.base_url.join(f"{CORE}.jar")) in urls
        assert all(web.get(url).content == data for url in urls)
        assert web.get(f"sha256/{'0' * 64}").status_code == 404
        assert web.get("sha256/nothing").status_code == 404

    def test_what_lies_beside_a_jar_is_found_by_the_jar_alone(self, site: Site, tmp_path: Path) -> None:
        jar = tmp_path / "kit-core-1.1.jar"
        jar.write_bytes(site.newest.files[site.newest.place("kit-core", ".jar")])
        assert fetch_sidecars(f"{site.index.root}maven/", jar, tmp_path) == SUFFIXES
        assert f"{jar.name}{BUNDLE}" in {path.name for path in tmp_path.iterdir()}

    def test_people_get_pages(self, web: httpx.Client) -> None:
        home = web.get("").text
        assert "org.example.kit:kit 1.1" in home
        assert "&lt;checksumPolicy&gt;fail" in home
        assert "org.example.kit:kit</a> 1.0, 1.1" in web.get("maven/").text
        assert web.get("maven").headers["location"] == "maven/"

    def test_only_reading(self, web: httpx.Client) -> None:
        for method in ("POST", "PUT", "DELETE"):
            assert web.request(method, f"{CORE}.jar").status_code == 405
