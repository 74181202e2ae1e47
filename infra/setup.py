"""Set farm up on this machine: `make setup`, or `python3 -m infra.setup [--with-dev] [--check]`.

Looks first, says what it will do, then does it; doing it again takes a second. It needs Python ≥ 3.11 and nothing else.
FARM_NO_INSTALL=1 makes it stop, with the commands to run, where anything would have to be installed.

Exit codes: 0 ready, 1 a command failed, 3 something is missing and may not (or cannot) be installed from here.
"""

from __future__ import annotations

import argparse
import json
import os
import shutil
import sys
from dataclasses import dataclass, field
from pathlib import Path
from typing import TYPE_CHECKING

from infra.host import (
    SetupError,
    access_command,
    allow_user,
    apt_install,
    elevation,
    missing_images,
    missing_packages,
    probe_engine,
    start_engine,
)
from infra.virtualenv import is_current, make, needs_venv_module, package_count

if TYPE_CHECKING:
    from infra.host import Engine

ROOT = Path(__file__).resolve().parent.parent

FAILED = 1
MISSING = 3


@dataclass(frozen=True)
class Look:
    """What is there."""

    engine: Engine
    packages: list[str]
    """Debian packages that are missing."""
    images: list[str]
    """Builder images that are yet to be bootstrapped: by `make demo` and `make test`, not by set-up."""
    access: bool
    """Whether this user may have to be let in by the engine's socket: a new one admits root and its own group alone."""
    venv: bool
    """Whether `.venv` is current."""
    dev: bool
    data: Path = field(default_factory=lambda: Path(os.environ.get("FARM_DATA") or ROOT / ".farm"))

    @property
    def ready(self) -> bool:
        """Whether nothing is to be done."""
        return bool(self.engine.version) and not self.packages and self.venv


def look(*, dev: bool) -> Look:
    """Look at this host; changes nothing."""
    engine = probe_engine()
    current = is_current(ROOT, dev=dev)
    access = not engine.version and engine.address.startswith("unix:") and os.geteuid() != 0
    packages = missing_packages(
        engine=not engine.version and not engine.denied,
        access=access,
        venv=not current and needs_venv_module(ROOT),
        dev=dev,
    )
    images = missing_images(ROOT / "images", engine)
    return Look(engine=engine, packages=packages, images=images, access=access, venv=current, dev=dev)


def as_json(seen: Look) -> dict[str, object]:
    """Return what was seen for `--check`."""
    return {
        "ready": seen.ready,
        "python": sys.version.split()[0],
        "docker": {"address": seen.engine.address, "version": seen.engine.version, "reason": seen.engine.reason},
        "missing_packages": seen.packages,
        "missing_images": seen.images,
        "venv": seen.venv,
        "mmdebstrap": shutil.which("mmdebstrap") or "",
        "git": shutil.which("git") or "",
        "mvn": shutil.which("mvn") or "",
    }


def tell(seen: Look) -> None:
    """Say what is there and what will be done, before anything is."""
    print("farm set-up")
    print(f"  there  Python {sys.version.split()[0]}")
    if seen.engine.version:
        print(f"  there  Docker Engine {seen.engine.version} at {seen.engine.address}")
    if seen.venv:
        print("  there  .venv as uv.lock says")
    if seen.packages:
        print(f"  WILL   install Debian packages (apt-get, as root): {' '.join(seen.packages)}")
        if {"maven", "default-jdk-headless"} & set(seen.packages):
            print("         (stock Maven and a JDK are for the tests alone: builds run in images that have their own)")
        if "postgresql" in seen.packages:
            print("         (PostgreSQL is for a test alone, which starts it for itself; Debian starts a server, too)")
    else:
        print(f"  there  git, mmdebstrap{', mvn, a JDK and PostgreSQL for the tests' if seen.dev else ''}")
    if not seen.engine.version and not seen.engine.denied:
        how = "systemctl" if Path("/run/systemd/system").is_dir() else f"dockerd, log in {seen.data}/logs"
        print(f"  WILL   start Docker Engine ({how}): nothing answers at {seen.engine.address}")
    if seen.access:
        command = " ".join(["sudo", *access_command(seen.engine.address)])
        when = "" if seen.engine.denied else " if it denies it"
        print(f"  WILL   let this user use the Docker Engine{when} ({command}): that is as good as being root here")
    if not seen.venv:
        extra = ", test tools among them" if seen.dev else ""
        print(
            f"  WILL   make .venv from uv.lock (of {package_count(ROOT)} locked packages{extra}; your configured index)"
        )
    if seen.images:
        known = "" if seen.engine.version else " (unless the engine has it)"
        print(f"  LATER  `make demo` and `make test` bootstrap a base system{known}: {', '.join(seen.images)}")
        print("         (mmdebstrap and the tools' wheels; this host's apt sources and your configured index)")
    sys.stdout.flush()


def instructions(seen: Look) -> list[str]:
    """Return the commands that a person runs instead."""
    lines = []
    if seen.packages:
        lines.append(f"sudo apt-get update && sudo apt-get install --no-install-recommends {' '.join(seen.packages)}")
    if not seen.engine.version and not seen.engine.denied:
        lines.append("sudo systemctl start docker     # without a service manager: sudo dockerd &")
    if seen.access:
        lines.append("sudo usermod -aG docker $USER   # then log in again: this user may not use the Docker Engine")
    if not seen.venv:
        lines.append(
            f"make setup{' DEV=1' if seen.dev else ''}                      # without FARM_NO_INSTALL: makes .venv"
        )
    return lines


def stop(seen: Look, why: str) -> int:
    """Say what is missing and how to get it; return the exit code."""
    print(f"\nfarm set-up stops: {why}. Run:", file=sys.stderr)
    for line in instructions(seen):
        print(f"  {line}", file=sys.stderr)
    return MISSING


def do(seen: Look) -> None:
    """Do what was said.

    Raises:
        SetupError: a command failed.
    """
    if seen.packages:
        apt_install(seen.packages)
    engine = probe_engine()
    if engine.denied:
        engine = allow_user(engine)
    if not engine.version:
        # Also where the socket was there but nobody listens to it any more.
        start_engine(seen.data)
    if not seen.venv:
        make(ROOT, dev=seen.dev)


def obstacle(seen: Look) -> str:
    """Return why what is missing cannot be put right from here; empty when it can."""
    if os.environ.get("FARM_NO_INSTALL") == "1":
        return "FARM_NO_INSTALL=1 and something is missing"
    if seen.packages or not seen.engine.version:
        try:
            elevation()
        except SetupError as error:
            return str(error)
    return ""


def main() -> int:
    """Set up; return the exit code."""
    parser = argparse.ArgumentParser(prog="infra.setup", description="Set farm up on this machine.")
    parser.add_argument("--with-dev", action="store_true", help="also what the tests need")
    parser.add_argument("--check", action="store_true", help="print as JSON what is there, change nothing")
    options = parser.parse_args()
    try:
        seen = look(dev=options.with_dev)
    except SetupError as error:
        print(f"farm set-up failed: {error}", file=sys.stderr)
        return FAILED
    if options.check:
        print(json.dumps(as_json(seen), indent=2, sort_keys=True))
        return 0 if seen.ready else MISSING
    tell(seen)
    if seen.ready:
        return 0
    if why := obstacle(seen):
        return stop(seen, why)
    try:
        do(seen)
    except SetupError as error:
        print(f"\nfarm set-up failed: {error}", file=sys.stderr)
        return FAILED
    print("  ready")
    return 0


if __name__ == "__main__":
    sys.exit(main())
