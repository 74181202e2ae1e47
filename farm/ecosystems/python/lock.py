"""The lock step: three requirement rounds of PEP 517, then the runtime and the test closure, each file with its digest.

1. `[build-system].requires` of the source, resolved.
2. `get_requires_for_build_wheel`, run in a sandbox without network that holds round 1.
3. Both together, resolved again. Where that moves a version of round 1, round 2 is asked again.

The runtime requirements come from the metadata hook in the same kind of sandbox.
"""

from __future__ import annotations

from dataclasses import dataclass
from typing import TYPE_CHECKING

from packaging.requirements import InvalidRequirement, Requirement
from packaging.utils import canonicalize_name

from farm import log
from farm.ecosystems.patches import patched_source
from farm.ecosystems.python.backend import Backend
from farm.ecosystems.python.basis import CONSTRAINTS, basis
from farm.ecosystems.python.cargo.crates import lock_crates
from farm.ecosystems.python.fetcher import Fetcher
from farm.ecosystems.python.index import upstream_config
from farm.ecosystems.python.metadata import check_identity
from farm.ecosystems.python.resolver import Indexes, Pin, parse_requirements, resolve
from farm.ecosystems.python.source import build_requires
from farm.ecosystems.python.target import marker_environment
from farm.ecosystems.run import stage_source
from farm.errors import GuardError, ResolutionError
from farm.model.lock import InputRole, Lock

if TYPE_CHECKING:
    from collections.abc import Iterable, Sequence
    from pathlib import Path

    from farm.ecosystems.base import StepContext
    from farm.model.plan import BuildPlan, Target
    from farm.model.source import SourceSnapshot

__all__ = ["applicable", "make_lock"]

_ROUNDS = 4
_ROLE_ORDER: tuple[InputRole, ...] = ("build", "backend", "runtime", "test")

_log = log.get(__name__)


def make_lock(plan: BuildPlan, snapshot: SourceSnapshot, ctx: StepContext) -> Lock:
    """Resolve everything that the build and the test of `plan` may read.

    Every locked file is fetched into the vault on the way: its size is measured, not believed.

    Raises:
        ResolutionError: no solution in wheels, or a requirement that names an address.
        PatchError: a patch of the recipe does not fit.
        CargoLockError: a Cargo.lock that the recipe names is not there, or not one that can be locked.
        BuildFailedError: the backend's hooks failed.
        GuardError: the backend's metadata is of another name or version.
        InputUnavailableError, InputMissingError, InputDigestError: an index does not hold what it promised.
        Whatever the sandbox raises.
    """
    source = stage_source(snapshot, ctx)
    crates = lock_crates(plan, patched_source(plan, ctx, source), ctx) if plan.build.options else ()
    backend = Backend(plan, snapshot, ctx, source, crates)
    config = upstream_config(ctx.settings)
    indexes = Indexes(config.url, ctx.own_index, config.ca_bundle)

    def check_own(file: Path, name: str, version: str) -> None:
        from farm.ecosystems.own import verify_own  # noqa: PLC0415 - sigstore is imported with it

        verify_own(ctx.settings, ctx.own_index, file, plan.package.ecosystem, name, version)

    with Fetcher(ctx.vault, ctx.work / "fetched", indexes, check_own=check_own) as fetcher:
        build = _build_rounds(backend, indexes, fetcher)
        _log.info("lock: asking the backend for the metadata")
        info = backend.metadata(fetcher.files(build.pins))
        check_identity(plan.package, info)
        run_ = _test_rounds(plan, ctx, indexes, applicable(info.requires_dist, plan.target))
        roles: dict[Pin, set[InputRole]] = {}
        for pin in build.pins:
            roles.setdefault(pin, set()).add("build" if pin.name in build.static_names else "backend")
        for pin in run_.pins:
            roles.setdefault(pin, set()).add("runtime" if pin.name in run_.runtime_names else "test")
        files = fetcher.files(sorted(roles))
    requirements = {
        "build": build.static,
        "backend": build.dynamic,
        "runtime": run_.runtime,
        "test": tuple(sorted(plan.test.requires)),
        CONSTRAINTS: tuple(sorted(plan.build.requires)),
    }
    return Lock(
        package=str(plan.package),
        target=plan.target.key,
        image=plan.build.image,
        basis=basis(plan, snapshot, requirements),
        requirements=requirements,
        files=(
            *(
                file.model_copy(update={"roles": tuple(role for role in _ROLE_ORDER if role in roles[pin])})
                for pin, file in zip(sorted(roles), files, strict=True)
            ),
            *crates,
        ),
    )


