"""`python -m farm.services.index_server --port N`: the repositories of all languages as a process of their own."""

from __future__ import annotations

import argparse
from typing import TYPE_CHECKING

import uvicorn

from farm.config import load_settings
from farm.ecosystems.repositories import layouts
from farm.repository.app import create_app

if TYPE_CHECKING:
    from collections.abc import Sequence

    from starlette.applications import Starlette

    from farm.config import Settings
    from farm.store.objects import ObjectStore

__all__ = ["application", "main", "serve"]


def application(settings: Settings) -> Starlette:
    """Return the application over the bucket that `settings` name; the store is opened with the first request."""

    def open_repository() -> ObjectStore:
        from farm.store.s3 import open_store  # noqa: PLC0415 - half a second of boto3 after the port is open

        return open_store(settings, settings.s3.repository_bucket)

    return create_app(open_repository, layouts())


def serve(settings: Settings, *, host: str = "127.0.0.1", port: int) -> None:
    """Serve the repository's bucket until the process is told to stop."""
    uvicorn.run(application(settings), host=host, port=port, server_header=False, timeout_graceful_shutdown=5)


def main(argv: Sequence[str] | None = None) -> None:
    """Parse the command line and serve."""
    parser = argparse.ArgumentParser(prog="python -m farm.services.index_server", description=__doc__)
    parser.add_argument("--port", type=int, required=True)
    parser.add_argument("--host", default="127.0.0.1", help="address to listen on (default: loopback only)")
    chosen = parser.parse_args(argv)
    serve(load_settings(), host=chosen.host, port=chosen.port)


if __name__ == "__main__":
    main()
