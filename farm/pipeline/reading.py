"""What a build reads: the link step decides it, the inputs step brings it into the vault's reach."""

from __future__ import annotations

from collections import defaultdict
from concurrent.futures import ThreadPoolExecutor
from typing import TYPE_CHECKING

from farm import log
from farm.model.lock import StandIn
from farm.model.outcome import InputsReport

if TYPE_CHECKING:
    from pathlib import Path

    from farm.model.base import BlobRef
    from farm.model.lock import LinkedLock, Lock, LockedFile
    from farm.model.plan import BuildPlan
    from farm.pipeline.linking import Policy, Provider
    from farm.pipeline.runtime import Runtime

__all__ = ["inputs", "link"]

_TRANSFERS = 8
"""Files that are read from the vault, or fetched, at the same time."""

_log = log.get(__name__)


def link(
    rt: Runtime,
    plan: BuildPlan,
    lock: Lock,
    provider: Provider | None = None,
    policy: Policy | None = None,
    stage: int = 0,
    seeds: tuple[str, ...] = (),
) -> LinkedLock:
    """Put farm's own results in the place of what was locked, as `policy.inputs` says.

    Args:
        rt: the means.
        plan: what is to be built.
        lock: as it is committed.
        provider: what recipes provide; None = what is published now.
        policy: instead of the setting.
        stage: of a cycle's bootstrap, 0 for none.
        seeds: what the first stage of that cycle was built with.

    Raises:
        NotRebuiltError: the policy wants nothing but farm's own, and something is not.
    """
    from farm.pipeline.linking import CurrentResults, link_lock  # noqa: PLC0415 - the repository is imported with it

    with rt.scratch("link") as work:

        def read(ref: BlobRef) -> Path:
            target = work / ref.sha256
            if not target.exists():
                rt.cache.link(ref, target)
            return target

        return link_lock(
            plan,
            lock,
            provider or CurrentResults(rt.vault, plan.package.ecosystem),
            rt.ecosystem(plan.package.ecosystem),
            policy=policy or rt.settings.policy.inputs,
            read=read,
            stage=stage,
            seeds=seeds,
        )


def inputs(rt: Runtime, plan: BuildPlan, linked: LinkedLock) -> InputsReport:
    """Step 4: make sure that the vault holds every locked file, with the right bytes; fetch what it lacks.

    Farm's own results that stand in for locked files are verified like a consumer would.

    Raises:
        InputUnavailableError, InputMissingError, InputDigestError, StoreUnavailableError.
    """
    from farm.store.vault import ensure  # noqa: PLC0415 - boto3 is imported with it

    lock = linked.lock
    own_results = defaultdict[str, list[StandIn]](list)  # several can have the same bytes, and each is said to be more
    for item in linked.stand_ins:
        own_results[item.file.sha256].append(item)
    ecosystem = rt.ecosystem(plan.package.ecosystem)
    own = rt.own_index(plan.package.ecosystem)
    distinct = {file.sha256: file for file in lock.files}
    with rt.scratch("inputs") as work, ecosystem.fetcher(rt.settings, own) as fetch:

        def bring(file: LockedFile) -> bool:
            def refetch(path: Path) -> None:
                _log.info("fetching", file=file.filename, origin=file.origin)
                fetch(file, path)

            target = work / file.sha256
            fetched = ensure(rt.vault, file.ref, target, refetch)
            for item in own_results.get(file.sha256, ()):
                rt.verify_own(item, target, plan.package.ecosystem)
            rt.cache.add(file.ref, target)
            target.unlink()
            return fetched

        with ThreadPoolExecutor(max_workers=_TRANSFERS) as pool:
            fetched = sum(pool.map(bring, distinct.values()))
    return InputsReport(total=len(lock.files), fetched=fetched, size=sum(f.size for f in lock.files))
