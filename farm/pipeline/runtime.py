"""What one process needs to run steps: settings, vault, sandbox, ecosystems; each made on its first use."""

from __future__ import annotations

import shutil
import tempfile
from contextlib import contextmanager
from dataclasses import dataclass
from functools import cached_property
from importlib import import_module
from pathlib import Path
from typing import TYPE_CHECKING

from farm.ecosystems.base import StepContext, nothing, unheard
from farm.errors import RecipeError
from farm.languages import language_names
from farm.sandbox.owner import is_gone, own_mark

if TYPE_CHECKING:
    from collections.abc import Callable, Iterator, Mapping

    from farm.config import Settings
    from farm.ecosystems.base import Ecosystem
    from farm.model.build import ImageIdentity
    from farm.model.lock import StandIn
    from farm.model.source import SourceSnapshot
    from farm.repository.gate import Gate
    from farm.sandbox.base import Sandbox
    from farm.store.cache import BlobCache
    from farm.store.s3 import ObjectStore
    from farm.store.vault import S3Vault

__all__ = ["Runtime"]


@dataclass(frozen=True)
class Runtime:
    """The means of the steps. Frozen; its parts are made on first use and kept for the life of the process."""

    settings: Settings

    @cached_property
    def vault(self) -> S3Vault:
        """The content-addressed store."""
        from farm.store.vault import open_vault  # noqa: PLC0415 - boto3 is imported with it

        return open_vault(self.settings)

    @cached_property
    def cache(self) -> BlobCache:
        """Blobs of the vault as files of this host."""
        from farm.store.cache import BlobCache  # noqa: PLC0415 - beside the vault

        return BlobCache(self.vault, self.settings.data / "cache" / "blobs")

    @cached_property
    def repository(self) -> ObjectStore:
        """The bucket that consumers read."""
        from farm.store.s3 import open_store  # noqa: PLC0415 - boto3 is imported with it

        return open_store(self.settings, self.settings.s3.repository_bucket)

    @cached_property
    def sandbox(self) -> Sandbox:
        """Where foreign code runs."""
        from farm.sandbox.docker import DockerSandbox  # noqa: PLC0415 - the Docker SDK is imported with it
        from farm.sandbox.engine import remove_orphans  # noqa: PLC0415 - the same

        remove_orphans(self.settings)  # of farm processes that were killed
        return DockerSandbox(self.settings)

    def ecosystem(self, name: str) -> Ecosystem:
        """Return the ecosystem called `name`.

        Raises:
            RecipeError: farm does not know it.
        """
        if name not in language_names():
            msg = f"unknown ecosystem {name!r}; known: {', '.join(language_names())}"
            raise RecipeError(msg)
        # Only what a recipe needs is imported.
        found: Ecosystem = import_module(f"farm.ecosystems.{name}.ecosystem").ECOSYSTEM
        return found

    def image(self, name: str) -> ImageIdentity:
        """Return the builder image `name` as it is on this host."""
        from farm.image.builder import find_image  # noqa: PLC0415 - the Docker SDK is imported with it

        return find_image(self.settings, name)

    @property
    def signer_socket(self) -> Path:
        """Where the signer listens."""
        from farm.services.registry import signer_address  # noqa: PLC0415 - psutil is imported with it

        return signer_address(self.settings)

    def own_index(self, ecosystem: str) -> str:
        """Return the address of farm's own repository for `ecosystem`, empty when it is not being served."""
        from farm.services.registry import service_url  # noqa: PLC0415 - psutil is imported with it

        url = service_url(self.settings, "index")
        return f"{url}/{self.ecosystem(ecosystem).index_path}" if url else ""

    @cached_property
    def _gate(self) -> Gate:
        from farm.repository.sigstore_gate import open_gate  # noqa: PLC0415 - sigstore is imported with it

        return open_gate(self.settings)

    @cached_property
    def _verified(self) -> set[tuple[str, ...]]:
        """Farm's own results that verified in this process: digests, with everything that was held against them."""
        return set()

    def verify_own(self, stand_in: StandIn, path: Path, ecosystem: str) -> None:
        """Verify a result of farm's own, whose bytes are at `path`, before a build reads it; once in a process.

        Raises:
            InputDigestError: it does not verify, or is of another package.
            BlobMissingError, BlobCorruptError: its bundles are not in the vault.
        """
        from farm.pipeline.linking import verify_stand_in  # noqa: PLC0415 - the repository is imported with it

        file = stand_in.file
        known = (file.sha256, file.filename, ecosystem, file.name, file.version, stand_in.build_key)
        if known in self._verified:
            return
        signature, provenance = (self.vault.read(ref).decode() for ref in (stand_in.signature, stand_in.provenance))
        verify_stand_in(stand_in, path, self._gate, (signature, provenance), ecosystem)
        self._verified.add(known)

    @cached_property
    def made(self) -> set[SourceSnapshot]:
        """The source snapshots that this process made from their pins itself: they need no proof."""
        return set()

    @cached_property
    def _scratch_root(self) -> Path:
        """Where scratch folders are; once, those of processes that were killed are taken away."""
        root = self.settings.data / "work"
        for folder in list(root.iterdir()) if root.is_dir() else ():
            _, _, mark = folder.name.partition(".")
            if is_gone(mark.rpartition(".")[0].replace(".", "/")):
                shutil.rmtree(folder, ignore_errors=True)
        return root

    @contextmanager
    def scratch(self, step: str) -> Iterator[Path]:
        """Give a private folder below the data folder; it is removed at the end, whatever happens."""
        root = self._scratch_root
        root.mkdir(parents=True, exist_ok=True)
        mark = own_mark().replace("/", ".")  # another process tells by it whether this one still lives
        folder = Path(tempfile.mkdtemp(prefix=f"{step}.{mark}.", dir=root))
        try:
            yield folder
        finally:
            shutil.rmtree(folder, ignore_errors=True)

    @contextmanager
    def context(
        self,
        step: str,
        ecosystem: str,
        image: ImageIdentity,
        tell: Callable[[str], None] = unheard,
        published: Callable[[], Mapping[str, str]] = nothing,
    ) -> Iterator[StepContext]:
        """Give a step its context with a scratch folder of its own."""
        with self.scratch(step) as work:
            yield StepContext(
                settings=self.settings,
                vault=self.vault,
                cache=self.cache,
                sandbox=self.sandbox,
                image=image,
                work=work,
                own_index=self.own_index(ecosystem),
                tell=tell,
                published=published,
            )
