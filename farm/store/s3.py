"""The ObjectStore over S3. The only module that imports boto3 (half a second): import it late.

Uploads go out as single PUTs from an open file: the object appears whole or not at all on every server, and nothing is
held in memory. S3 allows 5 GiB that way, which is far above any package.
"""

from __future__ import annotations

from contextlib import closing, contextmanager
from typing import TYPE_CHECKING, Any, Final

import boto3
from botocore.config import Config
from botocore.exceptions import BotoCoreError, ClientError

from farm.errors import BlobCorruptError, ConfigError, StoreUnavailableError
from farm.model.base import CHUNK
from farm.net import is_loopback
from farm.store.config import s3_config
from farm.store.objects import BINARY, SMALL, ObjectInfo, ObjectStore, OpenObject

if TYPE_CHECKING:
    from collections.abc import Iterator
    from pathlib import Path
    from typing import BinaryIO

    from mypy_boto3_s3.client import S3Client
    from mypy_boto3_s3.type_defs import HeadObjectOutputTypeDef

    from farm.config import Settings
    from farm.store.config import S3Config

__all__ = ["ObjectStore", "S3Store", "ensure_bucket", "open_store"]

CONNECT_SECONDS: Final = 3
READ_SECONDS: Final = 20
"""Between two bytes. Servers that hash a large object before they answer need some of it."""
ATTEMPTS: Final = 2

_ABSENT: Final = frozenset({"404", "NoSuchKey", "NotFound"})
_CONFLICT: Final = frozenset({"409", "412", "ConditionalRequestConflict", "PreconditionFailed"})
_LATER: Final = frozenset({408, 429})
"""Below 500, the statuses that another try can overcome."""
_OWNED: Final = frozenset({"BucketAlreadyExists", "BucketAlreadyOwnedByYou"})


def open_store(settings: Settings, bucket: str) -> S3Store:
    """Return the store for `bucket`; nothing is sent yet.

    Raises:
        StoreUnavailableError, ConfigError: see `farm.store.config.s3_config`.
    """
    return S3Store(s3_config(settings), bucket)


def ensure_bucket(store: S3Store) -> None:
    """Create the store's bucket unless it is there."""
    with _errors(store.config, f"create bucket {store.bucket}"):
        try:
            store.client.create_bucket(Bucket=store.bucket)
        except ClientError as error:
            if _code(error) not in _OWNED:
                raise
        # A name that is taken may be taken by somebody else: this one call tells.
        store.client.list_objects_v2(Bucket=store.bucket, MaxKeys=1)


