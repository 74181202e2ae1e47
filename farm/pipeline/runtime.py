"""What one process needs to run steps: settings, vault, sandbox, ecosystems; each made on its first use."""

from __future__ import annotations

import shutil
import tempfile
from contextlib import contextmanager
from dataclasses import dataclass
from functools import cached_property
from pathlib import Path
from typing import TYPE_CHECKING

from farm.ecosystems.base import StepContext
from farm.errors import RecipeError
from farm.sandbox.owner import is_gone, own_mark

if TYPE_CHECKING:
    from collections.abc import Iterator

    from farm.config import Settings
    from farm.ecosystems.base import Ecosystem
    from farm.model.build import ImageIdentity
    from farm.model.source import SourceSnapshot
    from farm.sandbox.base import Sandbox
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
        if name == "python":
            from farm.ecosystems.python import PythonEcosystem  # noqa: PLC0415 - only what a recipe needs is imported

            return PythonEcosystem()
        msg = f"unknown ecosystem {name!r}; known: python"
        raise RecipeError(msg)

    def image(self, name: str) -> ImageIdentity:
        """Return the builder image `name` as it is on this host."""
        from farm.image.builder import find_image  # noqa: PLC0415 - the Docker SDK is imported with it

        return find_image(self.settings, name)

    @property
    def signer_socket(self) -> Path:
        """Where the signer listens."""
        from farm.services.registry import signer_address  # noqa: PLC0415 - psutil is imported with it

        return signer_address(self.settings)

    @property
    def own_index(self) -> str:
        """Address of farm's own Python index, empty when it is not being served."""
        from farm.services.registry import service_url  # noqa: PLC0415 - psutil is imported with it

        url = service_url(self.settings, "index")
        return f"{url}/simple/" if url else ""

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
    def context(self, step: str, image: ImageIdentity) -> Iterator[StepContext]:
        """Give a step its context with a scratch folder of its own."""
        with self.scratch(step) as work:
            yield StepContext(
                settings=self.settings,
                vault=self.vault,
                sandbox=self.sandbox,
                image=image,
                work=work,
                own_index=self.own_index,
            )
