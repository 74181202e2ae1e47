"""The guards: hold a built wheel against the recipe and against its own words. Pure over the file.

Each guard answers something that has gone wrong in real builds: a version plugin that falls back, an optional extension
that is skipped in silence, a stray artifact, metadata that names another project, files that no RECORD lists.
"""

from __future__ import annotations

import hashlib
import re
from dataclasses import dataclass
from email.parser import BytesParser
from email.policy import compat32
from typing import TYPE_CHECKING

from packaging.tags import Tag, parse_tag
from packaging.utils import canonicalize_name, parse_wheel_filename
from packaging.version import InvalidVersion, Version

from farm.ecosystems.python.archive import Entry, read_all, read_directory, stream
from farm.ecosystems.python.binaries import HEAD, binary_kind, elf_fits
from farm.ecosystems.python.metadata import CoreMetadata, check_identity, read_metadata
from farm.ecosystems.python.numbers import number_of
from farm.ecosystems.python.record import encode_digest, read_record
from farm.ecosystems.python.target import machine, supported_tags
from farm.errors import GuardError

if TYPE_CHECKING:
    from pathlib import Path
    from typing import BinaryIO

    from farm.model.plan import BuildPlan

__all__ = ["FOREIGN_BINARIES", "NO_NATIVE_CODE", "WheelFacts", "guard_wheel", "tags_of"]

FOREIGN_BINARIES = "foreign-binaries"
"""The rule that a recipe can waive with a reason: executables of other systems that a project ships on purpose."""
NO_NATIVE_CODE = "no-native-code"
"""The other one: a wheel that is tagged for a platform without holding code for it."""
_MAX_WHEEL_FILE = 64 * 1024
_ANY = "any"
_BYTECODE = (".pyc", ".pyo")


@dataclass(frozen=True)
class WheelFacts:
    """What the guards read on the way."""

    name: str
    version: str
    tags: tuple[str, ...]
    pure: bool
    dist_info: str
    """Name of the .dist-info folder."""
    metadata: CoreMetadata
    metadata_bytes: bytes
    entries: tuple[Entry, ...]
    native: tuple[str, ...]
    """Paths of the ELF files."""
    foreign: tuple[str, ...]
    """Paths of waived foreign binaries."""
    startup: tuple[str, ...]
    """Paths of .pth files: code that runs at every start of the interpreter."""


def guard_wheel(
    path: Path, plan: BuildPlan, *, filename: str = "", finished: bool = False, number: int = 0
) -> WheelFacts:
    """Check the wheel at `path`.

    Args:
        path: the file.
        plan: what it must be.
        filename: its name, where `path` has another.
        finished: it has been through the finish step, so that its platform tag is the final one.
        number: the build number that the finish step has given it; a backend gives none.

    Raises:
        UnsafeArchiveError: a zip that is not safe to read or unpack.
        GuardError: a wheel that is not what the recipe says or that contradicts itself.
    """
    label = filename or path.name
    name, version, tags = _parse_filename(label, number)
    with path.open("rb") as file:
        entries = read_directory(file, label)
        by_name = {entry.name: entry for entry in entries}
        dist_info = _dist_info(entries, name, version, label)
        metadata_bytes = read_all(file, _needed(by_name, f"{dist_info}/METADATA", label), label)
        metadata = read_metadata(metadata_bytes, label)
        _check_names(plan, name, version, metadata, label)
        wheel = read_all(file, _needed(by_name, f"{dist_info}/WHEEL", label), label, _MAX_WHEEL_FILE)
        pure = _check_wheel_file(wheel, tags, number, label)
        _check_paths(entries, dist_info, label)
        binaries = _check_contents(file, entries, dist_info, label)
    native = tuple(sorted(path for path, (kind, _) in binaries.items() if kind == "ELF"))
    _check_tags(plan, tags, native=native, finished=finished, label=label)
    foreign = _check_binaries(plan, binaries, pure=pure, label=label)
    return WheelFacts(
        name=name,
        version=str(version),
        tags=tuple(sorted(str(tag) for tag in tags)),
        pure=pure,
        dist_info=dist_info,
        metadata=metadata,
        metadata_bytes=metadata_bytes,
        entries=entries,
        native=native,
        foreign=foreign,
        startup=tuple(sorted(entry.name for entry in entries if entry.name.endswith(".pth"))),
    )


def tags_of(filename: str) -> frozenset[Tag]:
    """Return the tags in a wheel's filename; raises GuardError."""
    return _parse_filename(filename, 0)[2]


