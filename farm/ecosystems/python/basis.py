"""What a lock was made from, and whether that is still so. Pure: nothing is read and nothing foreign runs."""

from __future__ import annotations

from typing import TYPE_CHECKING, Any

from packaging.utils import InvalidWheelFilename, canonicalize_name, parse_wheel_filename
from packaging.version import InvalidVersion, Version

from farm.ecosystems.python.cargo.lockfile import is_consistent, is_crate
from farm.ecosystems.stale import differences, refuse_stale
from farm.model.base import canonical_json, sha256_bytes

if TYPE_CHECKING:
    from collections.abc import Mapping

    from farm.model.build import ImageIdentity
    from farm.model.lock import Lock, LockedFile
    from farm.model.plan import BuildPlan
    from farm.model.source import SourceSnapshot

__all__ = ["CONSTRAINTS", "basis", "check"]

CONSTRAINTS = "constraints"
"""Key of `Lock.requirements` that keeps the recipe's build.requires; the other keys are roles."""
_FORMAT = 1
"""Raised when the lock step itself starts to resolve differently, which makes older locks stale."""


def basis(plan: BuildPlan, snapshot: SourceSnapshot, requirements: Mapping[str, tuple[str, ...]]) -> str:
    """Return the digest over everything that the lock is a function of, but for the state of the index.

    The rounds' results (`requirements`) are part of it: they cannot be recomputed without running the backend, but
    with them an edited lock is a stale lock.
    """
    facts: dict[str, Any] = {
        "format": _FORMAT,
        "package": str(plan.package),
        "target": plan.target.key,
        "image": plan.build.image,
        "tree": snapshot.tree_digest,
        "subdirectory": plan.source.subdirectory,
        "env": dict(plan.build.env),
        "config_settings": {
            key: value if isinstance(value, str) else list(value) for key, value in plan.build.config_settings.items()
        },
        "build_requires": sorted(plan.build.requires),
        "test_requires": sorted(plan.test.requires),
        "requirements": {key: list(value) for key, value in requirements.items()},
    }
    if plan.build.patches:
        # Not there at all without patches: locks that were made before there were any stay as they are.
        facts["patches"] = [patch.blob.sha256 for patch in plan.build.patches]
    if plan.build.options:
        facts["options"] = plan.build.options  # not there at all without, as above
    return sha256_bytes(canonical_json(facts))


def check(plan: BuildPlan, snapshot: SourceSnapshot, image: ImageIdentity, lock: Lock) -> None:
    """Raise LockStaleError when `lock` was made for something else, naming what differs."""
    changed = differences(
        plan,
        lock,
        (
            ("interpreter of the image", lock.target.partition("-")[0], image.interpreter),
            ("build.requires", _listed(lock, CONSTRAINTS), ", ".join(sorted(plan.build.requires))),
            ("test.requires", _listed(lock, "test"), ", ".join(sorted(plan.test.requires))),
        ),
    )
    changed += [f"file {f.filename} is not {f.name} {f.version}" for f in lock.files if not _consistent(f)]
    if not changed and lock.basis != basis(plan, snapshot, lock.requirements):
        sections = ", ".join(f"build.{key}" for key in ("env", "config_settings", "options", "patches"))
        changed.append(f"the source tree, {sections} or the lock file itself")
    refuse_stale(plan, lock, changed)


def _listed(lock: Lock, key: str) -> str:
    return ", ".join(sorted(lock.requirements.get(key, ())))


def _consistent(file: LockedFile) -> bool:
    if is_crate(file):
        return is_consistent(file)
    try:
        name, version, _, _ = parse_wheel_filename(file.filename)
        return (
            name == canonicalize_name(file.name)
            and version == Version(file.version)
            and file.purl == f"pkg:pypi/{file.name}@{file.version}"
        )
    except (InvalidWheelFilename, InvalidVersion):
        return False
