"""The flow `build_package`: each step of the chain is one Prefect task.

Imports Prefect: only the worker's processes import this module.
"""

from __future__ import annotations

import re
from typing import TYPE_CHECKING, Any, TypeVar, cast
from uuid import UUID

from prefect import flow, task
from prefect.artifacts import create_link_artifact, create_markdown_artifact
from prefect.cache_policies import NO_CACHE
from prefect.client.orchestration import get_client
from prefect.runtime import flow_run
from prefect.states import Completed, Failed

from farm import log
from farm.config import load_settings
from farm.ecosystems.repositories import layout_of
from farm.errors import FarmError, VerificationError
from farm.evidence import facts, summary
from farm.flows.beside import beside_the_run
from farm.flows.logs import forward
from farm.flows.verdict import as_message, in_words
from farm.model.plan import BuildPlan
from farm.pipeline import chain, describe
from farm.pipeline.identity import RunIdentity
from farm.pipeline.runtime import Runtime
from farm.pipeline.steps import SignedBuild
from farm.services.registry import service_url

if TYPE_CHECKING:
    from collections.abc import Callable

    from prefect import Task
    from prefect.client.schemas.objects import State, TaskRun

    from farm.config import Settings
    from farm.model.evidence import SignedFile
    from farm.model.outcome import Outcome
    from farm.model.plan import PackageId

__all__ = ["build_package"]

T = TypeVar("T")

_logger = log.get(__name__)

_RETRY_DELAYS: list[float] = [1, 5, 15]
"""Seconds before each further try of a step whose infrastructure failed."""


def _can_pass(_task: Task[..., Any], _run: TaskRun, state: State[Any]) -> bool:
    """Tell Prefect whether to try a step again: only when the same call can succeed later."""
    error = state.data
    return isinstance(error, FarmError) and error.infrastructure


class _Tasks:
    """Runs the steps of one chain as tasks (`farm.pipeline.chain.Call`), and notes what the run is about on the way."""

    def __init__(self, runtime: Runtime, reference: str, run_id: UUID) -> None:
        self._runtime = runtime
        self._about = reference
        self._run_id = run_id
        self.signed: tuple[SignedFile, ...] = ()

    def __call__(self, name: str, step: Callable[..., T], /, *values: Any) -> T:
        refused: list[FarmError] = []

        def body() -> Any:
            try:
                return step(self._runtime, *values)
            except FarmError as error:
                if error.infrastructure:
                    raise
                # A state instead of an exception: Prefect would log a trace of farm's insides over the user's error.
                refused.append(error)
                return Failed(message=in_words(error))

        made = task(
            name=name,
            retries=len(_RETRY_DELAYS),
            retry_delay_seconds=_RETRY_DELAYS,
            retry_condition_fn=_can_pass,
            cache_policy=NO_CACHE,
            persist_result=False,
        )(body)
        with log.about(self._about, step=name):
            result = cast("T", made())
            if refused:
                raise refused[0]  # the task returned its state: nothing may go on from here
            _logger.info(describe(name, result) or "done")
        if isinstance(result, BuildPlan):
            self._found(result.package)
        if isinstance(result, SignedBuild):
            self.signed = result.files
        return result

    def _found(self, package: PackageId) -> None:
        """Name the run after the package, now that its version is known."""
        self._about = str(package)
        with beside_the_run("the run keeps its first name"), get_client(sync_client=True) as client:
            client.update_flow_run(
                self._run_id,
                name=self._about,
                tags=[package.ecosystem, f"{package.ecosystem}/{package.name}"],
            )


@flow(name="build_package", persist_result=False)
def build_package(
    reference: str,
    force: bool = False,  # noqa: FBT001, FBT002 - parameters of a deployment
    image: str = "",
) -> State[Any]:
    """Build, test, sign and publish one package version from its recipe.

    Args:
        reference: `python/markupsafe`, `python/markupsafe@3.0.2`, or the absolute path of a recipe.
        force: build although the result is known; equal bytes are expected.
        image: one of those that the recipe version names; empty = the primary one.

    Returns:
        The final state. A failure's message ends with the error as JSON (`farm.flows.verdict`).
    """
    forward()
    run_id = _run_id()
    try:
        settings = load_settings()
        runtime = Runtime(settings)
        tasks = _Tasks(runtime, reference, run_id)
        run = RunIdentity.new(str(run_id), attempt=flow_run.get_run_count())
        outcome = chain.build_package(reference, run=run, call=tasks, force=force, image=image)
    except FarmError as error:
        return Failed(message=as_message(error))
    with beside_the_run("no evidence in the Prefect UI"):
        _leave_artifacts(settings, outcome, tasks.signed)
    word = "up to date, nothing was built" if outcome.reused else "published"
    return Completed(message=f"{outcome.package} {word}")


def _run_id() -> UUID:
    found = flow_run.get_id()
    if not found:
        msg = "build_package was called outside of a flow run"
        raise RuntimeError(msg)
    return UUID(found)


def _leave_artifacts(settings: Settings, outcome: Outcome, signed: tuple[SignedFile, ...]) -> None:
    """Attach the evidence summary and the link to the index page to the run."""
    key = re.sub(r"[^a-z0-9]+", "-", outcome.package.lower()).strip("-")
    index = service_url(settings, "index")
    ecosystem, _, named = outcome.package.partition("/")
    name, _, version = named.rpartition("@")
    page = f"{index}/{layout_of(ecosystem).page(name, version)}" if index else ""
    create_markdown_artifact(_summary(outcome, signed, page), key=f"evidence-{key}", description="Evidence")
    if page:
        create_link_artifact(page, link_text=f"{name} on farm's index", key=f"index-{key}", description="Index page")


def _summary(outcome: Outcome, signed: tuple[SignedFile, ...], page: str) -> str:
    links = {"Index page": page} if page else {}
    try:
        files = [facts.read_bundle(item.provenance) for item in signed]
        if files:
            return summary.markdown(files, links=links)
    except VerificationError as error:
        # The signer's answer was verified before it was published; a summary that cannot be written undoes nothing.
        _logger.warning("no evidence summary", reason=error.message)
    rows = [f"| `{file.filename}` | `{file.blob.sha256}` |" for file in outcome.files]
    return "\n".join(
        [
            f"## {outcome.package}",
            "",
            f"Up to date: built by run `{outcome.run_id}`.",
            "",
            "| File | SHA-256 |",
            "|---|---|",
            *rows,
            "",
        ]
    )