def _parse_filename(filename: str, number: int) -> tuple[str, Version, frozenset[Tag]]:
    try:
        name, version, build, tags = parse_wheel_filename(filename)
        found = number_of(filename)
    except ValueError as error:
        raise GuardError(f"{filename!r} is no wheel filename of farm's: {error}") from error
    if found != number:
        raise _numbered(filename, f"{build[0]}{build[1]}" if build else "none", number)
    return name, version, tags


def _numbered(label: str, found: str, number: int) -> GuardError:
    return GuardError(
        f"{label}: its build number is {found}, not {number or 'none'}",
        remedy="Farm numbers the builds of a version itself: take the build tag out of build.config_settings.",
    )


def _dist_info(entries: tuple[Entry, ...], name: str, version: Version, label: str) -> str:
    found = {part for entry in entries if (part := entry.name.partition("/")[0]).endswith(".dist-info")}
    if len(found) != 1:
        raise GuardError(f"{label} has {len(found)} .dist-info folders: {', '.join(sorted(found)) or 'none'}")
    folder = found.pop()
    stem, _, folder_version = folder.removesuffix(".dist-info").rpartition("-")
    try:
        same = canonicalize_name(stem) == name and Version(folder_version.replace("_", "-")) == version
    except InvalidVersion:
        same = False
    if not same:
        raise GuardError(f"{label}: its folder {folder} is of another name or version")
    return folder


def _needed(by_name: dict[str, Entry], name: str, label: str) -> Entry:
    entry = by_name.get(name)
    if entry is None or entry.folder:
        raise GuardError(f"{label} has no {name}")
    return entry


def _check_names(plan: BuildPlan, name: str, version: Version, metadata: CoreMetadata, label: str) -> None:
    check_identity(plan.package, metadata)
    # check_identity has held METADATA against the plan, so equal to METADATA is equal to the plan.
    if canonicalize_name(metadata.name) != name or Version(metadata.version) != version:
        raise GuardError(f"{label}: METADATA says {metadata.name} {metadata.version}")


def _check_wheel_file(data: bytes, tags: frozenset[Tag], number: int, label: str) -> bool:
    """Hold WHEEL against the filename and return Root-Is-Purelib."""
    message = BytesParser(policy=compat32).parsebytes(data, headersonly=True)
    version = str(message.get("Wheel-Version", ""))
    if not re.fullmatch(r"1\.\d+", version):
        raise GuardError(f"{label}: WHEEL is of version {version or 'none'}, 1.x is known")
    stated = frozenset(tag for value in message.get_all("Tag", []) for tag in parse_tag(str(value).strip()))
    if stated != tags:
        listed = ", ".join(sorted(map(str, stated))) or "none"
        raise GuardError(f"{label}: the tags in WHEEL are not those of the filename: {listed}")
    builds = [str(value).strip() for value in message.get_all("Build", [])]
    if builds != ([str(number)] if number else []):
        raise _numbered(label, f"{', '.join(builds) or 'none'} in WHEEL", number)
    words = [str(value).strip().lower() for value in message.get_all("Root-Is-Purelib", [])]
    if words not in (["true"], ["false"]):
        raise GuardError(f"{label}: WHEEL does not say once whether Root-Is-Purelib")
    pure = words == ["true"]
    if pure != all(tag.platform == _ANY for tag in tags):
        raise GuardError(f"{label}: Root-Is-Purelib is {words[0]}, the filename's tags say otherwise")
    return pure


def _check_paths(entries: tuple[Entry, ...], dist_info: str, label: str) -> None:
    data = dist_info.removesuffix(".dist-info") + ".data"
    for entry in entries:
        parts = entry.name.split("/")
        if entry.name.endswith(_BYTECODE) or "__pycache__" in parts:
            raise GuardError(f"{label} holds compiled bytecode: {entry.name}")
        if parts[0].endswith(".data") and parts[0] != data:
            raise GuardError(f"{label}: {entry.name} lies in a .data folder of another name or version")
        if entry.name in {f"{dist_info}/RECORD.jws", f"{dist_info}/RECORD.p7s"}:
            raise GuardError(f"{label} holds {entry.name}: a signature that no installer checks")


