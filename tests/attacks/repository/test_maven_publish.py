"""Attacks on publishing to the Maven repository, and accidents at every point of it."""

from __future__ import annotations

import contextlib
import hashlib
import json
from typing import TYPE_CHECKING

import pytest
from defusedxml.ElementTree import fromstring

from farm.ecosystems.maven.repository.layout import LAYOUT
from farm.ecosystems.maven.repository.model import FILES, PREFIXES_KEY, RECORDS, PublishedVersion
from farm.errors import ImmutableError, PublisherBusyError, StoreUnavailableError, VerificationError
from farm.model.plan import PackageId
from farm.repository.model import CYCLONEDX, Publication
from farm.repository.publish import publish
from farm.repository.published import verify_published
from farm.store.vault import S3Vault
from tests.fixtures_maven_repository import GROUP, Version, gradle_module, jar, plugin_xml, pom
from tests.fixtures_repository import FixedGate, MemoryStore

if TYPE_CHECKING:
    from collections.abc import Callable
    from pathlib import Path

    from farm.repository.gate import Passed

KIT = f"{GROUP}:kit"


@pytest.fixture
def vault() -> S3Vault:
    return S3Vault(MemoryStore())


def go(publication: Publication, vault: S3Vault, store: MemoryStore, run: Path) -> None:
    publish(
        publication, layout=LAYOUT, vault=vault, store=store, gate=FixedGate(), run_dir=run, work=run, wait=0
    )  # fmt: skip


def visible(store: MemoryStore) -> set[str]:
    """What a reader can come by: every version of the metadata must be whole. Return the paths of the records."""
    paths: set[str] = set()
    for key in [key for key in store.objects if key.startswith(RECORDS)]:
        record = PublishedVersion.model_validate_json(store.objects[key])
        verify_published(store, record)
        paths |= {file.path for file in record.files}
    for key in [key for key in store.objects if key.endswith("/maven-metadata.xml")]:
        root = fromstring(store.objects[key])
        folder = key.removeprefix(FILES).removesuffix("/maven-metadata.xml")
        artifact = folder.rpartition("/")[2]
        for version in root.iter("version"):
            assert f"{folder}/{version.text}/{artifact}-{version.text}.pom" in paths
        for plugin in root.iter("plugin"):
            name = plugin.findtext("artifactId")
            assert any(path.startswith(f"{folder}/{name}/") for path in paths)
    return paths


class Interrupted(BaseException):
    """The process is gone: nothing after it runs but what an operating system would do."""


def failing_at(step: int, error: type[BaseException]) -> Callable[[str, str], None]:
    count = [0]

    def fault(operation: str, key: str) -> None:
        if operation == "put":
            count[0] += 1
        if count[0] >= step:
            raise error(f"{operation} {key}")

    return fault


@pytest.mark.parametrize("when", ["before", "after"])
@pytest.mark.parametrize("error", [StoreUnavailableError, Interrupted])
def test_stopping_at_any_write_leaves_the_old_state_and_the_retry_completes(
    vault: S3Vault, tmp_path: Path, when: str, error: type[BaseException]
) -> None:
    old, new = Version.multi("1.0"), Version.multi("1.1")
    start = MemoryStore()
    old.publish(vault, start, tmp_path)
    before, publication = set(old.files), new.publication(vault)
    writes: list[str] = []
    whole = MemoryStore(dict(start.objects), after=lambda op, key: writes.append(key) if op == "put" else None)
    go(publication, vault, whole, tmp_path)
    assert len(writes) > 80
    for step in range(1, len(writes) + 1):
        store = MemoryStore(dict(start.objects))
        setattr(store, when, failing_at(step, error))
        with contextlib.suppress(StoreUnavailableError, Interrupted):
            go(publication, vault, store, tmp_path)
        setattr(store, when, lambda _operation, _key: None)
        # All of the new version, or nothing of it.
        assert visible(store) in (before, before | set(new.files)), f"after write {step}"
        go(publication, vault, store, tmp_path)
        assert {key: data for key, data in store.objects.items() if not key.startswith("leases/")} == whole.objects


