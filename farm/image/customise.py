"""Finish the file system of a builder image: run as root inside it, by its own Python (3.9 or later), without network.

It is put there together with `plan.json` and, where there are tools, `requirements.txt` and `wheels/` in
`/opt/farm-image`. It checks that the interpreter is the one that the image is for, installs the tools, adds the user,
compiles byte code that does not depend on times, lists what is installed, removes whatever differs from one bootstrap
to the next, and itself.
"""

from __future__ import annotations

import contextlib
import hashlib
import json
import os
import re
import shutil
import struct
import subprocess
import sys
from importlib import metadata
from pathlib import Path

HERE = Path("/opt/farm-image")
TOOLS = Path("/opt/farm-tools")
WHEELS = Path("/opt/farm-wheels")
JDK = Path("/opt/jdk")
"""Links to the JDK, wherever the distribution has it."""
KEYSTORE = Path("/etc/ssl/certs/java/cacerts")
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
    # Class data archives: dumped by the JDK's installation, with other bytes each time (JDK 17). A JVM starts without
    # them, in about 0.1 s more.
    "/usr/lib/jvm/*/lib/server/*.jsa",
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


def check_interpreter(interpreter: str, version: str) -> None:
    """End the program unless the interpreter that builds will use is what the image says it is for."""
    if not interpreter.startswith("jdk"):
        found = f"{sys.version_info.major}.{sys.version_info.minor}"
    else:
        found = jdk_version(link_jdk())
    if found != version:
        sys.exit(f"the image is for {interpreter} (version {version}), what is installed is version {found or '?'}")


def link_jdk() -> Path:
    """Link `/opt/jdk` to the JDK whose compiler is found first, and return its folder."""
    own = os.environ.get("JAVA_HOME")
    path = os.pathsep.join((*([f"{own}/bin"] if own else []), os.environ.get("PATH", ""), ENVIRONMENT["PATH"]))
    compiler = shutil.which("javac", path=path)
    if compiler is None:
        sys.exit("the image is for a JDK, but no javac is installed")
    home = Path(compiler).resolve().parents[1]
    if JDK.resolve() != home:
        # The base may be a builder image itself; a folder there is not ours to remove, and the link fails.
        if JDK.is_symlink():
            JDK.unlink()
        JDK.symlink_to(home)
    return home


def jdk_version(home: Path) -> str:
    """Return the major version of the JDK in `home`, as its file `release` says it; nothing where it does not."""
    try:
        text = (home / "release").read_text(encoding="utf-8")
    except OSError:
        return ""
    # JDK 8 calls itself 1.8.
    found = re.search(r'^JAVA_VERSION="(?:1\.)?([0-9]+)', text, re.MULTILINE)
    return found[1] if found else ""


def undated(keystore: bytes) -> bytes:
    """Return a keystore of trusted certificates in the format JKS without the times at which they were put in.

    A header, the entries, a SHA-1 over both with the password, which is the one that all the world uses. A keystore in
    another format is returned as it is: the distribution brought it, nothing was generated.

    Raises:
        ValueError, struct.error: it holds something else, or is damaged.
    """
    magic, version, count = struct.unpack_from(">III", keystore)
    if (magic, version) != (0xFEEDFEED, 2):
        return keystore
    entries, position = [], 12
    for _ in range(count):
        start = position
        [tag] = struct.unpack_from(">I", keystore, position)
        if tag != 2:  # noqa: PLR2004 - the format's number of a trusted certificate
            raise ValueError(f"the keystore holds an entry of type {tag}, which is no certificate")
        position += 4 + 2 + struct.unpack_from(">H", keystore, position + 4)[0]
        dated = position
        position += 8
        position += 2 + struct.unpack_from(">H", keystore, position)[0]
        position += 4 + struct.unpack_from(">I", keystore, position)[0]
        entries.append(keystore[start:dated] + bytes(8) + keystore[dated + 8 : position])
    if keystore[position:] != _keystore_digest(keystore[:position]):
        raise ValueError("the keystore is damaged, or has a password of its own")
    body = keystore[:12] + b"".join(sorted(entries))
    return body + _keystore_digest(body)


def _keystore_digest(body: bytes) -> bytes:
    salted = "changeit".encode("utf-16-be") + b"Mighty Aphrodite" + body
    return hashlib.sha1(salted, usedforsecurity=False).digest()


def install_tools(keep: list[str], *, wanted: bool) -> None:
    """Make the tools' virtual environment from the wheels alone, and keep the wheels that builds need."""
    wheels = HERE / "wheels"
    link = Path("/usr/local/bin/uv")
    for stale in (TOOLS, WHEELS):
        # The base may be a builder image itself.
        shutil.rmtree(stale, ignore_errors=True)
    link.unlink(missing_ok=True)
    if not wanted:
        return
    [pip] = wheels.glob("pip-*.whl")
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
    if KEYSTORE.is_file():
        KEYSTORE.write_bytes(undated(KEYSTORE.read_bytes()))
    for pattern in REMOVED:
        for path in sorted(Path("/").glob(pattern[1:])):
            if path.is_dir() and not path.is_symlink():
                shutil.rmtree(path)
            else:
                # A pattern may find a file under two names, one of them through a link.
                path.unlink(missing_ok=True)
    for name in ("/etc/hostname", "/etc/hosts", "/etc/resolv.conf"):
        # In a container these are mounts of the engine's: they stay as they are and are left out when it is exported.
        with contextlib.suppress(OSError):
            Path(name).unlink(missing_ok=True)
    for name in ("plan.json", "requirements.txt", "customise.py"):
        (HERE / name).unlink(missing_ok=True)
    shutil.rmtree(HERE / "wheels")


def main() -> None:
    """Do everything in order."""
    os.umask(0o022)
    plan = json.loads((HERE / "plan.json").read_text(encoding="utf-8"))
    check_interpreter(plan["interpreter"], plan["version"])
    install_tools(plan["wheels"], wanted=plan["tools"])
    add_user()
    compile_python()
    (HERE / "packages.txt").write_text(list_packages(), encoding="utf-8")
    clean()


if __name__ == "__main__":
    main()
