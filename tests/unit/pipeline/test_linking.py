"""Farm's own results in the place of what was locked: which, under which policy, and what is left."""

from __future__ import annotations

import hashlib
from types import SimpleNamespace
from typing import TYPE_CHECKING, Any

import pytest

from farm.ecosystems.maven.ecosystem import ECOSYSTEM as MAVEN
from farm.ecosystems.python.ecosystem import ECOSYSTEM as PYTHON
from farm.errors import NotRebuiltError
from farm.languages import language
from farm.model.catalog import RebuiltShare
from farm.model.key import KeyFields
from farm.model.lock import Lock, LockedFile
from farm.model.plan import PackageId
from farm.pipeline.linking import CurrentResults, Provided, forget_current, link_lock, note_current
from farm.pipeline.outcomes import record_outcome
from farm.store.vault import S3Vault
from tests.fixtures_nodes import OTHER_TARGET, TARGET, digest, file_of, outcome_of, wheel
from tests.fixtures_python import plan_of
from tests.fixtures_repository import MemoryStore

if TYPE_CHECKING:
    from pathlib import Path

    from farm.model.base import BlobRef
    from farm.model.lock import LinkedLock
    from farm.model.outcome import OutcomeFile
    from farm.pipeline.linking import Policy

JAVA = PackageId(ecosystem="maven", name="org.example:top", version="1")
PLAN: Any = SimpleNamespace(package=PackageId(ecosystem="python", name="top", version="1"), target=TARGET)


def locked(name: str, filename: str = "", *, version: str = "1.0", origin: str = "index", **more: Any) -> LockedFile:
    return LockedFile.model_validate(
        {
            "filename": filename or wheel(name, version), "name": name, "version": version,
            "sha256": digest("upstream", name), "size": 1, "origin": origin, "roles": ("build",),
            "purl": purl_of(name, version), **more,
        }
    )  # fmt: skip


def purl_of(name: str, version: str) -> str:
    return language("maven" if ":" in name else "python").purl(name, version) if version else "pkg:generic/x"


def lock_of(*files: LockedFile) -> Lock:
    return Lock(
        package="python/top@1", target=TARGET.key, image="i", basis=digest("b"), requirements={}, files=tuple(files)
    )


def link(
    lock: Lock,
    policy: Policy = "rebuilt-first",
    ecosystem: Any = PYTHON,
    folder: Path | None = None,
    stage: int = 0,
    seeds: tuple[str, ...] = (),
    **provided: Provided,
) -> LinkedLock:
    def provider(name: str, version: str) -> Provided | None:
        assert version
        return provided.get(name.rpartition(":")[2])

    def read(ref: BlobRef) -> Path:
        assert folder is not None
        return folder / ref.sha256

    plan: Any = PLAN if ecosystem is PYTHON else SimpleNamespace(package=JAVA, target=TARGET)
    return link_lock(plan, lock, provider, ecosystem, policy=policy, read=read, stage=stage, seeds=seeds)


def own(name: str, content: str = "", **names: str) -> OutcomeFile:
    return file_of(wheel(name, **names), content or name)


def test_farms_own_wheel_takes_the_place_of_the_locked_one() -> None:
    lock = lock_of(locked("a"), locked("b"))
    result = own("a", build="2")
    linked = link(lock, a=Provided((result,)))
    assert linked.committed == lock.fingerprint()
    (first, second) = linked.lock.files
    assert (first.filename, first.sha256, first.size) == ("a-1.0-2-py3-none-any.whl", result.blob.sha256, 1)
    assert (first.origin, first.roles, first.purl) == ("farm", ("build",), purl_of("a", "1.0"))
    assert second == locked("b")
    (stand_in,) = linked.stand_ins
    assert (stand_in.locked, stand_in.file) == (wheel("a"), first)
    assert (stand_in.signature, stand_in.provenance) == (result.signature, result.provenance)
    assert linked.digests == {wheel("a"): result.blob.sha256}
    assert str(RebuiltShare.of(linked.lock.files)) == "1/2"


