"""Finish the file system of a builder image: run as root inside it, by its own Python (3.9 or later), without network.

It is put there together with `plan.json`, `requirements.txt` and `wheels/` in `/opt/farm-image`, installs the tools,
adds the user, compiles byte code that does not depend on times, lists what is installed, removes whatever differs from
one bootstrap to the next, and itself.
"""

from __future__ import annotations

import contextlib
import json
import os
import re
import shutil
import subprocess
import sys
from importlib import metadata
from pathlib import Path

HERE = Path("/opt/farm-image")
TOOLS = Path("/opt/farm-tools")
WHEELS = Path("/opt/farm-wheels")
USER, USER_ID, HOME = "build", 1000, "/home/build"
FOLDERS = ("/src", "/work", "/out", HOME)
ENVIRONMENT = {
    "PATH": "/usr/local/sbin:/usr/local/bin:/usr/sbin:/usr/bin:/sbin:/bin",
    "HOME": "/nonexistent",
    "LC_ALL": "C.UTF-8",
    "PIP_CONFIG_FILE": os.devnull,
    # Sets are written into byte code in the order of their hashes.
    "PYTHONHASHSEED": "0",
}
# Caches, logs, copies of earlier states, the host's names: nothing of it belongs to the image.
REMOVED = (
    "/etc/apt/sources.list",
    "/etc/apt/sources.list.d/*",
    "/etc/apt/apt.conf.d/99mmdebstrap",
    "/etc/*-",
    "/etc/.pwd.lock",
    "/etc/machine-id",
    "/root/.cache",
    "/run/*",
    "/tmp/*",  # noqa: S108 - the image's own
    "/var/cache/apt/*",
    "/var/cache/debconf/*",
    "/var/cache/ldconfig/*",
    "/var/lib/apt/lists/*",
    "/var/lib/dbus/machine-id",
    "/var/lib/dpkg/*-old",
    "/var/lib/systemd/*",
    "/var/lib/ucf/*.old",
    "/var/log/*",
    "/var/tmp/*",  # noqa: S108 - the image's own
)


def run(*argv: str, **environment: str) -> None:
    """Run a command of the image; its failure ends the program."""
    subprocess.run(argv, check=True, cwd="/", env={**ENVIRONMENT, **environment}, stdin=subprocess.DEVNULL)


def install_tools(keep: list[str]) -> None:
    """Make the tools' virtual environment from the wheels alone, and keep the wheels that builds need."""
    wheels = HERE / "wheels"
    [pip] = wheels.glob("pip-*.whl")
    link = Path("/usr/local/bin/uv")
    for stale in (TOOLS, WHEELS):
        # The base may be a builder image itself.
        shutil.rmtree(stale, ignore_errors=True)
    link.unlink(missing_ok=True)
    run("python3", "-m", "venv", "--without-pip", str(TOOLS))
    run(
        str(TOOLS / "bin" / "python"), "-B", "-m", "pip", "install", "--quiet", "--no-index", "--no-deps",
        "--no-compile", "--no-cache-dir", "--require-hashes", "--root-user-action=ignore",
        "--disable-pip-version-check",
        f"--find-links={wheels}", f"--requirement={HERE / 'requirements.txt'}",
        PYTHONPATH=str(pip),
    )  # fmt: skip
    uv = TOOLS / "bin" / "uv"
    if uv.exists():
        link.symlink_to(uv)
    WHEELS.mkdir(parents=True)
    for wheel in sorted(wheels.iterdir()):
        if re.sub(r"[-_.]+", "-", wheel.name.partition("-")[0]).lower() in keep:
            shutil.copyfile(wheel, WHEELS / wheel.name)


def add_user() -> None:
    """Add the user that foreign code runs as, without a password, unless the id has an owner already."""
    passwd, group = Path("/etc/passwd"), Path("/etc/group")
    if not _has_id(passwd):
        _append(passwd, f"{USER}:x:{USER_ID}:{USER_ID}::{HOME}:/bin/sh")
    if not _has_id(group):
        _append(group, f"{USER}:x:{USER_ID}:")
    for folder in FOLDERS:
        Path(folder).mkdir(parents=True, exist_ok=True)
    os.chown(HOME, USER_ID, USER_ID)


def _has_id(path: Path) -> bool:
    return any(line.split(":")[2:3] == [str(USER_ID)] for line in path.read_text(encoding="utf-8").splitlines())


def _append(path: Path, line: str) -> None:
    text = path.read_text(encoding="utf-8")
    path.write_text(f"{text.rstrip()}\n{line}\n", encoding="utf-8")


def compile_python() -> None:
    """Replace all byte code: the usual kind holds times, which the image does not keep, and would be stale at once."""
    roots = [p for p in ("/usr/lib", "/usr/local/lib", str(TOOLS / "lib")) if Path(p).is_dir()]
    for root in roots:
        for cache in sorted(Path(root).rglob("__pycache__")):
            shutil.rmtree(cache)
    version = f"python{sys.version_info.major}.{sys.version_info.minor}"
    libraries = [
        str(path)
        for root in roots
        for path in (Path(root, version), Path(root, "python3"))
        if path.is_dir() and not path.is_symlink()
    ]
    # One process: what the compiler shares between constants depends on what it has seen before.
    run("python3", "-B", "-m", "compileall", "-q", "-f", "-j1", "--invalidation-mode=unchecked-hash", *libraries)


def list_packages() -> str:
    """Return what is installed, one `kind name version` per line, sorted."""
    found = {f"python {dist.metadata['Name']} {dist.version}" for dist in metadata.distributions(path=_tool_paths())}
    queries = {
        "deb": ("dpkg-query", "--show", "--showformat=${Package} ${Version}\\n"),
        "rpm": ("rpm", "--query", "--all", "--queryformat=%{NAME} %{EPOCHNUM}:%{VERSION}-%{RELEASE}\\n"),
        "apk": ("apk", "list", "--installed"),
    }
    for kind, argv in queries.items():
        if shutil.which(argv[0], path=ENVIRONMENT["PATH"]):
            done = subprocess.run(argv, check=True, stdout=subprocess.PIPE, env=ENVIRONMENT, text=True)
            found.update(f"{kind} {line}" for line in done.stdout.splitlines() if line)
    return "".join(f"{line}\n" for line in sorted(found))


def _tool_paths() -> list[str]:
    return [str(path) for path in (TOOLS / "lib").glob("python*/site-packages")]


def clean() -> None:
    """Remove what differs from one bootstrap to the next, and what this program came with."""
    for pattern in REMOVED:
        for path in sorted(Path("/").glob(pattern[1:])):
            if path.is_dir() and not path.is_symlink():
                shutil.rmtree(path)
            else:
                path.unlink()
    for name in ("/etc/hostname", "/etc/hosts", "/etc/resolv.conf"):
        # In a container these are mounts of the engine's: they stay as they are and are left out when it is exported.
        with contextlib.suppress(OSError):
            Path(name).unlink(missing_ok=True)
    for name in ("plan.json", "requirements.txt", "customise.py"):
        (HERE / name).unlink()
    shutil.rmtree(HERE / "wheels")


def main() -> None:
    """Do everything in order."""
    os.umask(0o022)
    plan = json.loads((HERE / "plan.json").read_text(encoding="utf-8"))
    install_tools(plan["wheels"])
    add_user()
    compile_python()
    (HERE / "packages.txt").write_text(list_packages(), encoding="utf-8")
    clean()


if __name__ == "__main__":
    main()
