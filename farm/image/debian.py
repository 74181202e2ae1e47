"""The bootstrap of a Debian file system with mmdebstrap, as a deterministic tar."""

from __future__ import annotations

import os
import platform
import shlex
import shutil
from pathlib import Path
from typing import TYPE_CHECKING, NamedTuple

from farm.errors import ImageBuildError
from farm.net import ca_bundle

if TYPE_CHECKING:
    from collections.abc import Callable, Container, Iterator, Mapping

    from farm.image.definition import ImageDefinition

__all__ = ["bootstrap_advice", "bootstrap_command", "bootstrap_environment", "debian_release", "host_sources"]

_APT = Path("/etc/apt")
_KEYRING = "debian-archive"
_LEFT_OUT = (
    # Where a JDK has manuals, its alternatives link to them from the folder of manuals, which is left out too.
    "/usr/lib/jvm/*/man/*",
    "/usr/share/doc/*",
    "/usr/share/info/*",
    "/usr/share/locale/*",
    "/usr/share/man/*",
)
_KEPT = ("/usr/share/doc/*/copyright",)
_CUSTOMISE = 'chroot "$1" python3 -I -B /opt/farm-image/customise.py'
"""A constant for mmdebstrap's shell: `$1` is what mmdebstrap calls the new root."""
_NO_KEY = ("NO_PUBKEY", "Missing key")
"""What apt says when the key of a release is not there: the verifier gpgv's words, and sqv's."""
_ROLLING = frozenset({"sid", "unstable"})
"""Suites without others for updates."""
_PASSED_ON = ("PATH", "TMPDIR", "http_proxy", "https_proxy", "no_proxy", "HTTP_PROXY", "HTTPS_PROXY", "NO_PROXY")


class _Source(NamedTuple):
    """A binary package source of the host's: `key` names the keyring, empty where apt's own count."""

    uri: str
    suite: str
    key: str


def bootstrap_command(
    definition: ImageDefinition,
    overlay: Path,
    target: Path,
    *,
    environment: Mapping[str, str],
    apt: Path = _APT,
    release: str | None = None,
) -> list[str]:
    """Return the mmdebstrap command that writes the whole file system to `target` (reads the host's apt lists).

    Args:
        definition: with a suite.
        overlay: tar that is unpacked into the new root before it is customised.
        target: the tar to write.
        environment: the host's, for the CA bundle.
        apt: folder of the host's apt configuration.
        release: the Debian release that the host runs, if it is one; default: the host is asked.

    Raises:
        ImageBuildError: mmdebstrap is not installed.
        ConfigError: the CA bundle is not there.
    """
    program = shutil.which("mmdebstrap")
    if program is None:
        msg = f"image {definition.name}: mmdebstrap is not installed"
        raise ImageBuildError(msg, remedy="Run `apt-get install mmdebstrap` (as root), or name a base image by `from`.")
    bundle = ca_bundle(environment)
    return [
        program,
        "--variant=minbase",
        "--format=tar",
        f"--architectures={definition.architecture}",
        *([f"--include={','.join(sorted(definition.packages))}"] if definition.packages else []),
        *(f"--dpkgopt=path-exclude={pattern}" for pattern in _LEFT_OUT),
        *(f"--dpkgopt=path-include={pattern}" for pattern in _KEPT),
        *([f'--aptopt=Acquire::https::CAInfo "{bundle}"'] if bundle else []),
        f"--customize-hook=tar-in {shlex.quote(str(overlay))} /",
        f"--customize-hook={_CUSTOMISE}",
        # The customisation has done it, and emptied /tmp, where the configuration lay that kept mmdebstrap's apt-get to
        # the new root: without it, root would empty the host's own lists, and anybody else fail at them.
        "--skip=cleanup/apt",
        definition.suite,
        str(target),
        *(definition.sources or host_sources(definition.suite, apt, debian_release() if release is None else release)),
    ]


def bootstrap_environment(definition: ImageDefinition, environment: Mapping[str, str]) -> dict[str, str]:
    """Return the environment of mmdebstrap: proxies of the host's, a fixed clock, no locale."""
    passed = {key: environment[key] for key in _PASSED_ON if key in environment}
    return {
        "PATH": os.defpath,
        **passed,
        "SOURCE_DATE_EPOCH": str(definition.epoch),
        "LC_ALL": "C.UTF-8",
        "TZ": "UTC",
        "DEBIAN_FRONTEND": "noninteractive",
    }