def test_the_wheel_is_the_one_that_an_installer_would_take() -> None:
    native = "cp311-cp311-linux_x86_64"
    files = (
        own("a", "pure"), own("a", "pure 2", build="2"), own("a", "native", tag=native),
        own("a", "native 10", tag=native, build="10"), own("a", "native 9", tag=native, build="9"),
        own("a", "other python", tag="cp313-cp313-linux_x86_64", build="99"),
        own("other", "of another name", build="99"),
        file_of("a-1.0.tar.gz", "no wheel"),
    )  # fmt: skip
    (found,) = link(lock_of(locked("a")), a=Provided(files)).lock.files
    assert found.filename == "a-1.0-10-cp311-cp311-linux_x86_64.whl"
    (found,) = link(lock_of(locked("a")), a=Provided(files[:2])).lock.files
    assert found.filename == "a-1.0-2-py3-none-any.whl"


def test_a_jar_is_the_one_at_the_very_path(tmp_path: Path) -> None:
    path = "org/example/a/1.0/a-1.0.jar"
    result = file_of("a-1.0.jar", "jar", path=path)
    (tmp_path / result.blob.sha256).write_bytes(b"jar")
    before = locked("org.example:a", path, sha1="1" * 40, repository="central")
    others = (file_of("a-1.0.pom", "pom", path="org/example/a/1.0/a-1.0.pom"), file_of("a-1.0.jar", "no path"))
    (found,) = link(lock_of(before), ecosystem=MAVEN, folder=tmp_path, a=Provided((*others, result))).lock.files
    assert (found.filename, found.sha256, found.origin) == (path, result.blob.sha256, "farm")
    assert found.sha1 == hashlib.sha1(b"jar").hexdigest()  # noqa: S324 - what Maven checks
    assert found.repository == "central"
    (found,) = link(lock_of(before), ecosystem=MAVEN, a=Provided(others)).lock.files
    assert found == before


def test_a_jar_with_the_bytes_of_upstream_is_farms_own_all_the_same() -> None:
    path = "org/example/a/1.0/a-1.0.jar"
    result = file_of("a-1.0.jar", "jar", path=path)
    before = locked("org.example:a", path, sha1="1" * 40, sha256=result.blob.sha256)
    (found,) = link(lock_of(before), ecosystem=MAVEN, a=Provided((result,))).lock.files  # no bytes are read
    assert (found.origin, found.sha1) == ("farm", "1" * 40)


def test_policy_locked_takes_what_the_lock_names() -> None:
    lock = lock_of(locked("a"))
    linked = link(lock, "locked", a=Provided((own("a"),)))
    assert (linked.lock, linked.stand_ins) == (lock, ())


def test_rebuilt_only_names_everything_that_is_left() -> None:
    lock = lock_of(
        locked("a"), locked("nobody"), locked("unbuilt"), locked("elsewhere"), locked("own", origin="farm"),
        locked("metadata", "maven-metadata.xml", version=""),
    )  # fmt: skip
    other = own("elsewhere", tag="cp313-cp313-linux_x86_64")
    provided: dict[str, Any] = {"a": Provided((own("a"),)), "unbuilt": Provided(()), "elsewhere": Provided((other,))}
    with pytest.raises(NotRebuiltError) as caught:
        link(lock, "rebuilt-only", **provided)
    assert caught.value.details["inputs"] == [
        "nobody-1.0-py3-none-any.whl (no recipe provides it)",
        "unbuilt-1.0-py3-none-any.whl (its recipe is not built yet)",
        "elsewhere-1.0-py3-none-any.whl (its recipe has no file for this target)",
        "maven-metadata.xml (no recipe provides it)",
    ]
    assert "4 of its inputs" in caught.value.message
    assert len(link(lock, **provided).stand_ins) == 1
    assert link(lock_of(locked("a")), "rebuilt-only", a=provided["a"]).stand_ins
    assert link(lock_of(), "rebuilt-only").stand_ins == ()


