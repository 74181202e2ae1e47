"""Running git, through GitPython, so that nothing of a repository is executed and nothing secret is shown.

The user's own configuration holds (`insteadOf`, proxies, credential helpers, CA bundle); what farm sets comes on top of
it, by way of the environment, so that credentials in a replacement address never stand on a command line.
"""

from __future__ import annotations

import os
import subprocess
from contextlib import contextmanager, suppress
from pathlib import Path
from typing import IO, TYPE_CHECKING

from farm.errors import SourceUnavailableError, SourceUnsafeError
from farm.source.gitpython import Git, GitCommandNotFound
from farm.source.scrub import scrub, secrets_of

if TYPE_CHECKING:
    from collections.abc import Iterable, Iterator, Mapping

    from farm.source.fill import Readable

__all__ = ["GitObject", "GitRepository", "ObjectReader", "config_environment"]

_SHA1_DIGITS = 40

_TIMEOUT = 3600.0
"""Seconds that one git command may take at most."""
_TAIL_LINES = 6

_HARDENING = {
    "core.hooksPath": os.devnull,
    "core.fsmonitor": "false",
    "credential.interactive": "false",
    # `ext::` and `fd::` addresses run commands; an insteadOf to a helper of the user's own still works.
    "protocol.ext.allow": "never",
    "protocol.fd.allow": "never",
    "submodule.recurse": "false",
    "fetch.recurseSubmodules": "false",
    "fetch.writeCommitGraph": "false",
    "gc.auto": "0",
    "maintenance.auto": "false",
    "http.lowSpeedLimit": "1000",
    "http.lowSpeedTime": "120",
    # Every object is checked as it arrives; only flaws that old, honest repositories really have are let through.
    "transfer.fsckObjects": "true",
    "fetch.fsck.badTimezone": "ignore",
    "fetch.fsck.missingSpaceBeforeDate": "ignore",
    "fetch.fsck.zeroPaddedFilemode": "ignore",
}


class GitObject:
    """One object as it is read: id, type, size, and its content as a stream that ends with it."""

    def __init__(self, object_id: str, kind: str, size: int, stream: Readable) -> None:
        self.id = object_id
        self.kind = kind
        self.size = size
        self.left = size
        self._stream = stream

    def read(self, size: int = -1) -> bytes:
        """Return up to `size` bytes; none at the end of the object."""
        wanted = self.left if size < 0 else min(size, self.left)
        data = self._stream.read(wanted)
        if len(data) < wanted:
            msg = "git ended in the middle of an object"
            raise SourceUnavailableError(msg)
        self.left -= len(data)
        return data


class ObjectReader:
    """Reads objects one after the other by one `git cat-file --batch`."""

    def __init__(self, requests: IO[bytes], answers: IO[bytes]) -> None:
        self._requests = requests
        self._answers = answers
        self._open: GitObject | None = None

    def open(self, name: str) -> GitObject | None:
        """Return the object called `name` (an id or a reference), None for none. Ends the one opened before."""
        if self._open is not None:
            self._open.read()
            self._answers.read(1)
            self._open = None
        self._requests.write(name.encode() + b"\n")
        self._requests.flush()
        words = self._answers.readline().split()
        expected = 3
        if len(words) != expected or words[1] not in {b"blob", b"tree", b"commit", b"tag"}:
            return None
        self._open = GitObject(words[0].decode(), words[1].decode(), int(words[2]), self._answers)
        return self._open


