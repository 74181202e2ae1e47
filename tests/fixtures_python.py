"""Synthetic wheels and plans, and an index on loopback, for the tests of the Python ecosystem."""

from __future__ import annotations

import base64
import hashlib
import json
import threading
import zipfile
from contextlib import contextmanager
from dataclasses import dataclass, field
from http.server import BaseHTTPRequestHandler, ThreadingHTTPServer
from typing import TYPE_CHECKING

import pytest

from farm.model.plan import ArchivePin, BuildPlan, BuildSpec, Limits, PackageId, Target, TestSpec

if TYPE_CHECKING:
    from collections.abc import Iterator, Mapping
    from pathlib import Path

ELF_X86 = b"\x7fELF\2\1\1" + bytes(11) + (62).to_bytes(2, "little") + bytes(44)
ELF_ARM = b"\x7fELF\2\1\1" + bytes(11) + (183).to_bytes(2, "little") + bytes(44)


def plan_of(
    name: str,
    version: str,
    *,
    build: BuildSpec | None = None,
    test: TestSpec | None = None,
    sha256: str = "0" * 64,
) -> BuildPlan:
    return BuildPlan(
        package=PackageId(ecosystem="python", name=name, version=version),
        recipe_path=f"python/{name}/recipe.yaml",
        recipe_digest="0" * 64,
        source=ArchivePin(kind="pypi-sdist", sha256=sha256, name=name, version=version),
        build=build or BuildSpec(image="python311"),
        test=test or TestSpec(),
        target=Target(platform="linux/amd64", interpreter="cp311"),
        limits=Limits(time_seconds=300, memory_mb=2048),
    )


def record_of(files: Mapping[str, bytes], own: str) -> bytes:
    lines = []
    for name, data in files.items():
        digest = base64.urlsafe_b64encode(hashlib.sha256(data).digest()).rstrip(b"=").decode()
        lines.append(f"{name},sha256={digest},{len(data)}\n")
    return ("".join(lines) + f"{own},,\n").encode()


def wheel_files(
    name: str = "sample",
    version: str = "1.0",
    *,
    tag: str = "py3-none-any",
    pure: bool | None = None,
    files: Mapping[str, bytes] | None = None,
    metadata: str = "",
    wheel: str = "",
) -> dict[str, bytes]:
    """Return the files of a right wheel, RECORD last; tests then damage them."""
    info = f"{name}-{version}.dist-info"
    is_pure = tag.endswith("-any") if pure is None else pure
    words = "true" if is_pure else "false"
    found: dict[str, bytes] = dict(files if files is not None else {f"{name}/__init__.py": b"X = 1\n"})
    found[f"{info}/METADATA"] = (metadata or f"Metadata-Version: 2.1\nName: {name}\nVersion: {version}\n").encode()
    found[f"{info}/WHEEL"] = (
        wheel or f"Wheel-Version: 1.0\nGenerator: test\nRoot-Is-Purelib: {words}\nTag: {tag}\n"
    ).encode()
    found[f"{info}/RECORD"] = record_of(found, f"{info}/RECORD")
    return found


def write_wheel(
    folder: Path, files: Mapping[str, bytes], name: str = "sample-1.0-py3-none-any.whl", *, packed: bool = True
) -> Path:
    path = folder / name
    with zipfile.ZipFile(path, "w", zipfile.ZIP_DEFLATED if packed else zipfile.ZIP_STORED) as out:
        for entry, data in files.items():
            out.writestr(zipfile.ZipInfo(entry, (2020, 2, 2, 0, 0, 0)), data, out.compression)
    return path


@dataclass
class IndexDouble:
    """A simple index on loopback: project → filename → content."""

    projects: dict[str, dict[str, bytes]] = field(default_factory=dict)
    credentials: str = ""
    html: bool = False
    stated: dict[str, str] = field(default_factory=dict)
    """Digests that the page claims, where they are not the right ones."""
    uploaded: dict[str, str] = field(default_factory=dict)
    """File → what its page says of the time of its upload (PEP 700)."""
    yanked: set[str] = field(default_factory=set)
    requests: list[tuple[str, str]] = field(default_factory=list)
    port: int = 0

    @property
    def url(self) -> str:
        user = f"{self.credentials}@" if self.credentials else ""
        return f"http://{user}127.0.0.1:{self.port}/simple/"

    def page(self, project: str) -> tuple[str, bytes]:
        files = self.projects[project]
        digests = {name: self.stated.get(name, hashlib.sha256(data).hexdigest()) for name, data in files.items()}
        if self.html:
            links = "".join(
                f'<a href="/files/{n}#sha256={d}"{" data-yanked" if n in self.yanked else ""}>{n}</a>'
                for n, d in digests.items()
            )
            return "text/html", f"<!DOCTYPE html><html><body>{links}</body></html>".encode()
        listed = [
            {"filename": n, "url": f"/files/{n}", "hashes": {"sha256": d} if d else {}, "yanked": n in self.yanked}
            | ({"upload-time": self.uploaded[n]} if n in self.uploaded else {})
            for n, d in digests.items()
        ]
        body = {"meta": {"api-version": "1.99"}, "name": project, "files": listed}
        return "application/vnd.pypi.simple.v1+json", json.dumps(body).encode()

    def answer(self, path: str, authorization: str) -> tuple[int, str, bytes]:
        self.requests.append((path, authorization))
        if self.credentials:
            wanted = "Basic " + base64.b64encode(self.credentials.encode()).decode()
            if authorization != wanted:
                return 401, "text/plain", b""
        parts = path.strip("/").split("/")
        if parts[0] == "simple" and parts[1] in self.projects:
            return (200, *self.page(parts[1]))
        for files in self.projects.values():
            if parts[0] == "files" and parts[1] in files:
                return 200, "application/octet-stream", files[parts[1]]
        return 404, "text/plain", b""


def _handler(double: IndexDouble) -> type[BaseHTTPRequestHandler]:
    class Handler(BaseHTTPRequestHandler):
        def do_HEAD(self) -> None:
            self.do_GET()

        def do_GET(self) -> None:
            status, kind, body = double.answer(self.path, self.headers.get("Authorization", ""))
            self.send_response(status)
            self.send_header("Content-Type", kind)
            self.send_header("Content-Length", str(len(body)))
            self.end_headers()
            if self.command == "GET":
                self.wfile.write(body)

        def log_message(self, format: str, *args: object) -> None:  # noqa: A002 - the name of the base class
            """Say nothing."""

    return Handler


@contextmanager
def serving() -> Iterator[IndexDouble]:
    double = IndexDouble()
    server = ThreadingHTTPServer(("127.0.0.1", 0), _handler(double))
    double.port = server.server_port
    thread = threading.Thread(target=server.serve_forever, kwargs={"poll_interval": 0.05}, daemon=True)
    thread.start()
    try:
        yield double
    finally:
        server.shutdown()
        server.server_close()
        thread.join()


@pytest.fixture
def index() -> Iterator[IndexDouble]:
    with serving() as double:
        yield double