@dataclass(frozen=True)
class _Build:
    static: tuple[str, ...]
    dynamic: tuple[str, ...]
    pins: tuple[Pin, ...]
    static_names: frozenset[str]


@dataclass(frozen=True)
class _Run:
    runtime: tuple[str, ...]
    pins: tuple[Pin, ...]
    runtime_names: frozenset[str]


def _build_rounds(backend: Backend, indexes: Indexes, fetcher: Fetcher) -> _Build:
    plan, work = backend.plan, backend.ctx.work
    constraints = parse_requirements(plan.build.requires, f"{plan.recipe_path}: build.requires")
    source = patched_source(plan, backend.ctx, backend.source)
    static = parse_requirements(build_requires(source, plan.source.subdirectory), "[build-system].requires")

    def choose(requirements: Sequence[str]) -> tuple[Pin, ...]:
        return resolve(
            requirements,
            target=plan.target,
            indexes=indexes,
            work=work,
            constraints=constraints,
            preferred=backend.ctx.preferred,
        )

    first = pins = choose(static)
    dynamic: tuple[str, ...] = ()
    for attempt in range(1, _ROUNDS + 1):
        _log.info("lock: asking the backend for its requirements", round=attempt, installed=len(pins))
        dynamic = backend.requires(fetcher.files(pins), attempt)
        both = choose(sorted({*static, *dynamic}))
        if {*pins} <= {*both}:
            # What the backend was asked with is part of the answer: asking again would change nothing.
            return _Build(static, dynamic, both, frozenset(p.name for p in first))
        pins = both
    raise ResolutionError(
        f"{plan.package}: the build requirements do not settle within {_ROUNDS} rounds",
        remedy="Pin the backend with build.requires in the recipe.",
    )


def _test_rounds(plan: BuildPlan, ctx: StepContext, indexes: Indexes, runtime: tuple[str, ...]) -> _Run:
    """Resolve runtime and test requirements as the one environment they share, without the package itself."""
    test = parse_requirements(plan.test.requires, f"{plan.recipe_path}: test.requires")

    def choose(requirements: Sequence[str], constraints: Sequence[str] = ()) -> tuple[Pin, ...]:
        return resolve(
            requirements,
            target=plan.target,
            indexes=indexes,
            work=ctx.work,
            constraints=constraints,
            exclude=[canonicalize_name(plan.package.name)],
            preferred=ctx.preferred,
        )

    pins = choose(sorted({*runtime, *test}))
    alone = choose(runtime, [f"{p.name}=={p.version}" for p in pins]) if test else pins
    return _Run(runtime, pins, frozenset(p.name for p in alone))


def applicable(requires_dist: Iterable[str], target: Target) -> tuple[str, ...]:
    """Return the requirements of METADATA that apply on `target` without extras."""
    environment = marker_environment(target)
    kept = []
    for line in requires_dist:
        try:
            marker = Requirement(line).marker
        except InvalidRequirement as error:
            raise GuardError(f"METADATA requires {line[:200]!r}, which is no requirement: {error}") from error
        if marker is None or marker.evaluate(environment):
            kept.append(line)
    return parse_requirements(kept, "Requires-Dist")
