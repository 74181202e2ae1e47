"""What a finished step says in one line, in the terminal and in the run's log."""

from __future__ import annotations

from functools import singledispatch

from farm.model.build import BuildResult, TestReport
from farm.model.evidence import BUNDLE
from farm.model.lock import LinkedLock, Lock
from farm.model.outcome import InputsReport, Outcome
from farm.model.plan import BuildPlan
from farm.model.source import SourceSnapshot
from farm.pipeline.steps import OpenJob, SignedBuild

__all__ = ["describe"]


def describe(step: str, result: object) -> str:
    """Return the line for the result of `step`; no secrets are in it."""
    if step == "reuse":
        return "known build key: nothing to build" if result is not None else "not built before"
    return _describe(result)


@singledispatch
def _describe(result: object) -> str:
    if isinstance(result, tuple):
        return ", ".join(filter(None, (getattr(item, "filename", "") for item in result)))
    return ""


@_describe.register
def _(plan: BuildPlan) -> str:
    return f"{plan.package} for {plan.target.interpreter} on {plan.target.platform}"


@_describe.register
def _(snapshot: SourceSnapshot) -> str:
    return f"{snapshot.uri} tree {snapshot.tree_digest[:12]}"


@_describe.register
def _(lock: Lock) -> str:
    return f"{len(lock.files)} locked files"


@_describe.register
def _(linked: LinkedLock) -> str:
    total = len(linked.lock.files)
    return f"{len(linked.stand_ins)} of {total} inputs are farm's own" if total else "no inputs"


@_describe.register
def _(report: InputsReport) -> str:
    return f"{report.total} files, {report.fetched} fetched, {report.size / 1e6:.1f} MB"


@_describe.register
def _(job: OpenJob) -> str:
    return f"build key {job.record.build_key[:12]}"


@_describe.register
def _(built: BuildResult) -> str:
    names = ", ".join(artifact.filename.rpartition("/")[2] for artifact in built.artifacts)
    return f"{names}; {built.probe}"


@_describe.register
def _(report: TestReport) -> str:
    counts = f"{report.counts.run} run, {report.counts.skipped} skipped" if report.counts and not report.reason else ""
    return " ".join(filter(None, (report.result, counts, report.reason)))


@_describe.register
def _(signed: SignedBuild) -> str:
    return ", ".join(file.filename + BUNDLE for file in signed.files)


@_describe.register
def _(outcome: Outcome) -> str:
    return ", ".join(f"{file.filename} sha256 {file.blob.sha256[:12]}" for file in outcome.files)
