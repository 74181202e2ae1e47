"""A PostgreSQL server of the test's own: an ordinary process, on loopback, its data in a temporary folder."""

from __future__ import annotations

import os
import pwd
import secrets
import shutil
import socket
import subprocess
import tempfile
from contextlib import contextmanager
from pathlib import Path
from typing import TYPE_CHECKING

if TYPE_CHECKING:
    from collections.abc import Iterator

__all__ = ["PASSWORD", "serving"]

PASSWORD = secrets.token_hex(16)
_USER = "farm"


def _program(name: str) -> str:
    found = shutil.which(name)
    if found is None:
        found = str(max(Path("/usr/lib/postgresql").glob(f"*/bin/{name}"), key=lambda path: int(path.parts[4])))
    return str(Path(found).resolve())  # it looks for its own files beside itself


def _account() -> str | None:
    """Return who runs it: PostgreSQL refuses root."""
    return next(name for name in ("postgres", "nobody") if _known(name)) if os.geteuid() == 0 else None


def _known(name: str) -> bool:
    try:
        pwd.getpwnam(name)
    except KeyError:
        return False
    return True


def _free_port() -> int:
    with socket.socket() as probe:
        probe.bind(("127.0.0.1", 0))
        return int(probe.getsockname()[1])


@contextmanager
def serving() -> Iterator[str]:
    """Give the address of an empty database, as SQLAlchemy has it."""
    account = _account()
    folder = Path(tempfile.mkdtemp(prefix="farm-pg-"))

    def run(*argv: str) -> None:
        done = subprocess.run(argv, user=account, cwd=folder, capture_output=True, text=True, check=False)
        assert done.returncode == 0, done.stdout + done.stderr

    try:
        secret = folder / "password"
        secret.write_text(PASSWORD)
        if account:
            for path in (folder, secret):
                shutil.chown(path, account)
        data, port, log = folder / "data", _free_port(), folder / "log"
        run(_program("initdb"), "--auth=scram-sha-256", f"--pwfile={secret}", f"--username={_USER}", "-D", str(data))
        options = f"-c listen_addresses=127.0.0.1 -p {port} -k {folder} -c fsync=off"
        control = _program("pg_ctl")
        # Its output goes to a file: a pipe would stay open for as long as the server lives.
        run(control, "-D", str(data), "-l", str(log), "-o", options, "-w", "start")
        try:
            yield f"postgresql+asyncpg://{_USER}:{PASSWORD}@127.0.0.1:{port}/postgres"
        finally:
            run(control, "-D", str(data), "-m", "immediate", "-w", "stop")
    finally:
        shutil.rmtree(folder)