class TestImmutable:
    def test_other_bytes_at_a_published_path_are_refused_and_nothing_is_written(
        self, vault: S3Vault, tmp_path: Path
    ) -> None:
        store = MemoryStore()
        Version.multi().publish(vault, store, tmp_path)
        before = dict(store.objects)
        evil = Version.multi(payload="evil")
        path = evil.place("kit-core", "-sources.jar")
        with pytest.raises(ImmutableError, match=r"kit-core/1\.0/kit-core-1\.0") as caught:
            evil.publish(vault, store, tmp_path)
        assert caught.value.details["path"] in {path, evil.place("kit-core", ".jar")}
        assert "no build numbers" in caught.value.remedy
        assert store.objects == before

    @pytest.mark.parametrize("ending", ["-extra.jar", "-sources.jar"])
    def test_a_published_version_gets_no_more_and_no_fewer_files(
        self, vault: S3Vault, tmp_path: Path, ending: str
    ) -> None:
        store = MemoryStore()
        Version.multi().publish(vault, store, tmp_path)
        before = dict(store.objects)
        other = Version.multi()
        path = other.place("kit-core", ending)
        if other.files.pop(path, None) is None:
            other.files[path] = b"more"
        with pytest.raises(ImmutableError, match=path):
            other.publish(vault, store, tmp_path)
        assert store.objects == before

    def test_a_module_belongs_to_the_package_that_published_it(self, vault: S3Vault, tmp_path: Path) -> None:
        store = MemoryStore()
        Version.multi().publish(vault, store, tmp_path)
        before = dict(store.objects)
        other = Version.single("small", "1.0")
        other.names = ("kit-core",)
        other.files[other.place("kit-core", ".pom")] = pom("kit-core", "1.0")
        with pytest.raises(ImmutableError, match=r"kit-core 1\.0 is published as a part of"):
            other.publish(vault, store, tmp_path)
        assert store.objects == before

    def test_what_was_left_half_written_does_not_keep_others_out(self, vault: S3Vault, tmp_path: Path) -> None:
        """A publisher that never got to its record has published nothing, so nothing is taken."""
        store = MemoryStore(before=failing_at(60, StoreUnavailableError))
        half = Version.multi()
        with pytest.raises(StoreUnavailableError):
            half.publish(vault, store, tmp_path)
        store.before = lambda _operation, _key: None
        again = Version.multi(payload="fixed")
        again.publish(vault, store, tmp_path)
        assert visible(store) == set(again.files)

    def test_a_lost_lease_stops_before_the_record(self, vault: S3Vault, tmp_path: Path) -> None:
        store = MemoryStore()

        def steal(operation: str, key: str) -> None:
            if operation == "put" and key.endswith("kit-maven-plugin-1.0.pom"):
                store.objects["leases/maven.json"] = b'{"expires": 9e9, "owner": "them", "seat": "them"}'

        store.after = steal
        with pytest.raises(PublisherBusyError, match="lost"):
            Version.multi().publish(vault, store, tmp_path)
        assert not [key for key in store.objects if key.startswith(RECORDS) or "maven-metadata" in key]


