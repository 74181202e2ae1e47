"""What a lock was recorded for: goals, flags, profiles, JDK, Maven, platform, source; anything else makes it stale."""

from __future__ import annotations

from typing import TYPE_CHECKING
from urllib.parse import quote

from farm.ecosystems.maven.command import TIMESTAMP, maven_argv
from farm.ecosystems.maven.language import LANGUAGE
from farm.ecosystems.maven.options import options_of
from farm.ecosystems.maven.paths import parse_path
from farm.ecosystems.stale import differences, refuse_stale
from farm.model.base import canonical_json, sha256_bytes

if TYPE_CHECKING:
    from collections.abc import Mapping

    from farm.ecosystems.maven.project import DistributionPin
    from farm.model.build import ImageIdentity
    from farm.model.lock import Lock
    from farm.model.plan import BuildPlan
    from farm.model.source import SourceSnapshot

__all__ = ["COMMAND", "DISTRIBUTION", "basis", "check", "locked_requirements", "purl_of"]

COMMAND = "command"
DISTRIBUTION = "maven"
_JDK = "jdk"
_SOURCE = "source"
_FORMAT = 1
"""Raised when the lock step itself starts to record differently, which makes older locks stale."""


def locked_requirements(
    plan: BuildPlan, snapshot: SourceSnapshot, argv: tuple[str, ...], distribution: DistributionPin
) -> dict[str, tuple[str, ...]]:
    """Return what was recorded for, as `Lock.requirements` keeps it for people and for `check`."""
    return {
        COMMAND: argv,
        DISTRIBUTION: (distribution.path, distribution.sha256),
        _JDK: (plan.target.interpreter,),
        _SOURCE: (snapshot.tree_digest,),
    }


def basis(plan: BuildPlan, requirements: Mapping[str, tuple[str, ...]]) -> str:
    """Return the digest over everything that the lock is a function of, but for the state of the repositories."""
    facts = {
        "format": _FORMAT,
        "package": str(plan.package),
        "target": plan.target.key,
        "image": plan.build.image,
        "subdirectory": plan.source.subdirectory,
        "env": dict(plan.build.env),
        "patches": [patch.blob.sha256 for patch in plan.build.patches],
        "requirements": {key: list(value) for key, value in requirements.items()},
    }
    return sha256_bytes(canonical_json(facts))


def check(plan: BuildPlan, snapshot: SourceSnapshot, image: ImageIdentity, lock: Lock) -> None:
    """Raise LockStaleError when `lock` was recorded for something else, naming what differs."""
    needed = lock.requirements
    own = options_of(plan).maven
    maven = needed.get(DISTRIBUTION, ("",))[-1]
    changed = differences(
        plan,
        lock,
        (
            ("JDK", " ".join(needed.get(_JDK, ())), image.interpreter),
            ("source tree", " ".join(needed.get(_SOURCE, ())), snapshot.tree_digest),
            ("Maven", maven, own.sha256 if own else maven),
        ),
    )
    # Whether the POM has a timestamp is seen in the source; both readings are of one recipe.
    recorded = needed.get(COMMAND, ())
    stamped = any(word.startswith(f"-D{TIMESTAMP}=") for word in recorded)
    argv = maven_argv(plan, snapshot, has_timestamp=not stamped)
    if recorded != argv:
        gone, new = sorted(set(recorded) - set(argv)), sorted(set(argv) - set(recorded))
        differ = f"lock: {' '.join(gone) or 'none'}, now: {' '.join(new) or 'none'}" if gone or new else "their order"
        changed.append(f"goals and flags ({differ})")
    changed += [f"file {f.filename} is not {f.purl}" for f in lock.files if not _consistent(f.filename, f.purl)]
    if not changed and lock.basis != basis(plan, needed):
        changed.append("the sub-directory, build.env, build.patches or the lock file itself")
    refuse_stale(plan, lock, changed)


def purl_of(path: str) -> str:
    """Return the package URL of a file in the Maven2 layout; of metadata, the one of its folder's project.

    Raises:
        ValueError: the path is none that a depot may have.
    """
    parsed = parse_path(path)
    found = parsed.coordinates
    if found is None:
        parts = parsed.text.split("/")
        return f"pkg:maven/{'.'.join(parts[:-2])}/{parts[-2]}" if len(parts) > 2 else f"pkg:generic/{parts[-1]}"  # noqa: PLR2004 - group, artifact, file
    try:
        base = LANGUAGE.purl(f"{found.group}:{found.artifact}", found.version)
    except ValueError:
        # Repositories hold more than Maven can name, and foreign code may have asked for it.
        return f"pkg:generic/{quote(parsed.text, safe='')}"
    qualifiers = [f"classifier={found.classifier}"] if found.classifier else []
    qualifiers += [f"type={found.extension}"]
    return f"{base}?{'&'.join(qualifiers)}"


def _consistent(path: str, purl: str) -> bool:
    try:
        return purl_of(path) == purl
    except ValueError:
        return False