class GitRepository:
    """A repository of farm's own, without a checkout.

    Args:
        path: its folder, made by `create`.
        sources: additional `insteadOf`: prefix of addresses → what stands instead.
        url: the address that will be fetched from. Where `sources` leads it to a folder of this host, that folder may
            belong to another user.
    """

    def __init__(self, path: Path, sources: Mapping[str, str], url: str = "") -> None:
        self.path = path
        self._local = _local_target(url, sources)
        self._user_config = path.with_name(f"{path.name}.gitconfig")
        self._secrets = frozenset(s for pair in sources.items() for url in pair for s in secrets_of(url))
        self._git = Git(str(path))
        self._git.update_environment(**_environment(path, sources))
        if self._local is not None:
            self._git.update_environment(GIT_CONFIG_GLOBAL=str(self._user_config))

    def create(self, commit: str) -> None:
        """Make the repository for objects such as `commit`, without the user's template (and so without hooks)."""
        object_format = "sha1" if len(commit) == _SHA1_DIGITS else "sha256"
        self.path.mkdir()
        if self._local is not None:
            self._user_config.write_text(_user_config(self._local, os.environ), encoding="utf-8")
        self.run("init", "--quiet", "--template=", f"--object-format={object_format}")

    def run(self, *arguments: str) -> bytes:
        """Run git and return what it prints.

        Raises:
            SourceUnavailableError: it failed; the end of what it said, without credentials, is in the message.
            SourceUnsafeError: an object of the other side is malformed (git-fsck(1)).
        """
        status, output, errors = self.try_run(*arguments)
        if status != 0:
            words = " ".join(line for line in errors.splitlines()[-_TAIL_LINES:] if line.strip())
            if "fsck error" in errors:
                msg = f"git refuses an object of the repository: {words}"
                raise SourceUnsafeError(msg)
            msg = f"git {arguments[0]} failed ({status}): {words}"
            raise SourceUnavailableError(msg)
        return output

    def try_run(self, *arguments: str) -> tuple[int, bytes, str]:
        """Run git and return its exit code, what it prints, and its errors without credentials."""
        try:
            status, output, errors = self._git.execute(
                [Git.GIT_PYTHON_GIT_EXECUTABLE or "git", *arguments],
                with_extended_output=True,
                with_exceptions=False,
                stdout_as_string=False,
                kill_after_timeout=_TIMEOUT,
            )
        except GitCommandNotFound:
            msg = "there is no git on this host"
            raise SourceUnavailableError(msg, remedy="Install git, then try again.") from None
        data = output if isinstance(output, bytes) else str(output or "").encode()
        return int(status), data, scrub(str(errors), self._secrets)

    @contextmanager
    def objects(self) -> Iterator[ObjectReader]:
        """Give a reader of objects."""
        process = self._git.execute(
            [Git.GIT_PYTHON_GIT_EXECUTABLE or "git", "cat-file", "--batch"],
            istream=subprocess.PIPE,
            as_process=True,
        )
        child = process.proc
        if child is None or child.stdin is None or child.stdout is None or child.stderr is None:
            msg = "git cat-file did not start"
            raise SourceUnavailableError(msg)
        try:
            yield ObjectReader(child.stdin, child.stdout)
        finally:
            child.kill()  # it only reads, and may be in the middle of an object that nobody wants any more
            with suppress(BrokenPipeError):
                child.stdin.close()
            child.stdout.close()
            child.stderr.close()
            child.wait()


def _environment(path: Path, sources: Mapping[str, str]) -> dict[str, str]:
    settings = list(_HARDENING.items())
    settings += [(f"url.{replacement}.insteadOf", prefix) for prefix, replacement in sorted(sources.items())]
    return {
        # Said in full, since farm may run inside a git hook, where these name another repository.
        "GIT_DIR": str(path),
        "GIT_WORK_TREE": str(path),
        "GIT_INDEX_FILE": str(path / "index"),
        "GIT_OBJECT_DIRECTORY": str(path / "objects"),
        "GIT_ALTERNATE_OBJECT_DIRECTORIES": "",
        "GIT_NAMESPACE": "",
        "GIT_TERMINAL_PROMPT": "0",
        "GCM_INTERACTIVE": "never",
        "GIT_NO_REPLACE_OBJECTS": "1",
        **config_environment(settings, os.environ),
    }


def config_environment(settings: Iterable[tuple[str, str]], given: Mapping[str, str]) -> dict[str, str]:
    """Return the variables that set git's configuration, after what `given` sets in the same way (git-config(1))."""
    count = given.get("GIT_CONFIG_COUNT", "")
    first = int(count) if count.isdigit() else 0  # what the user set this way stays
    environment = {}
    for index, (key, value) in enumerate(settings, first):
        environment[f"GIT_CONFIG_KEY_{index}"] = key
        environment[f"GIT_CONFIG_VALUE_{index}"] = value
    return {**environment, "GIT_CONFIG_COUNT": str(first + len(environment) // 2)}


def _local_target(url: str, sources: Mapping[str, str]) -> Path | None:
    """Return the folder that `sources` puts in place of `url`, if any; of several prefixes git takes the longest."""
    prefix = max((prefix for prefix in sources if url.startswith(prefix)), key=len, default=None)
    if prefix is None:
        return None
    target = (sources[prefix] + url[len(prefix) :]).removeprefix("file://")
    return Path(target).resolve() if target.startswith("/") else None


def _user_config(repository: Path, environment: Mapping[str, str]) -> str:
    """Return a configuration file that is the user's own, and lets git read `repository` whoever it belongs to.

    A file (GIT_CONFIG_GLOBAL), since the git that serves a local repository is given no other variable of this kind.
    """
    home = environment.get("HOME", "")
    config = environment.get("XDG_CONFIG_HOME") or (f"{home}/.config" if home else "")
    usual = (*([f"{config}/git/config"] if config else []), *([f"{home}/.gitconfig"] if home else []))
    named = environment.get("GIT_CONFIG_GLOBAL")
    # git looks for what it is given in these places, and names what it finds in one of them.
    places = (repository, repository / ".git", Path(f"{repository}.git"), Path(f"{repository}.git", ".git"))
    lines = [f"[include]\n\tpath = {_quoted(path)}\n" for path in ((named,) if named else usual)]
    lines += [f"[safe]\n\tdirectory = {_quoted(str(place))}\n" for place in places]
    return "".join(lines)


def _quoted(value: str) -> str:
    escaped = value.replace("\\", "\\\\").replace('"', '\\"').replace("\n", "\\n")
    return f'"{escaped}"'