class TestRefused:
    """What does not verify is not published: nothing is written at all."""

    def refused(self, version: Version, vault: S3Vault, run: Path, match: str) -> None:
        self.refuse(version.publication(vault), vault, run, match)

    def refuse(self, publication: Publication, vault: S3Vault, run: Path, match: str) -> None:
        store = MemoryStore()
        with pytest.raises(VerificationError, match=match):
            go(publication, vault, store, run)
        assert store.objects == {}

    @pytest.mark.parametrize(
        "path",
        [
            "org/example/kit/small/1.0/small-1.1.jar",
            "org/example/kit/small/1.0/other-1.0.jar",
            "org/example/kit/small/1.0/small-1.0",
            "org/example/kit/small/1.0/deep/small-1.0.jar",
            "org/example/kit/small/small-1.0.jar",
            "org/example/kit/small/maven-metadata.xml",
            "org/example/kit/small/1.0/small-1.0.jar.sha1",
            "org/example/kit/small/1.0/small-1.0.jar.asc",
            "org/example/kit/small/1.0/small-1.0.jar.sigstore.json",
            "org.example.kit/small/1.0/small-1.0.jar",
            "small-1.0.jar",
            "",
        ],
    )
    def test_a_file_at_a_place_that_is_none(self, vault: S3Vault, tmp_path: Path, path: str) -> None:
        made = Version.single()
        publication = made.publication(vault)
        name = path.rpartition("/")[2] or "small-1.0.jar"
        moved = publication.files[1].model_copy(update={"path": path, "filename": name})
        self.refuse(
            publication.model_copy(update={"files": (publication.files[0], moved)}), vault, tmp_path, name
        )  # fmt: skip

    def test_a_file_signed_under_another_name(self, vault: S3Vault, tmp_path: Path) -> None:
        publication = Version.single().publication(vault)
        moved = publication.files[1].model_copy(update={"filename": "good-1.0.jar"})
        files = (publication.files[0], moved)
        self.refuse(publication.model_copy(update={"files": files}), vault, tmp_path, "signed under that name")

    def test_another_version_beside_the_packages_own(self, vault: S3Vault, tmp_path: Path) -> None:
        made = Version.single()
        made.files["org/example/kit/small/1.1/small-1.1.jar"] = b"x"
        self.refused(made, vault, tmp_path, "is not of version 1.0")

    @pytest.mark.parametrize("version", ["1.0-SNAPSHOT", "LATEST", "RELEASE", "1.0-snapshot"])
    def test_a_version_that_can_change(self, vault: S3Vault, tmp_path: Path, version: str) -> None:
        self.refused(Version.single(version=version), vault, tmp_path, "no release")

    def test_an_artifact_that_is_not_declared(self, vault: S3Vault, tmp_path: Path) -> None:
        made = Version.multi()
        made.names = made.names[1:]
        self.refused(made, vault, tmp_path, "does not declare")

    def test_names_that_differ_in_case_alone(self, vault: S3Vault, tmp_path: Path) -> None:
        made = Version.multi()
        made.files[made.place("kit-core", "-Sources.jar")] = b"x"
        self.refused(made, vault, tmp_path, "same file")

    def test_one_name_in_two_groups(self, vault: S3Vault, tmp_path: Path) -> None:
        made = Version.single()
        made.files["org/other/small/1.0/small-1.0.pom"] = pom("small", "1.0", group="org.other")
        publication = made.publication(vault).model_copy(update={"names": ("org.other:small",)})
        self.refuse(publication, vault, tmp_path, "same file")

    def test_no_pom(self, vault: S3Vault, tmp_path: Path) -> None:
        made = Version.multi()
        del made.files[made.place("kit-core", ".pom")]
        self.refused(made, vault, tmp_path, "kit-core:1.0 comes without its POM")

    def test_nothing_of_the_package_itself(self, vault: S3Vault, tmp_path: Path) -> None:
        made = Version.multi()
        del made.files[made.place("kit", ".pom")]
        self.refused(made, vault, tmp_path, "comes without a file of")

    @pytest.mark.parametrize(
        "data",
        [
            pom("other", "1.0"),
            pom("small", "1.1"),
            pom("small", "1.0", group="org.evil"),
            pom("small", "${revision}"),
            pom("small", None),
            pom("small", None, parent=f"{GROUP}:parent:2.0"),
            pom("small", "1.0", group=None, parent="org.evil:parent:1.0"),
            pom("small", "1.0", more="<version>2.0</version>"),
            pom("small", "1.0").replace(b"1.0</version>", b"1.0<x/></version>"),
            b"<settings/>",
            b"",
            b"<project>",
            b"\xff\xfe\x00",
            b'<?xml version="1.0" encoding="no-such"?><project/>',
        ],
    )
    def test_a_pom_of_something_else(self, vault: S3Vault, tmp_path: Path, data: bytes) -> None:
        made = Version.single()
        made.files[made.place("small", ".pom")] = data
        self.refused(made, vault, tmp_path, r"small-1\.0\.pom")

    def test_a_pom_that_reads_other_files(self, vault: S3Vault, tmp_path: Path) -> None:
        made = Version.single()
        bomb = (
            b'<!DOCTYPE p [<!ENTITY e SYSTEM "file:///etc/passwd">]>'
            + pom("small", "1.0", more="<name>&e;</name>")[39:]
        )
        made.files[made.place("small", ".pom")] = bomb
        self.refused(made, vault, tmp_path, "no readable XML")

    @pytest.mark.parametrize(
        ("content", "match"),
        [
            (b"no zip", "readable jar"),
            (jar({}), "has 0"),
            (jar({"META-INF/maven/plugin.xml": plugin_xml("other-maven-plugin", "1.0")}), "is of"),
            (jar({"META-INF/maven/plugin.xml": plugin_xml("kit-maven-plugin", "1.0", "")}), "goalPrefix"),
            (jar({"META-INF/maven/plugin.xml": "<plugin>"}), "no readable XML"),
        ],
    )
    def test_a_plugin_that_is_none(self, vault: S3Vault, tmp_path: Path, content: bytes, match: str) -> None:
        made = Version.multi()
        made.files[made.place("kit-maven-plugin", ".jar")] = content
        self.refused(made, vault, tmp_path, match)

    @pytest.mark.parametrize(
        ("change", "match"),
        [
            ({"sha256": "0" * 64}, "its sha256"),
            ({"sha1": "0" * 40}, "its sha1"),
            ({"size": 1}, "its size"),
            ({"url": "../../../../evil/1.0/evil-1.0.jar"}, "not published with it"),
            ({"url": "https://evil.example/x.jar"}, "not published with it"),
            ({"url": ""}, "not published with it"),
            ({"url": 1}, "not published with it"),
        ],
    )
    def test_gradle_metadata_that_lies_about_files(
        self, vault: S3Vault, tmp_path: Path, change: dict[str, object], match: str
    ) -> None:
        made = Version.multi()
        core = made.files[made.place("kit-core", ".jar")]
        made.files[made.place("kit-core", ".module")] = gradle_module(
            "kit-core", "1.0", "kit-core-1.0.jar", core, **change
        )
        self.refused(made, vault, tmp_path, match)

    @pytest.mark.parametrize(
        "data",
        [
            b"",
            b"[]",
            b"{}",
            b'{"component": 1}',
            b'{"component": {"group": "a"}, "component": {}}',
            json.dumps(
                {"component": {"group": GROUP, "module": "kit-core", "version": "1.0"}, "variants": {}}
            ).encode(),
            json.dumps({"component": {"group": GROUP, "module": "evil", "version": "1.0"}}).encode(),
            json.dumps({"component": {"url": "../../x/1.0/x-1.0.module"}}).encode(),
        ],
    )
    def test_gradle_metadata_of_something_else(self, vault: S3Vault, tmp_path: Path, data: bytes) -> None:
        made = Version.multi()
        made.files[made.place("kit-core", ".module")] = data
        self.refused(made, vault, tmp_path, "kit-core-1.0.module")

    def test_a_document_that_the_provenance_does_not_name(self, vault: S3Vault, tmp_path: Path) -> None:
        publication = Version.single().publication(vault)
        first, *rest = publication.files
        swapped = first.model_copy(update={"sidecars": {**first.sidecars, CYCLONEDX: vault.put_bytes(b"{}")}})
        self.refuse(publication.model_copy(update={"files": (swapped, *rest)}), vault, tmp_path, "byproducts")

    def test_a_gate_that_says_no(self, vault: S3Vault, tmp_path: Path) -> None:
        class Closed(FixedGate):
            def check(self, *_arguments: object, **_more: object) -> Passed:
                raise VerificationError("closed")

        store = MemoryStore()
        with pytest.raises(VerificationError, match="closed"):
            publish(
                Version.single().publication(vault),
                layout=LAYOUT, vault=vault, store=store, gate=Closed(), run_dir=tmp_path, work=tmp_path,
            )  # fmt: skip
        assert store.objects == {}

    def test_a_package_of_another_language(self, vault: S3Vault, tmp_path: Path) -> None:
        publication = Version.single().publication(vault)
        package = PackageId(ecosystem="python", name="small", version="1.0")
        self.refuse(publication.model_copy(update={"package": package}), vault, tmp_path, "does not belong")


