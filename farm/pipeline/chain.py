"""The order of the steps: one function that every way of running a build goes through.

`call` runs one step: in the process with a progress line (`farm build`) or as a Prefect task (`farm submit`). The
order, and what is handed from step to step, is written here and nowhere else.
"""

from __future__ import annotations

import time
from typing import TYPE_CHECKING, Any, NamedTuple, Protocol, TypeVar

from farm.errors import BlobCorruptError, BlobMissingError, ImmutableError
from farm.pipeline import steps
from farm.pipeline.identity import RunIdentity

if TYPE_CHECKING:
    from collections.abc import Callable, Mapping

    from farm.model.outcome import Outcome
    from farm.pipeline.linking import Policy, Provider

__all__ = [
    "PUBLISHED",
    "Call",
    "Inputs",
    "Reproduction",
    "RunIdentity",
    "build_package",
    "release_package",
    "reproduce_package",
]

T = TypeVar("T")


class Call(Protocol):
    """Runs one step by its name."""

    def __call__(self, name: str, step: Callable[..., T], /, *values: Any) -> T:
        """Run `step(runtime, *values)` and return what it returns."""
        ...


class Inputs(NamedTuple):
    """Whose results stand in for what is locked; see `farm.pipeline.steps.link`."""

    provider: Provider | None = None
    """None: what is published now."""
    policy: Policy | None = None
    """None: the setting."""
    stage: int = 0
    """Of a cycle's bootstrap: the result is kept in the vault and not published. 0: it is published."""
    seeds: tuple[str, ...] = ()
    """Upstream's files that the first stage of that cycle was built with."""


PUBLISHED = Inputs()


class Reproduction(NamedTuple):
    """What came of building again, from nothing, what is published."""

    same: bool
    differences: tuple[str, ...]
    """`file: SHA-256 before, SHA-256 now`."""


def build_package(
    reference: str,
    *,
    run: RunIdentity,
    call: Call,
    force: bool = False,
    image: str = "",
    inputs: Inputs = PUBLISHED,
) -> Outcome:
    """Build, test, sign and publish one package version.

    Args:
        reference: `python/markupsafe`, `python/markupsafe@3.0.2` or a path.
        run: which run this is.
        call: how a step is run; it knows the runtime.
        force: build although the build key is known; other bytes than the published ones are an error.
        inputs: whose results stand in for what is locked.
        image: one of those that the recipe version names; empty = the primary one.

    Returns:
        The outcome; `reused` when nothing had to be built.

    Raises:
        FarmError: the first step that failed; nothing was published then.
    """
    began = time.monotonic()
    plan = call("plan", steps.plan, reference, image)
    snapshot = call("source", steps.source, plan)
    lock = call("lock", steps.lock, plan, snapshot)
    linked = call("link", steps.link, plan, lock, *inputs)
    known = call("reuse", steps.reuse, plan, snapshot, linked) if not force else None
    if known is not None:
        return known
    proven = call("proof", steps.prove, plan)
    if proven != snapshot:
        # The vault's record was wrong, and all that hangs on it may be.
        snapshot, lock = proven, call("lock", steps.lock, plan, proven)
        linked = call("link", steps.link, plan, lock, *inputs)
    call("inputs", steps.inputs, plan, linked)
    job = call("job", steps.open_job, plan, snapshot, linked, run)
    try:
        built = call("build", steps.build, plan, snapshot, linked)
        notes = call("inspect", steps.inspect, plan, built)
        artifacts = call("finish", steps.finish, job.record, built)
        report = call("test", steps.test, job.record, linked, built, artifacts)
        signed = call("sign", steps.sign, job, built, notes, artifacts, report)
        seconds = round(time.monotonic() - began, 3)
        name, last = ("keep", steps.keep) if inputs.stage else ("publish", steps.publish)
        return call(name, last, job.record, linked, built, artifacts, report, signed, seconds)
    finally:
        # Whatever became of the build: from here on nothing may be signed with its token.
        call("close", steps.close_job, job)


def release_package(
    reference: str, outcome: Outcome, *, run: RunIdentity, call: Call, image: str, inputs: Inputs
) -> Outcome:
    """Publish the last result of a cycle's bootstrap.

    It is built once more where the vault does not have it whole, or another build of the version was published since:
    its number was given when it was built, in a run that may be long ago.

    Args:
        reference: as for `build_package`.
        outcome: what was kept.
        run: which run this is.
        call: how a step is run.
        image: as for `build_package`.
        inputs: what it was built with; the stage counts no more.

    Raises:
        FarmError: see `build_package`.
    """
    plan = call("plan", steps.plan, reference, image)
    snapshot = call("source", steps.source, plan)
    lock = call("lock", steps.lock, plan, snapshot)
    linked = call("link", steps.link, plan, lock, *inputs[:2])
    known = call("reuse", steps.reuse, plan, snapshot, linked)
    if known is not None:
        return known
    try:
        return call("publish", steps.release, plan, outcome)
    except (BlobMissingError, BlobCorruptError, ImmutableError):  # the last: another result got its name meanwhile
        return build_package(reference, run=run, call=call, image=image, inputs=Inputs(*inputs[:2]))


def reproduce_package(
    reference: str,
    expected: Mapping[str, str],
    *,
    run: RunIdentity,
    call: Call,
    image: str = "",
    inputs: Inputs = PUBLISHED,
) -> Reproduction:
    """Build a package version from nothing and compare: nothing is signed, nothing is published.

    Args:
        reference: as for `build_package`.
        expected: file name → SHA-256 of what is published.
        run: which run this is.
        call: how a step is run.
        image: one of those that the recipe version names.
        inputs: what the published result was built with.

    Raises:
        FarmError: the first step that failed; whether the bytes agree is not known then.
    """
    plan = call("plan", steps.plan, reference, image)
    snapshot = call("proof", steps.prove, plan)
    lock = call("lock", steps.lock, plan, snapshot)
    linked = call("link", steps.link, plan, lock, *inputs)
    call("inputs", steps.inputs, plan, linked)
    record = call("record", steps.job_record, plan, snapshot, linked, run)
    built = call("build", steps.build, plan, snapshot, linked)
    call("inspect", steps.inspect, plan, built)
    artifacts = call("finish", steps.finish, record, built)
    found = {artifact.filename: artifact.blob.sha256 for artifact in artifacts}
    return Reproduction(
        same=found == dict(expected),
        differences=tuple(
            f"{name}: {expected.get(name, 'not there')} before, {found.get(name, 'not there')} now"
            for name in sorted({*found, *expected})
            if found.get(name) != expected.get(name)
        ),
    )
