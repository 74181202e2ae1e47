from __future__ import annotations

import itertools
import shutil
import ssl
from dataclasses import dataclass
from functools import cache
from pathlib import Path
from typing import TYPE_CHECKING

import httpx
import pytest

from farm.config import Settings
from farm.ecosystems.base import StepContext
from farm.ecosystems.python.ecosystem import PythonEcosystem
from farm.ecosystems.python.locate import locate_sdist
from farm.errors import BlobMissingError
from farm.image.builder import ensure_image
from farm.model.base import BlobRef, sha256_bytes, sha256_file
from farm.model.source import SourceSnapshot
from farm.sandbox.docker import DockerSandbox
from farm.source.tree import scan, tree_digest, write_tar
from farm.source.unpack import unpack
from farm.store.cache import BlobCache

if TYPE_CHECKING:
    from collections.abc import Callable, Iterator, Mapping

    from farm.model.build import Artifact, BuildResult, ImageIdentity
    from farm.model.lock import Lock
    from farm.model.plan import ArchivePin, BuildPlan

REPOSITORY = Path(__file__).parents[3]
EPOCH = 1700000000


class FolderVault:
    """A vault in a folder: the protocol without a server."""

    def __init__(self, folder: Path) -> None:
        self._folder = folder
        folder.mkdir(parents=True, exist_ok=True)

    def put_file(self, path: Path) -> BlobRef:
        ref = sha256_file(path)
        shutil.copyfile(path, self._folder / ref.sha256)
        return ref

    def put_bytes(self, data: bytes) -> BlobRef:
        ref = BlobRef(sha256=sha256_bytes(data), size=len(data))
        (self._folder / ref.sha256).write_bytes(data)
        return ref

    def has(self, ref: BlobRef) -> bool:
        path = self._folder / ref.sha256
        return path.exists() and path.stat().st_size == ref.size

    def fetch(self, ref: BlobRef, target: Path) -> None:
        path = self._folder / ref.sha256
        if not path.exists():
            raise BlobMissingError(f"no blob {ref.sha256}")
        shutil.copyfile(path, target)
        assert sha256_file(target) == ref

    def read(self, ref: BlobRef) -> bytes:
        return (self._folder / ref.sha256).read_bytes()

    def put_record(self, kind: str, key: str, data: bytes) -> None:
        (self._folder / f"{kind}-{key}").write_bytes(data)

    def get_record(self, kind: str, key: str) -> bytes | None:
        path = self._folder / f"{kind}-{key}"
        return path.read_bytes() if path.exists() else None


@dataclass
class Bench:
    """Runs the steps of the Python ecosystem on small projects, each step in a scratch folder of its own."""

    folder: Path
    settings: Settings
    vault: FolderVault
    image: ImageIdentity
    counter: Iterator[int]

    def context(self) -> StepContext:
        work = self.folder / f"step-{next(self.counter)}"
        work.mkdir()
        cache = BlobCache(self.vault, self.folder / "cache")
        return StepContext(self.settings, self.vault, DockerSandbox(self.settings), self.image, work, cache)

    def project(self, files: Mapping[str, str]) -> SourceSnapshot:
        root = self.folder / f"project-{next(self.counter)}"
        for name, text in files.items():
            path = root / name
            path.parent.mkdir(parents=True, exist_ok=True)
            path.write_text(text, encoding="utf-8")
        return self.snapshot(root)

    def sdist(self, pin: ArchivePin) -> SourceSnapshot:
        found = locate_sdist(pin, self.settings)
        with httpx.Client(verify=ssl.create_default_context(), follow_redirects=True) as client:
            answer = client.get(found.url, headers=dict(found.headers)).raise_for_status()
        archive = self.folder / found.filename
        archive.write_bytes(answer.content)
        assert sha256_file(archive).sha256 == pin.sha256
        root = self.folder / f"source-{next(self.counter)}"
        root.mkdir()
        unpack(archive, root)
        (top,) = root.iterdir()
        return self.snapshot(top)

    def snapshot(self, root: Path) -> SourceSnapshot:
        entries = scan(root)
        tar = self.folder / f"source-{next(self.counter)}.tar"
        write_tar(root, entries, EPOCH, tar)
        return SourceSnapshot(
            strength="archive",
            uri="pkg:pypi/sample",
            tree_digest=tree_digest(entries),
            archive=self.vault.put_file(tar),
            epoch=EPOCH,
            files=len(entries),
            size=0,
        )

    def build(self, plan: BuildPlan, snapshot: SourceSnapshot, lock: Lock) -> BuildResult:
        return PythonEcosystem().build(plan, snapshot, lock, self.context())

    def finish(
        self,
        plan: BuildPlan,
        snapshot: SourceSnapshot,
        result: BuildResult,
        documents: Mapping[str, bytes] | None = None,
    ) -> Artifact:
        embedded = dict(documents or {"farm.cdx.json": b'{"bomFormat":"CycloneDX"}'})
        (artifact,) = PythonEcosystem().finish(plan, snapshot, result, lambda _: embedded, self.context())
        return artifact


@pytest.fixture(scope="session")
def image_of(tmp_path_factory: pytest.TempPathFactory) -> Callable[[str], ImageIdentity]:
    settings = Settings(data=tmp_path_factory.mktemp("image"), images=REPOSITORY / "images")
    return cache(lambda name: ensure_image(settings, name).identity)


@pytest.fixture(scope="session")
def image(image_of: Callable[[str], ImageIdentity]) -> ImageIdentity:
    return image_of("python311")


@pytest.fixture
def bench(tmp_path: Path, image: ImageIdentity) -> Bench:
    settings = Settings(data=tmp_path / "data", images=REPOSITORY / "images")
    return Bench(tmp_path, settings, FolderVault(tmp_path / "vault"), image, itertools.count())
