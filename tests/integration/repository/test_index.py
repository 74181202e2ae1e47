"""The index over a real S3 server, read by stock clients."""

from __future__ import annotations

import json
import os
import subprocess
import sys
from dataclasses import dataclass
from pathlib import Path
from typing import TYPE_CHECKING

import httpx
import pytest
from pypi_simple import PyPISimple

from farm.ecosystems.python.repository.layout import LAYOUT
from farm.model.base import sha256_bytes
from farm.repository.model import BUNDLE, CYCLONEDX, PROVENANCE_BUNDLE, SPDX, Published
from farm.repository.publish import publish, publish_trust_config
from farm.store.vault import S3Vault
from tests.fixtures_repository import FixedGate, IndexServer, RcloneServer, make_wheel, publication_of

if TYPE_CHECKING:
    from collections.abc import Iterator

    from farm.ecosystems.python.repository.model import PublishedFile


pytestmark = pytest.mark.services

JSON_V1 = "application/vnd.pypi.simple.v1+json"
HTML_V1 = "application/vnd.pypi.simple.v1+html"


@dataclass(frozen=True)
class Site:
    """An index with `sample-lib` 1.0 and 1.1, where 1.1 needs `other-lib`."""

    index: IndexServer
    published: Published[PublishedFile]


@pytest.fixture(scope="module")
def site(s3_server: RcloneServer, tmp_path_factory: pytest.TempPathFactory) -> Iterator[Site]:
    folder = tmp_path_factory.mktemp("site")
    store, vault = s3_server.store("site"), S3Vault(s3_server.store("site-vault"))

    def put(name: str, version: str, requires: tuple[str, ...] = ()) -> Published[PublishedFile]:
        made = make_wheel(folder, name, version, requires=requires)
        return publish(
            publication_of(vault, made),
            layout=LAYOUT,
            vault=vault,
            store=store,
            gate=FixedGate(),
            run_dir=folder,
            work=folder,
        )

    put("other-lib", "2.0")
    put("sample-lib", "1.0")
    published = put("sample-lib", "1.1", ("other-lib>=2",))
    server = IndexServer(s3_server, folder, "site")
    server.start()
    yield Site(server, published)
    server.stop()


@pytest.fixture
def published(site: Site) -> Published[PublishedFile]:
    return site.published


def run(*argv: str, home: Path) -> subprocess.CompletedProcess[str]:
    """Run a stock client with nothing of this machine's configuration."""
    env = {"PATH": os.environ["PATH"], "HOME": str(home), "PIP_NO_INPUT": "1", "UV_NO_CONFIG": "1"}
    return subprocess.run(argv, env=env, capture_output=True, text=True, check=False, timeout=120)


def pip(*argv: str, home: Path) -> subprocess.CompletedProcess[str]:
    return run(sys.executable, "-m", "pip", "--disable-pip-version-check", *argv, home=home)


