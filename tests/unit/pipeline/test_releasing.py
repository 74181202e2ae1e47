"""What was kept of a cycle's last stage is published as it was built, or is built again."""

from __future__ import annotations

from types import SimpleNamespace
from typing import TYPE_CHECKING, Any, TypeVar, cast

import pytest

from farm.ecosystems.python.repository.layout import LAYOUT
from farm.errors import BlobCorruptError, BlobMissingError, FarmError, ImmutableError
from farm.model.key import KeyFields
from farm.model.outcome import OutcomeFile
from farm.pipeline import releasing
from farm.pipeline.chain import PUBLISHED, RunIdentity, release_package
from farm.repository.model import BUNDLE, PROVENANCE_BUNDLE
from farm.repository.publish import publish
from farm.store.vault import S3Vault
from tests.fixtures_nodes import outcome_of
from tests.fixtures_repository import FixedGate, MemoryStore, make_wheel, publication_of

if TYPE_CHECKING:
    from collections.abc import Callable
    from pathlib import Path

    from farm.model.outcome import Outcome
    from farm.repository.model import Publication

T = TypeVar("T")


class Kept:
    """A result in the vault that is to be published."""

    def __init__(self, folder: Path, monkeypatch: pytest.MonkeyPatch) -> None:
        self.folder = folder
        self.vault, self.store = S3Vault(MemoryStore()), MemoryStore()
        self.publication = self.made(make_wheel(folder))
        package = self.publication.package
        fields = KeyFields(
            package=str(package), target="cp311-linux-amd64", recipe="1" * 64, source_tree="2" * 64, source_epoch=1,
            image="3" * 64, lock="4" * 64, compressor="z", rules=1,
        )  # fmt: skip
        self.publication = self.publication.model_copy(update={"build_key": fields.key})
        self.outcome = outcome_of(fields, map(self._file, self.publication.files))
        target = SimpleNamespace(key=fields.target)
        self.plan: Any = SimpleNamespace(package=package, target=target, recipe_path="", build=None)
        self.signed_for = fields.key
        monkeypatch.setattr(releasing, "read_bundle", lambda _: SimpleNamespace(build_key=self.signed_for))
        monkeypatch.setattr(releasing, "publish_build", self._publish)
        self.hold(self.publication)

    def made(self, wheel: Any) -> Publication:
        found = publication_of(self.vault, wheel)
        return found.model_copy(update={"names": LAYOUT.declared(cast("Any", SimpleNamespace(package=found.package)))})

    def _file(self, file: Any) -> OutcomeFile:
        return OutcomeFile(
            filename=file.filename, blob=file.blob, raw_sha256="0" * 64, signature=file.sidecars[BUNDLE],
            provenance=file.sidecars[PROVENANCE_BUNDLE],
        )  # fmt: skip

    def hold(self, publication: Publication) -> None:
        self.vault.put_record("held", self.outcome.build_key, publication.canonical())

    def _publish(self, _rt: Any, publication: Publication) -> Any:
        return publish(
            publication, layout=LAYOUT, vault=self.vault, store=self.store, gate=FixedGate(), run_dir=self.folder,
            work=self.folder,
        )  # fmt: skip

    def later(self) -> None:
        """Publish a later build of the version."""
        path, metadata = make_wheel(self.folder, payload="VALUE = 2\n")
        later = path.rename(path.with_name(path.name.replace("-py3-", "-1-py3-")))
        self._publish(None, publication_of(self.vault, (later, metadata)))

    def release(self) -> Outcome:
        rt: Any = SimpleNamespace(vault=self.vault, repository=self.store)
        return releasing.release(rt, self.plan, self.outcome)


@pytest.fixture
def kept(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Kept:
    return Kept(tmp_path, monkeypatch)


def test_what_was_kept_is_published(kept: Kept) -> None:
    assert kept.release().written == tuple(file.filename for file in kept.outcome.files)


def test_nothing_but_this_build_is_published(kept: Kept) -> None:
    """Whoever can write to the vault could name anything that was ever signed: an earlier stage, another package."""
    other = kept.made(make_wheel(kept.folder, payload="VALUE = 2\n"))
    key = kept.publication.build_key
    for forged in (
        other.model_copy(update={"build_key": key}),
        kept.publication.model_copy(update={"build_key": "0" * 64}),
        kept.publication.model_copy(update={"names": ("another", *kept.publication.names)}),
    ):
        kept.hold(forged)
        with pytest.raises(BlobMissingError, match="of another build"):
            kept.release()
    kept.hold(kept.publication)
    kept.signed_for = "1" * 64
    with pytest.raises(BlobMissingError, match="of another build"):
        kept.release()
    assert kept.store.objects == {}


def test_what_a_later_build_superseded_is_not_taken_for_published(kept: Kept) -> None:
    kept.release()
    kept.later()
    with pytest.raises(ImmutableError, match="superseded"):
        kept.release()


@pytest.mark.parametrize("kind", [BlobMissingError, BlobCorruptError, ImmutableError])
def test_what_cannot_be_published_is_built_again(kept: Kept, kind: type[FarmError]) -> None:
    names: list[str] = []

    def call(name: str, step: Callable[..., T], /, *values: Any) -> T:
        del step, values
        names.append(name)
        if name == "publish" and names.count("publish") == 1:
            raise kind("no")
        found: dict[str, Any] = {"reuse": None, "proof": "source", "job": SimpleNamespace(record="record")}
        return cast("T", found.get(name, name))

    release_package("python/x", kept.outcome, run=RunIdentity.new("run"), call=call, image="", inputs=PUBLISHED)
    assert names[-2:] == ["publish", "close"]
    assert names.count("build") == 1
