"""What a worker may claim: job records, run results and file names that contradict neither themselves nor each other.

The signer sees neither the source nor the sandbox, so it cannot know that a claim is true. What it can see is refused
here, before anything is signed. The lock itself does not come along: `lock_digest` and `build_key` cannot be computed
again from what the signer has, and stay the worker's word.
"""

from __future__ import annotations

import re
from datetime import datetime
from typing import TYPE_CHECKING

from packaging.tags import Tag, compatible_tags, cpython_tags
from packaging.utils import InvalidWheelFilename, canonicalize_name, canonicalize_version, parse_wheel_filename
from packaging.version import InvalidVersion, Version

from farm.errors import SigningRefusedError
from farm.source.giturl import download_location
from farm.source.scrub import without_credentials
from farm.trust.protocol import RUN_ID_PATTERN

if TYPE_CHECKING:
    from farm.model.evidence import JobRecord, RunResult
    from farm.model.plan import BuildPlan, Target

__all__ = ["check_filename", "check_job", "check_result"]

_RUN_ID = re.compile(RUN_ID_PATTERN)
_FUTURE_SECONDS = 300
"""How far a worker's clock may be ahead of the signer's."""
_MAX_FILENAME = 255
_ANY = "any"
_MACHINES = {"linux/amd64": "x86_64", "linux/arm64": "aarch64"}
"""Platform of a target → machine in wheel tags (PEP 600)."""


def check_job(job: JobRecord, now: float) -> None:
    """Refuse a record that contradicts itself.

    Args:
        job: the record.
        now: seconds since the epoch.

    Raises:
        SigningRefusedError: it does.
    """
    if not _RUN_ID.fullmatch(job.run_id):
        raise _invalid(f"{job.run_id!r} is not usable as a run id")
    if _seconds(job.started_on) > now + _FUTURE_SECONDS:
        raise _invalid(f"the run {job.run_id} starts in the future: {job.started_on}")
    image, target = job.image, job.plan.target
    if (image.platform, image.interpreter) != (target.platform, target.interpreter):
        raise _invalid(
            f"the plan of {job.plan.package} is for {target.interpreter} on {target.platform}, "
            f"its image for {image.interpreter} on {image.platform}"
        )
    _check_source(job)
    inputs = {file.filename: file.sha256 for file in job.inputs}
    for file in job.inputs:
        if inputs[file.filename] != file.sha256:
            raise _invalid(f"the inputs hold {file.filename} with two digests")


def _check_source(job: JobRecord) -> None:
    """Demand that the source that was taken is the one that was pinned."""
    pin, snapshot = job.plan.source, job.snapshot
    if pin.kind == "git":
        strength, pinned, taken = "git", pin.commit, snapshot.commit
    else:
        strength, pinned, taken = "archive", pin.sha256, snapshot.origin_sha256
    if pinned != taken:
        raise _invalid(f"the plan of {job.plan.package} pins the source {pinned}, its snapshot is of {taken}")
    if snapshot.strength != strength:
        raise _invalid(f"a pin of the kind {pin.kind} gives no source of the strength {snapshot.strength}")
    if not _is_location(job.plan, snapshot.uri):
        raise _invalid(f"{snapshot.uri} is not where the pin of {job.plan.package} leads")


def _is_location(plan: BuildPlan, uri: str) -> bool:
    pin = plan.source
    if pin.kind == "git":
        return uri == download_location(pin.url, pin.commit, pin.tag)
    if pin.kind == "url":
        return uri == without_credentials(pin.url)
    # Which spelling the archive's name has, only the index knows.
    return re.fullmatch(rf"{re.escape(plan.package.purl)}(\?file_name=[A-Za-z0-9._%+-]+)?", uri) is not None


def check_result(job: JobRecord, result: RunResult, now: float) -> None:
    """Refuse a result that cannot be one of this job.

    Args:
        job: the record that the signer kept.
        result: what the worker says happened.
        now: seconds since the epoch.

    Raises:
        SigningRefusedError: it cannot.
    """
    finished = _seconds(result.finished_on)
    if finished < _seconds(job.started_on) or finished > now + _FUTURE_SECONDS:
        raise _invalid(f"the run {job.run_id} started {job.started_on} and cannot have finished {result.finished_on}")
    plan, test = job.plan.test, result.test
    said = (test.result, test.reason, test.imports, test.command)
    skipped = ("skipped", plan.skip_reason, (), ())
    if said != (skipped if plan.skip_reason else ("passed", "", plan.imports, plan.command)):
        raise _invalid(
            f"the tests of {job.plan.package} are not those of its plan: {test.result} {test.reason}".strip()
        )


def check_filename(job: JobRecord, filename: str) -> str:
    """Demand that a file name (PEP 427) is one of the job's own package, version and target.

    Returns:
        The release that it names: equal for all names that are the same file to an installer.

    Raises:
        SigningRefusedError: it is not.
    """
    package = job.plan.package
    if package.ecosystem != "python":
        raise SigningRefusedError(f"nothing is signed for the ecosystem {package.ecosystem!r}")
    try:
        name, version, build, tags = parse_wheel_filename(filename)
        expected = Version(package.version)
    except (InvalidWheelFilename, InvalidVersion) as error:
        raise SigningRefusedError(f"{filename!r} is not the name of a wheel: {error}") from error
    if "/" in filename or not filename.isascii() or not filename.isprintable() or len(filename) > _MAX_FILENAME:
        raise SigningRefusedError(f"{filename!r} is not the name of a wheel")
    if name != canonicalize_name(package.name) or version != expected:
        raise SigningRefusedError(f"{filename} is not a file of {package}, which this run builds")
    # Other spellings and build numbers are further files of the same release: installers would choose between them.
    stem = f"{name.replace('-', '_')}-{version}-"
    if build or not filename.startswith(stem):
        raise SigningRefusedError(f"{filename} is not spelled in normal form: {stem}…")
    _check_tags(job.plan.target, tags, filename)
    return f"{name} {canonicalize_version(version)} {' '.join(sorted(map(str, tags)))}"


def _check_tags(target: Target, tags: frozenset[Tag], filename: str) -> None:
    """Demand that a wheel installs on the target (PEP 425); a universal one (py2.py3) may be for others too."""
    number = re.fullmatch(r"cp3([0-9]{1,2})", target.interpreter)
    arch = _MACHINES.get(target.platform)
    if number is None or arch is None:
        raise SigningRefusedError(f"nothing is signed for {target.interpreter} on {target.platform}")
    version = (3, int(number[1]))
    known = (
        *cpython_tags(version, [target.interpreter], [_ANY]),
        *compatible_tags(version, target.interpreter, [_ANY]),
    )
    runs = {(tag.interpreter, tag.abi) for tag in known}
    fitting = {tag for tag in tags if (tag.interpreter, tag.abi) in runs}
    for tag in tags:
        native = re.fullmatch(rf"(linux|(many|musl)linux[0-9_]*)_{arch}", tag.platform)
        if not (tag in fitting and native) and not (fitting and tag.platform == _ANY):
            raise SigningRefusedError(f"{filename} is not for {target.interpreter} on {target.platform}: {tag}")


def _seconds(timestamp: str) -> float:
    return datetime.fromisoformat(timestamp).timestamp()


def _invalid(message: str) -> SigningRefusedError:
    return SigningRefusedError(message, details={"status": 422})