class TestClients:
    def test_pip_installs_and_reads_metadata_first(self, site: Site, tmp_path: Path) -> None:
        before = len(site.index.log)
        target = tmp_path / "t"
        done = pip("install", "--index-url", site.index.simple, "--target", str(target), "sample-lib", home=tmp_path)
        assert done.returncode == 0, done.stderr
        assert sorted(p.name for p in target.glob("*.py")) == ["other_lib.py", "sample_lib.py"]
        asked = [line for line in site.index.log[before:].splitlines() if "GET /files/" in line]
        # PEP 658: the metadata of both came before the wheel of either.
        assert [".metadata" in line for line in asked] == [True, True, False, False]

    def test_pip_download_with_required_hashes(
        self, site: Site, published: Published[PublishedFile], tmp_path: Path
    ) -> None:
        (record,) = published.files
        locked = tmp_path / "requirements.txt"
        locked.write_text(f"sample-lib==1.1 --hash=sha256:{record.blob.sha256}\n")
        done = pip(
            "download", "--no-deps", "--require-hashes", "--index-url", site.index.simple,
            "-r", str(locked), "-d", str(tmp_path / "d"), home=tmp_path,
        )  # fmt: skip
        assert done.returncode == 0, done.stderr
        assert sha256_bytes((tmp_path / "d" / record.filename).read_bytes()) == record.blob.sha256

    def test_pip_honours_upload_times(self, site: Site, tmp_path: Path) -> None:
        done = pip(
            "download", "--uploaded-prior-to", "2020-01-01", "--index-url", site.index.simple, "sample-lib",
            "-d", str(tmp_path), home=tmp_path,
        )  # fmt: skip
        assert done.returncode != 0
        assert "No matching distribution" in done.stderr

    def test_uv_installs(self, site: Site, tmp_path: Path) -> None:
        uv = str(Path(sys.executable).with_name("uv"))
        done = run(
            uv, "pip", "install", "--default-index", site.index.simple, "--target", str(tmp_path / "t"),
            "--python", sys.executable, "--cache-dir", str(tmp_path / "cache"), "sample_lib==1.1", home=tmp_path,
        )  # fmt: skip
        assert done.returncode == 0, done.stderr
        assert sorted(p.name for p in (tmp_path / "t").glob("*.py")) == ["other_lib.py", "sample_lib.py"]
        assert ".metadata" in site.index.log

    @pytest.mark.parametrize("accept", [JSON_V1, "text/html"])
    def test_pypi_simple_reads_every_fact(self, site: Site, published: Published[PublishedFile], accept: str) -> None:
        (record,) = published.files
        with PyPISimple(site.index.simple, accept=accept) as client:
            assert client.get_index_page().projects == ["other-lib", "sample-lib"]
            page = client.get_project_page("Sample.Lib")
            package = page.packages[-1]
            assert (package.filename, package.digests) == (record.filename, {"sha256": record.blob.sha256})
            assert package.requires_python == ">=3.9"
            assert b"Requires-Dist: other-lib>=2" in client.get_package_metadata_bytes(package)
            provenance = client.get_provenance(package)
            assert provenance == {"version": 1, "attestation_bundles": []}


@pytest.fixture
def web(site: Site) -> Iterator[httpx.Client]:
    with httpx.Client(base_url=site.index.root, trust_env=False) as client:
        yield client


@pytest.fixture
def file_url(web: httpx.Client) -> str:
    page = web.get("simple/sample-lib/", headers={"Accept": JSON_V1}).json()
    return str(web.base_url.join("simple/sample-lib/").join(page["files"][-1]["url"]))


class TestPages:
    @pytest.mark.parametrize(
        ("accept", "kind"),
        [
            ("*/*", "text/html; charset=utf-8"),
            (JSON_V1, JSON_V1),
            ("application/vnd.pypi.simple.latest+json", JSON_V1),
            (f"{HTML_V1};q=0.1, text/html;q=0.05", f"{HTML_V1}; charset=utf-8"),
        ],
    )
    def test_negotiation(self, web: httpx.Client, accept: str, kind: str) -> None:
        for path in ("simple/", "simple/sample-lib/"):
            answer = web.get(path, headers={"Accept": accept})
            assert (answer.status_code, answer.headers["content-type"]) == (200, kind)
            assert answer.headers["vary"] == "Accept"
            again = web.get(path, headers={"Accept": accept, "If-None-Match": answer.headers["etag"]})
            assert (again.status_code, again.content) == (304, b"")
            head = web.head(path, headers={"Accept": accept})
            assert head.headers["content-length"] == str(len(answer.content))

    def test_nothing_acceptable(self, web: httpx.Client) -> None:
        answer = web.get("simple/sample-lib/", headers={"Accept": "application/vnd.pypi.simple.v2+json"})
        assert answer.status_code == 406
        assert JSON_V1 in answer.text

    def test_format_in_the_query(self, web: httpx.Client) -> None:
        assert web.get("simple/", params={"format": JSON_V1}).json()["meta"] == {"api-version": "1.4"}

    @pytest.mark.parametrize(
        ("path", "target"),
        [
            ("simple", "simple/"),
            ("simple/sample-lib", "sample-lib/"),
            ("simple/Sample_Lib", "sample-lib/"),
            ("simple/Sample_Lib/", "../sample-lib/"),
        ],
    )
    def test_redirects_are_relative(self, web: httpx.Client, path: str, target: str) -> None:
        answer = web.get(path)
        assert (answer.status_code, answer.headers["location"]) == (301, target)
        assert web.get(path, follow_redirects=True, headers={"Accept": JSON_V1}).status_code == 200

    def test_an_unknown_project(self, web: httpx.Client) -> None:
        assert web.get("simple/none/").status_code == 404

    def test_people_get_a_page(self, web: httpx.Client) -> None:
        answer = web.get("")
        assert f"pip install --index-url {web.base_url}simple/" in answer.text
        assert '<a href="simple/sample-lib/">sample-lib</a>' in answer.text

    def test_health(self, web: httpx.Client) -> None:
        assert web.get("health").json() == {"status": "ok"}

    def test_only_reading(self, web: httpx.Client) -> None:
        for method in ("POST", "PUT", "DELETE"):
            assert web.request(method, "simple/").status_code == 405


