"""What a worker may claim: job records, run results and file names that contradict neither themselves nor each other.

The signer sees neither the source nor the sandbox, so it cannot know that a claim is true. What it can see is refused
here, before anything is signed. The lock itself does not come along: `lock_digest` and `build_key` cannot be computed
again from what the signer has, and stay the worker's word.
"""

from __future__ import annotations

import re
from datetime import datetime
from typing import TYPE_CHECKING

from pydantic import ValidationError

from farm.errors import SigningRefusedError
from farm.languages import language
from farm.model.plan import GitPin
from farm.source.giturl import download_location
from farm.source.named import is_location
from farm.trust.protocol import RUN_ID_PATTERN

if TYPE_CHECKING:
    from farm.model.evidence import JobRecord, RunResult
    from farm.model.language import Language
    from farm.model.plan import BuildPlan

__all__ = ["check_filename", "check_job", "check_result"]

_RUN_ID = re.compile(RUN_ID_PATTERN)
_FUTURE_SECONDS = 300
"""How far a worker's clock may be ahead of the signer's."""


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
    _check_plan(job.plan)
    _check_source(job)
    inputs = {file.filename: file.sha256 for file in job.inputs}
    for file in job.inputs:
        if inputs[file.filename] != file.sha256:
            raise _invalid(f"the inputs hold {file.filename} with two digests")


def _check_plan(plan: BuildPlan) -> None:
    """Demand a plan that farm can have made, as far as what is decided by it later is concerned."""
    spoken, package = _language(plan), plan.package
    try:
        normal = (spoken.naming.name(package.name), str(spoken.naming.version(package.version)))
    except ValueError as error:
        raise _invalid(f"{package} is no package: {error}") from error
    if normal != (package.name, package.version):
        raise _invalid(f"{package} is not spelled in normal form")
    try:
        spoken.options.model_validate(plan.build.options)
    except ValidationError as error:
        first = error.errors(include_url=False, include_input=False)[0]
        where = ".".join(map(str, first["loc"]))
        raise _invalid(f"the options of {package} are not valid: {where}: {first['msg']}") from error
    names = [patch.name for patch in plan.build.patches]
    if len(set(names)) != len(names):
        raise _invalid(f"the plan of {package} names a patch twice")
    if plan.source.kind not in {"git", "url", spoken.archive.kind}:
        raise _invalid(f"{package.ecosystem} has no sources of the kind {plan.source.kind}")


def _check_source(job: JobRecord) -> None:
    """Demand that the source that was taken is the one that was pinned."""
    pin, snapshot = job.plan.source, job.snapshot
    if isinstance(pin, GitPin):
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
    if isinstance(pin, GitPin):
        return uri == download_location(pin.url, pin.commit, pin.tag)
    return is_location(pin, uri)


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
    if _language(job.plan).tests_in_build and test.result == "passed":
        # Where the build runs the tests, that some ran is all that "passed" can rest on.
        if test.counts is None or test.counts.run <= test.counts.skipped:
            raise _invalid(f"the tests of {job.plan.package} are said to have passed, but none ran")
    elif test.counts is not None and not _language(job.plan).tests_in_build:
        raise _invalid(f"the build of {job.plan.package} runs no tests, but the result counts some")


def check_filename(job: JobRecord, filename: str) -> str:
    """Demand that a file name is one of the job's own package, version and target.

    Returns:
        The release that it names: equal for all names of which a run may have one signed only.

    Raises:
        SigningRefusedError: it is not.
    """
    return _language(job.plan).release(job.plan, filename)


def _language(plan: BuildPlan) -> Language:
    try:
        return language(plan.package.ecosystem)
    except ValueError as error:
        raise SigningRefusedError(f"nothing is signed for the ecosystem {plan.package.ecosystem!r}") from error


def _seconds(timestamp: str) -> float:
    return datetime.fromisoformat(timestamp).timestamp()


def _invalid(message: str) -> SigningRefusedError:
    return SigningRefusedError(message, details={"status": 422})