def test_a_long_list_of_what_is_left_is_cut() -> None:
    with pytest.raises(NotRebuiltError, match="and 12 more"):
        link(lock_of(*(locked(f"n{number}") for number in range(20))), "rebuilt-only")


def test_a_seed_is_upstreams_file_and_named() -> None:
    lock = lock_of(locked("a"), locked("seed"))
    for policy in ("rebuilt-first", "rebuilt-only"):
        linked = link(lock, policy, a=Provided((own("a"),)), seed=Provided((), seed=True), stage=1)
        assert linked.seeds == (f"{wheel('seed')} sha256:{digest('upstream', 'seed')}",)
        assert [file.origin for file in linked.lock.files] == ["farm", "index"]
        assert linked.stage == 1


def test_what_is_no_package_of_the_language_has_no_recipe() -> None:
    """A crate can be called like a Python package."""
    crate = locked("a", "a-1.0.crate", purl="pkg:cargo/a@1.0")
    assert link(lock_of(crate), a=Provided((own("a"),))).lock.files == (crate,)
    with pytest.raises(NotRebuiltError, match="no recipe provides it"):
        link(lock_of(crate), "rebuilt-only", a=Provided((own("a"),)))


def test_what_a_cycle_began_with_is_remembered_in_its_later_stages() -> None:
    linked = link(lock_of(locked("a")), a=Provided((own("a"),)), stage=2, seeds=("b.whl sha256:0",))
    assert (linked.seeds, linked.stage) == (("b.whl sha256:0",), 2)
    assert [file.origin for file in linked.lock.files] == ["farm"]


# --- what was published last ------------------------------------------------------------------------------------------


def fields_of(package: str, target: str, recipe: str) -> KeyFields:
    return KeyFields(
        package=package, target=target, recipe=digest(recipe), source_tree=digest("t"), source_epoch=1,
        image=digest("i"), lock=digest("l"), compressor="z", rules=1,
    )  # fmt: skip


def publish(vault: S3Vault, name: str, content: str, *, target: Any = TARGET) -> OutcomeFile:
    plan = plan_of(name, "1.0").model_copy(update={"target": target})
    result = own(name, content)
    outcome = outcome_of(fields_of(str(plan.package), target.key, content), [result])
    note_current(vault, plan, outcome.build_key)
    record_outcome(vault, outcome)
    return result


def test_outside_of_a_catalogs_run_the_newest_published_result_counts() -> None:
    vault = S3Vault(MemoryStore())
    publish(vault, "zope-interface", "old")
    newest = publish(vault, "zope-interface", "new")
    other = publish(vault, "zope-interface", "313", target=OTHER_TARGET)
    results = CurrentResults(vault, "python")
    for name, version in (("zope-interface", "1.0"), ("Zope.Interface", "v1.0")):
        found = results(name, version)
        assert found is not None
        assert set(found.files) == {newest, other}
    assert results("zope-interface", "2.0") is None
    assert results("nobody", "1.0") is None
    assert CurrentResults(vault, "maven")("zope-interface", "1.0") is None


def test_a_note_without_its_result_is_a_recipe_that_is_not_built() -> None:
    """Killed between the note and the record: the next run builds, and records, again."""
    vault = S3Vault(MemoryStore())
    note_current(vault, plan_of("a", "1.0"), digest("never recorded"))
    found = CurrentResults(vault, "python")("a", "1.0")
    assert found is not None
    assert found.files == ()


def test_a_result_that_was_forgotten_is_nobodys() -> None:
    vault = S3Vault(MemoryStore())
    publish(vault, "zope-interface", "old")
    forget_current(vault, "python", ["zope-interface"], "1.0", TARGET.key)
    assert CurrentResults(vault, "python")("zope-interface", "1.0") is None


def test_one_listing_is_enough() -> None:
    store = MemoryStore()
    vault = S3Vault(store)
    publish(vault, "a", "a")
    asked: list[str] = []
    store.before = lambda operation, _: asked.append(operation)
    results = CurrentResults(vault, "python")
    for name in ("a", "b", "c", "d"):
        results(name, "1.0")
    assert asked.count("list") == 1