class TestFiles:
    def test_whole(self, web: httpx.Client, file_url: str, published: Published[PublishedFile]) -> None:
        answer = web.get(file_url)
        (record,) = published.files
        assert answer.status_code == 200
        assert sha256_bytes(answer.content) == record.blob.sha256 == answer.headers["x-farm-sha256"]
        assert answer.headers["etag"] == f'"{record.blob.sha256}"'
        assert "immutable" in answer.headers["cache-control"]
        head = web.head(file_url)
        assert (head.content, head.headers["content-length"]) == (b"", str(record.blob.size))
        assert web.get(file_url, headers={"If-None-Match": answer.headers["etag"]}).status_code == 304

    @pytest.mark.parametrize("ranged", ["bytes=0-9", "bytes=5-", "bytes=-7", "bytes=3-99999999"])
    def test_ranges(self, web: httpx.Client, file_url: str, ranged: str) -> None:
        whole = web.get(file_url).content
        answer = web.get(file_url, headers={"Range": ranged})
        assert answer.status_code == 206
        span, _, size = answer.headers["content-range"].removeprefix("bytes ").partition("/")
        first, last = map(int, span.split("-"))
        assert int(size) == len(whole)
        assert answer.content == whole[first : last + 1]
        assert len(answer.content) == int(answer.headers["content-length"])

    def test_a_range_outside(self, web: httpx.Client, file_url: str) -> None:
        answer = web.get(file_url, headers={"Range": "bytes=99999999-"})
        assert answer.status_code == 416
        assert answer.headers["content-range"].startswith("bytes */")

    def test_a_range_of_another_version_gets_the_whole(self, web: httpx.Client, file_url: str) -> None:
        assert web.get(file_url, headers={"Range": "bytes=0-1", "If-Range": '"other"'}).status_code == 200

    def test_what_lies_beside_it(self, web: httpx.Client, file_url: str, published: Published[PublishedFile]) -> None:
        (record,) = published.files
        for suffix in (BUNDLE, PROVENANCE_BUNDLE, CYCLONEDX, SPDX, ".metadata"):
            answer = web.get(file_url + suffix)
            assert answer.status_code == 200
            assert sha256_bytes(answer.content) == record.parts[suffix].sha256 == answer.headers["x-farm-sha256"]
        assert web.get(file_url + ".asc").status_code == 404
        answer = web.get(f"integrity/sample-lib/1.1/{record.filename}/provenance")
        assert answer.headers["content-type"] == "application/vnd.pypi.integrity.v1+json"
        assert answer.json()["version"] == 1
        assert web.get(f"integrity/sample-lib/1.0/{record.filename}/provenance").status_code == 404

    def test_the_trust_configuration(self, web: httpx.Client, s3: RcloneServer, tmp_path: Path) -> None:
        assert web.get("trust/trust_config.json").status_code == 404
        source = tmp_path / "trust_config.json"
        source.write_text(json.dumps({"a": 1}))
        publish_trust_config(s3.store("site"), source)
        assert web.get("trust/trust_config.json").json() == {"a": 1}


def test_an_index_without_anything_is_an_index(index: IndexServer) -> None:
    with PyPISimple(index.simple) as client:
        assert client.get_index_page().projects == []
    assert "Nothing has been published yet" in httpx.get(index.root, trust_env=False).text


def test_the_store_goes_away_and_comes_back(web: httpx.Client, s3: RcloneServer, file_url: str) -> None:
    s3.kill()
    for path in ("health", "simple/", "simple/sample-lib/", "", file_url):
        answer = web.get(path, timeout=30)
        assert answer.status_code == 503
        assert str(s3.port) not in answer.text
    s3.start()
    assert web.get("health").status_code == 200
    assert web.get(file_url).status_code == 200