class S3Store:
    """One bucket of one server. Clients of boto3 are thread-safe, so is this."""

    def __init__(self, config: S3Config, bucket: str) -> None:
        self.config = config
        self.bucket = bucket
        self.client = _client(config)

    def put_file(self, key: str, path: Path, *, content_type: str = BINARY) -> None:
        """See `ObjectStore.put_file`."""
        with path.open("rb") as stream:
            self._put(key, stream, content_type)

    def put_bytes(self, key: str, data: bytes, *, content_type: str = BINARY) -> None:
        """See `ObjectStore.put_bytes`."""
        self._put(key, data, content_type)

    def put_if(self, key: str, data: bytes, *, etag: str | None, content_type: str = BINARY) -> bool:
        """See `ObjectStore.put_if`."""
        try:
            self._put(key, data, content_type, **({"IfNoneMatch": "*"} if etag is None else {"IfMatch": f'"{etag}"'}))
        except _PreconditionError:
            return False
        return True

    @contextmanager
    def open(self, key: str, *, start: int = 0, end: int | None = None) -> Iterator[OpenObject | None]:
        """See `ObjectStore.open`."""
        what = f"read {self.bucket}/{key}"
        ranged: dict[str, Any] = {} if not start and end is None else {"Range": f"bytes={start}-{_blank(end)}"}
        with _errors(self.config, what):
            try:
                answer = self.client.get_object(Bucket=self.bucket, Key=key, **ranged)
            except ClientError as error:
                if _code(error) not in _ABSENT:
                    raise
                answer = None
        if answer is None:
            yield None
            return
        total = answer["ContentLength"]
        if "ContentRange" in answer:
            total = int(answer["ContentRange"].rpartition("/")[2])
        info = ObjectInfo(key=key, size=total, etag=answer["ETag"].strip('"'), modified=answer["LastModified"])
        body = answer["Body"]

        def chunks() -> Iterator[bytes]:
            with _errors(self.config, what):
                yield from body.iter_chunks(CHUNK)

        with closing(body):
            yield OpenObject(info=info, chunks=chunks())

    def get_bytes(self, key: str, *, limit: int = SMALL) -> bytes | None:
        """See `ObjectStore.get_bytes`."""
        with self.open(key) as found:
            if found is None:
                return None
            if found.info.size > limit:
                msg = f"{self.bucket}/{key} has {found.info.size} bytes where at most {limit} are expected"
                raise BlobCorruptError(msg)
            return b"".join(found.chunks)

    def head(self, key: str) -> ObjectInfo | None:
        """See `ObjectStore.head`."""
        with _errors(self.config, f"look at {self.bucket}/{key}"):
            try:
                answer = self.client.head_object(Bucket=self.bucket, Key=key)
            except ClientError as error:
                if _code(error) not in _ABSENT:
                    raise
                return None
        return _info(key, answer)

    def list(self, prefix: str) -> Iterator[ObjectInfo]:
        """See `ObjectStore.list`."""
        with _errors(self.config, f"list {self.bucket}/{prefix}"):
            for page in self.client.get_paginator("list_objects_v2").paginate(Bucket=self.bucket, Prefix=prefix):
                for item in page.get("Contents", ()):
                    yield ObjectInfo(
                        key=item["Key"],
                        size=item["Size"],
                        etag=item["ETag"].strip('"'),
                        modified=item["LastModified"],
                    )

    def folders(self, prefix: str) -> Iterator[str]:
        """See `ObjectStore.folders`."""
        pages = self.client.get_paginator("list_objects_v2")
        with _errors(self.config, f"list {self.bucket}/{prefix}"):
            for page in pages.paginate(Bucket=self.bucket, Prefix=prefix, Delimiter="/"):
                for item in page.get("CommonPrefixes", ()):
                    yield item["Prefix"].removeprefix(prefix).rstrip("/")

    def copy(self, source: str, target: str) -> bool:
        """See `ObjectStore.copy`."""
        with _errors(self.config, f"copy {self.bucket}/{source}"):
            try:
                self.client.copy_object(
                    Bucket=self.bucket, Key=target, CopySource={"Bucket": self.bucket, "Key": source}
                )
            except ClientError as error:
                if _code(error) not in _ABSENT:
                    raise
                return False
        return True

    def delete(self, key: str) -> None:
        """See `ObjectStore.delete`."""
        with _errors(self.config, f"delete {self.bucket}/{key}"):
            self.client.delete_object(Bucket=self.bucket, Key=key)

    def _put(self, key: str, body: bytes | BinaryIO, content_type: str, **conditions: Any) -> None:
        with _errors(self.config, f"write {self.bucket}/{key}"):
            self.client.put_object(Bucket=self.bucket, Key=key, Body=body, ContentType=content_type, **conditions)


class _PreconditionError(Exception):
    """The server honoured a condition: the write did not happen. Never leaves this module."""


def _client(config: S3Config) -> S3Client:
    session = boto3.session.Session()
    # Farm's keys only: neither a profile nor instance metadata may be asked for others.
    client: S3Client = session.client(
        "s3",
        endpoint_url=config.endpoint,
        region_name=config.region,
        aws_access_key_id=config.access_key.get_secret_value(),
        aws_secret_access_key=config.secret_key.get_secret_value(),
        config=Config(
            connect_timeout=CONNECT_SECONDS,
            read_timeout=READ_SECONDS,
            # An empty map means none; without one botocore takes the proxies of the environment.
            proxies={} if is_loopback(config.endpoint) else None,
            retries={"total_max_attempts": ATTEMPTS, "mode": "standard"},
            # Path style works with every server; the newer checksum trailers do not.
            s3={"addressing_style": "path"},
            request_checksum_calculation="when_required",
            response_checksum_validation="when_required",
        ),
    )
    return client


def _code(error: ClientError) -> str:
    return str(error.response.get("Error", {}).get("Code", ""))


def _blank(end: int | None) -> str:
    return "" if end is None else str(end)


def _info(key: str, answer: HeadObjectOutputTypeDef) -> ObjectInfo:
    return ObjectInfo(
        key=key,
        size=answer["ContentLength"],
        etag=answer["ETag"].strip('"'),
        modified=answer["LastModified"],
    )


@contextmanager
def _errors(config: S3Config, what: str) -> Iterator[None]:
    """Turn what botocore raises into farm's errors; `what` begins with a verb."""
    try:
        yield
    except ClientError as error:
        code = _code(error)
        if code in _CONFLICT:
            raise _PreconditionError from error
        reason = str(error.response.get("Error", {}).get("Message", "")) or code
        msg = f"the object store at {config.endpoint} refused to {what}: {code}: {reason}"
        status = int(error.response.get("ResponseMetadata", {}).get("HTTPStatusCode", 0))
        if 400 <= status < 500 and status not in _LATER:  # noqa: PLR2004 - HTTP: the request is to blame
            raise ConfigError(msg, remedy="Check s3.access_key, s3.secret_key and the bucket names.") from error
        raise StoreUnavailableError(msg) from error
    except BotoCoreError as error:
        msg = f"cannot {what}: the object store at {config.endpoint} does not answer ({type(error).__name__})"
        raise StoreUnavailableError(msg) from error