def _check_contents(
    file: BinaryIO, entries: tuple[Entry, ...], dist_info: str, label: str
) -> dict[str, tuple[str, bytes]]:
    """Hold every file against RECORD and return the binaries: path → (kind, first bytes)."""
    own = f"{dist_info}/RECORD"
    record_entry = _needed({entry.name: entry for entry in entries}, own, label)
    record = read_record(read_all(file, record_entry, label), own, label)
    files = {entry.name for entry in entries if not entry.folder and entry.name != own}
    unlisted, absent = sorted(files - record.keys()), sorted(record.keys() - files)
    if unlisted or absent:
        raise GuardError(
            f"{label}: RECORD is not complete: not listed: {', '.join(unlisted[:5]) or 'none'}; "
            f"listed but absent: {', '.join(absent[:5]) or 'none'}",
            details={"unlisted": unlisted[:100], "absent": absent[:100]},
        )
    binaries: dict[str, tuple[str, bytes]] = {}
    for entry in entries:
        if entry.folder or entry.name == own:
            continue
        hasher, head = hashlib.sha256(), b""
        for chunk in stream(file, entry, label):
            if len(head) < HEAD:
                head += chunk[: HEAD - len(head)]
            hasher.update(chunk)
        if record[entry.name] != (encode_digest(hasher.digest()), entry.size):
            raise GuardError(f"{label}: RECORD has another digest or size for {entry.name}")
        if kind := binary_kind(head):
            binaries[entry.name] = (kind, head)
    return binaries


def _check_tags(plan: BuildPlan, tags: frozenset[Tag], *, native: tuple[str, ...], finished: bool, label: str) -> None:
    """Hold the tags against the recipe's pattern, and against what the target runs."""
    target, arch = plan.target, machine(plan.target).name
    plain = {(t.interpreter, t.abi) for t in supported_tags(target)}
    for tag in tags:
        # Platform tags newer than the resolver's floor are fine here: this wheel was built on the image's own glibc.
        platform_ok = tag.platform == _ANY or _is_linux(tag.platform, arch)
        if not platform_ok or (tag.interpreter, tag.abi) not in plain:
            # A universal wheel (py2.py3) is fine as long as one of its tags fits.
            if tag.platform == _ANY and any((t.interpreter, t.abi) in plain for t in tags):
                continue
            raise GuardError(f"{label}: its tag {tag} does not run on {target.interpreter} {target.platform}")
    pattern = plan.build.tags
    if pattern and not _matches(pattern, tags, arch, finished=finished):
        silent = " (a native package came out pure: an optional extension was not built)" if not native else ""
        raise GuardError(f"{label}: the recipe expects the tags {pattern}{silent}")
    if native and all(tag.platform == _ANY for tag in tags):
        raise GuardError(f"{label} is tagged as pure but holds native code: {', '.join(native[:5])}")
    if not native and not all(tag.platform == _ANY for tag in tags) and not _waived(plan, NO_NATIVE_CODE):
        raise GuardError(
            f"{label} is tagged for a platform but holds no native code: an optional extension was not built",
            remedy=f"Give the builder image what the extension needs, or waive the rule {NO_NATIVE_CODE!r}.",
        )


def _matches(pattern: str, tags: frozenset[Tag], arch: str, *, finished: bool) -> bool:
    """Return whether the tags are those of the pattern: exact, or with `linux` for any Linux platform of the target."""
    try:
        wanted = parse_tag(pattern)
    except ValueError as error:
        raise GuardError(f"the recipe's tags {pattern!r} are no tags: {error}") from error
    if {(t.interpreter, t.abi) for t in wanted} != {(t.interpreter, t.abi) for t in tags}:
        return False
    platforms = {t.platform for t in wanted}
    if platforms == {"linux"}:
        return all(_is_linux(tag.platform, arch) for tag in tags)
    if finished or platforms == {_ANY}:
        return platforms <= {tag.platform for tag in tags}
    # The backend writes linux_<arch>; the finish step sets the platform that the recipe names.
    return all(_is_linux(tag.platform, arch) for tag in tags)


def _is_linux(platform: str, arch: str) -> bool:
    return re.fullmatch(rf"(linux|(many|musl)linux[0-9_]*)_{re.escape(arch)}", platform) is not None


def _check_binaries(
    plan: BuildPlan, binaries: dict[str, tuple[str, bytes]], *, pure: bool, label: str
) -> tuple[str, ...]:
    """Refuse machine code that the build did not make for the target; return what the recipe waives."""
    kind_of_machine = machine(plan.target)
    foreign = {
        path: kind
        for path, (kind, head) in binaries.items()
        if pure or kind != "ELF" or not elf_fits(head, kind_of_machine)
    }
    if foreign and not _waived(plan, FOREIGN_BINARIES):
        listed = ", ".join(f"{path} ({kind})" for path, kind in sorted(foreign.items())[:5])
        raise GuardError(
            f"{label} holds binaries that were not built for {plan.target.platform}: {listed}",
            remedy=f"Remove them with a patch, or waive the rule {FOREIGN_BINARIES!r} in the recipe, with a reason.",
            details={"files": dict(sorted(foreign.items()))},
        )
    return tuple(sorted(foreign))


def _waived(plan: BuildPlan, rule: str) -> bool:
    return any(waiver.rule == rule for waiver in plan.build.waivers)