def test_a_damaged_record_stops_the_metadata(vault: S3Vault, tmp_path: Path) -> None:
    store = MemoryStore()
    (record,) = Version.single().publish(vault, store, tmp_path).files
    store.objects[record.key] = b"{}"
    metadata = store.objects[f"{FILES}org/example/kit/small/maven-metadata.xml"]
    with pytest.raises(VerificationError, match="unreadable"):
        Version.single(version="1.1").publish(vault, store, tmp_path)
    assert store.objects[f"{FILES}org/example/kit/small/maven-metadata.xml"] == metadata


def test_a_key_that_no_publisher_writes_stops_the_metadata(vault: S3Vault, tmp_path: Path) -> None:
    for key in ("versions/maven/org.example.kit/small/../x.json", "records/maven/stray.json"):
        store = MemoryStore({key: b"{}"})
        with pytest.raises(VerificationError, match="nothing that a publisher writes"):
            Version.single().publish(vault, store, tmp_path)


def test_a_damaged_list_is_made_anew(vault: S3Vault, tmp_path: Path) -> None:
    store = MemoryStore()
    made = Version.single()
    made.publish(vault, store, tmp_path)
    whole = dict(store.objects)
    digest = hashlib.sha256(made.files[made.place("small", ".jar")]).hexdigest()
    store.objects |= {PREFIXES_KEY: b"", f"digests/{digest}.json": b"\xff", f"{PREFIXES_KEY}.md5": b""}
    made.publish(vault, store, tmp_path)
    assert store.objects == whole