def bootstrap_advice(said: str) -> str:
    """Return what to do about a bootstrap that ended with these words, where farm knows it; else nothing (pure).

    A host may lack the keys of a Debian newer than its own. They come through the host's own apt, signed by a key that
    the host trusts already: farm neither brings nor fetches any.
    """
    if not any(words in said for words in _NO_KEY):
        return ""
    return (
        "This host lacks the keys of that Debian release: run "
        "`apt-get update && apt-get install --only-upgrade debian-archive-keyring` (as root)."
    )


def debian_release() -> str:
    """Return the codename of the Debian that this host runs (`bookworm`); nothing where it is no Debian."""
    try:
        said = platform.freedesktop_os_release()
    except OSError:
        return ""
    return said.get("VERSION_CODENAME", "") if said.get("ID") == "debian" else ""


def host_sources(suite: str, apt: Path = _APT, release: str = "") -> tuple[str, ...]:
    """Return the apt lines by which this host gets at Debian's `suite`, sorted.

    They are the host's own for the suite; where it has none, its own for the `release` that it runs with the suite in
    its place: a mirror of Debian carries both. None (mmdebstrap's own default) where it has neither.

    Only what Debian's archive key signs counts: a third party's repository for the same suite is no part of Debian.
    """
    own = _apt_lines(apt, {name: name for name in (*_suites(suite), f"{suite}/updates")}, str)
    if own or not release:
        return own
    names = dict(zip(_suites(release), _suites(suite), strict=False))
    return _apt_lines(apt, names, lambda key: key.replace(release, suite))


def _suites(release: str) -> tuple[str, ...]:
    """Return what apt calls a release and its updates."""
    return (release,) if release in _ROLLING else (release, f"{release}-updates", f"{release}-security")


def _apt_lines(apt: Path, names: Mapping[str, str], key_for: Callable[[str], str]) -> tuple[str, ...]:
    """Return the lines for the suites in `names`, called by the names and keys they have in the image."""
    found = set[_Source]()
    for path in sorted(apt.glob("sources.list.d/*.sources")):
        found.update(_deb822(_read(path), names))
    for path in (apt / "sources.list", *sorted(apt.glob("sources.list.d/*.list"))):
        found.update(_one_line(_read(path), names))
    return tuple(sorted(line for uri, suite, key in found for line in _line(uri, names[suite], key_for(key))))


def _read(path: Path) -> str:
    return path.read_text(encoding="utf-8", errors="replace") if path.is_file() else ""


def _deb822(text: str, wanted: Container[str]) -> Iterator[_Source]:
    """Read the format of sources.list(5) with fields."""
    lines = (line for line in text.splitlines() if not line.startswith("#"))
    for block in "\n".join(lines).split("\n\n"):
        fields: dict[str, list[str]] = {}
        name = ""
        for line in block.splitlines():
            if not line.startswith((" ", "\t")):
                name, _, line = line.partition(":")  # noqa: PLW2901 - the rest is the value
                name = name.strip().lower()
            fields.setdefault(name, []).extend(line.split())
        enabled = fields.get("enabled", ["yes"]) == ["yes"]
        if not enabled or "deb" not in fields.get("types", []) or "main" not in fields.get("components", []):
            continue
        for uri in fields.get("uris", []):
            for suite in fields.get("suites", []):
                if suite in wanted:
                    yield _Source(uri, suite, " ".join(fields.get("signed-by", [])))


def _one_line(text: str, wanted: Container[str]) -> Iterator[_Source]:
    """Read the format of sources.list(5) with one line for each source."""
    for line in text.splitlines():
        words = line.partition("#")[0].replace("[", " [ ").replace("]", " ] ").split()
        if words[:1] != ["deb"]:
            continue
        options = words[words.index("[") + 1 : words.index("]")] if "[" in words and "]" in words else []
        plain = words[words.index("]") + 1 :] if options else words[1:]
        key = next((option.partition("=")[2] for option in options if option.startswith("signed-by=")), "")
        uri_suite = 2
        if len(plain) > uri_suite and plain[1] in wanted and "main" in plain[uri_suite:]:
            yield _Source(plain[0], plain[1], key)


def _line(uri: str, suite: str, key: str) -> Iterator[str]:
    if not key:
        yield f"deb {uri} {suite} main"
    elif _KEYRING in key and " " not in key:
        yield f"deb [signed-by={key}] {uri} {suite} main"
