from __future__ import annotations

from tests.fixtures_repository import bucket, index, s3, s3_server, store, vault

__all__ = ["bucket", "index", "s3", "s3_server", "store", "vault"]
