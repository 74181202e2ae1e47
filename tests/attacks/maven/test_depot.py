"""Somebody changes a file on its way from the lock to Maven."""

from __future__ import annotations

from typing import TYPE_CHECKING

import pytest

from farm.ecosystems.maven.ecosystem import ECOSYSTEM
from farm.errors import BlobCorruptError, LockStaleError
from tests.fixtures_maven_bench import variant
from tests.fixtures_source import MemoryVault

if TYPE_CHECKING:
    from farm.model.lock import LockedFile
    from tests.fixtures_maven_bench import MavenBench, Sample

pytestmark = pytest.mark.docker


def plugin(sample: Sample) -> LockedFile:
    (found,) = [f for f in sample.lock.files if "/maven-clean-plugin-" in f.filename and f.filename.endswith(".jar")]
    return found


def test_a_checksum_in_the_lock_that_is_another_files(bench: MavenBench, sample: Sample) -> None:
    file = plugin(sample)
    files = tuple(f if f != file else f.model_copy(update={"sha1": "0" * 40}) for f in sample.lock.files)
    with pytest.raises(LockStaleError, match=r"another SHA-1 than .*/maven-clean-plugin-"):
        bench.build(sample.plan, sample.snapshot, sample.lock.model_copy(update={"files": files}))


def test_a_blob_of_the_vault_never_reaches_maven(bench: MavenBench, sample: Sample) -> None:
    file = plugin(sample)
    vault = MemoryVault(dict(bench.vault.blobs))
    vault.flip(file.ref)
    with pytest.raises(BlobCorruptError):
        ECOSYSTEM.build(sample.plan, sample.snapshot, sample.lock, bench.context(vault=vault))
    assert vault.quarantine == [file.sha256]


def test_a_distribution_of_another_digest_is_not_in_a_lock_that_passes(bench: MavenBench, sample: Sample) -> None:
    requirements = {**sample.lock.requirements, "maven": (sample.lock.requirements["maven"][0], "0" * 64)}
    with pytest.raises(LockStaleError, match="Maven"):
        bench.build(sample.plan, sample.snapshot, sample.lock.model_copy(update={"requirements": requirements}))


def test_the_lock_of_another_source(bench: MavenBench, sample: Sample) -> None:
    snapshot, _ = variant(
        sample, bench, {"lib/src/main/java/org/example/Evil.java": "package org.example; class Evil {}"}
    )
    with pytest.raises(LockStaleError, match="source tree"):
        bench.build(sample.plan, snapshot, sample.lock)
