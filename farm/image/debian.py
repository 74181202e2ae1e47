"""The bootstrap of a Debian file system with mmdebstrap, as a deterministic tar."""

from __future__ import annotations

import os
import shlex
import shutil
from pathlib import Path
from typing import TYPE_CHECKING

from farm.errors import ImageBuildError
from farm.net import ca_bundle

if TYPE_CHECKING:
    from collections.abc import Iterator, Mapping

    from farm.image.definition import ImageDefinition

__all__ = ["bootstrap_command", "bootstrap_environment", "host_sources"]

_APT = Path("/etc/apt")
_KEYRING = "debian-archive"
_LEFT_OUT = ("/usr/share/doc/*", "/usr/share/info/*", "/usr/share/locale/*", "/usr/share/man/*")
_KEPT = ("/usr/share/doc/*/copyright",)
_CUSTOMISE = 'chroot "$1" python3 -I -B /opt/farm-image/customise.py'
"""A constant for mmdebstrap's shell: `$1` is what mmdebstrap calls the new root."""
_PASSED_ON = ("PATH", "TMPDIR", "http_proxy", "https_proxy", "no_proxy", "HTTP_PROXY", "HTTPS_PROXY", "NO_PROXY")


def bootstrap_command(
    definition: ImageDefinition, overlay: Path, target: Path, *, environment: Mapping[str, str], apt: Path = _APT
) -> list[str]:
    """Return the mmdebstrap command that writes the whole file system to `target` (reads the host's apt lists).

    Args:
        definition: with a suite.
        overlay: tar that is unpacked into the new root before it is customised.
        target: the tar to write.
        environment: the host's, for the CA bundle.
        apt: folder of the host's apt configuration.

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
        f"--include={','.join(sorted(definition.packages))}",
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
        *(definition.sources or host_sources(definition.suite, apt)),
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


def host_sources(suite: str, apt: Path = _APT) -> tuple[str, ...]:
    """Return the host's apt lines for Debian's `suite`, sorted; none (mmdebstrap's own default) where it has none.

    Only what Debian's archive key signs counts: a third party's repository for the same suite is no part of Debian.
    """
    wanted = {suite, f"{suite}-updates", f"{suite}-security", f"{suite}/updates"}
    found: set[str] = set()
    for path in sorted(apt.glob("sources.list.d/*.sources")):
        found.update(_deb822(_read(path), wanted))
    for path in (apt / "sources.list", *sorted(apt.glob("sources.list.d/*.list"))):
        found.update(_one_line(_read(path), wanted))
    return tuple(sorted(found))


def _read(path: Path) -> str:
    return path.read_text(encoding="utf-8", errors="replace") if path.is_file() else ""


def _deb822(text: str, wanted: set[str]) -> Iterator[str]:
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
                    yield from _line(uri, suite, " ".join(fields.get("signed-by", [])))


def _one_line(text: str, wanted: set[str]) -> Iterator[str]:
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
            yield from _line(plain[0], plain[1], key)


def _line(uri: str, suite: str, key: str) -> Iterator[str]:
    if not key:
        yield f"deb {uri} {suite} main"
    elif _KEYRING in key and " " not in key:
        yield f"deb [signed-by={key}] {uri} {suite} main"
