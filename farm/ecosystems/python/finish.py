"""The finish step: platform tag, embedded documents, canonical archive, build number."""

from __future__ import annotations

from functools import cache
from typing import TYPE_CHECKING

from packaging.tags import parse_tag
from packaging.utils import parse_wheel_filename

from farm.ecosystems.python.archive import read_all
from farm.ecosystems.python.environment import base_environment
from farm.ecosystems.python.guards import guard_wheel
from farm.ecosystems.python.inspect import only_wheel
from farm.ecosystems.python.layout import OUT, SYSTEM_PATH, TOOLS, TOOLS_PYTHON
from farm.ecosystems.python.numbers import build_number, published_numbers, wheel_file_with, with_number
from farm.ecosystems.python.run import run
from farm.ecosystems.python.sboms import components, normalise
from farm.ecosystems.python.wheel import COMPRESSOR, differences, write_canonical
from farm.ecosystems.run import failure, last_words, stage
from farm.errors import GuardError, PlatformTagError
from farm.model.base import sha256_file
from farm.model.build import Artifact, FileNote, Unnumbered
from farm.sandbox.base import Mount, Step

if TYPE_CHECKING:
    from collections.abc import Callable, Mapping
    from pathlib import Path

    from farm.ecosystems.base import StepContext
    from farm.ecosystems.python.guards import WheelFacts
    from farm.model.build import BuildResult, RawArtifact
    from farm.model.plan import BuildPlan
    from farm.model.source import SourceSnapshot
    from farm.store.base import Vault

__all__ = ["finish_wheel"]

_RAW = "/raw"


def finish_wheel(
    plan: BuildPlan,
    snapshot: SourceSnapshot,
    result: BuildResult,
    embed: Callable[[Artifact], Mapping[str, bytes]],
    ctx: StepContext,
) -> tuple[Artifact, ...]:
    """Turn the backend's wheel into the one that is published.

    Raises:
        PlatformTagError: auditwheel refuses it.
        GuardError, UnsafeArchiveError: it is not what the recipe says, before or after.
        VerificationError: what is published of the version is not farm's.
        Whatever the sandbox, and reading what is published, raises.
    """
    raw = only_wheel(plan, result)
    folder = ctx.work / "raw"
    folder.mkdir()
    folder.chmod(0o755)
    path = folder / raw.filename
    stage(ctx.vault, raw.blob, path)
    facts = guard_wheel(path, plan)
    epoch = snapshot.epoch if plan.build.source_date_epoch is None else plan.build.source_date_epoch
    with path.open("rb") as file:
        changed = differences(file, facts.entries, dist_info=facts.dist_info, epoch=epoch, label=path.name)
    notes = [
        FileNote(name="canonical-changes", value=", ".join(changed) or "none"),
        FileNote(name="compressor", value=COMPRESSOR),
    ]
    if facts.native and not facts.pure:
        path = _repair(plan, path, ctx)
        facts = guard_wheel(path, plan, finished=True)
        notes.append(FileNote(name="platform-tag", value=" ".join(facts.tags)))
    # Older backends spell names as the project does; the signer signs the normal form alone.
    path = path.rename(path.with_name(_normal_form(path.name)))
    described = _describe(raw, path, facts, tuple(notes), ctx.vault)
    finished = ctx.work / "finished"
    finished.mkdir()

    @cache
    def candidate(number: int) -> Artifact:
        return _write(described, path, facts, finished, number=number, embed=embed, epoch=epoch)

    published = published_numbers(ctx.published(), path.name)
    number = build_number(published, lambda number: candidate(number).blob.sha256)
    artifact = candidate(number)
    if number:
        plain = candidate(0)
        artifact = artifact.model_copy(
            update={"unnumbered": Unnumbered(filename=plain.filename, sha256=plain.blob.sha256)}
        )
    # What is published is held to the same rules as what was built, with its final name and content.
    target = finished / artifact.filename
    guard_wheel(target, plan, finished=bool(facts.native), number=number)
    return (artifact.model_copy(update={"blob": ctx.vault.put_file(target)}),)


def _normal_form(filename: str) -> str:
    """Return the name of a wheel with project and version as the binary distribution format has them (PEP 427)."""
    name, version, _, _ = parse_wheel_filename(filename)
    return "-".join((name.replace("-", "_"), str(version), *filename.split("-")[2:]))


def _repair(plan: BuildPlan, path: Path, ctx: StepContext) -> Path:
    """Return the wheel with its manylinux tag and with the libraries that the tag does not promise grafted in."""
    policy = _policy(plan)
    argv = (TOOLS_PYTHON, "-m", "auditwheel", "repair", "--plat", policy, "--wheel-dir", OUT, f"{_RAW}/{path.name}")
    env = {**base_environment(), "PATH": f"{TOOLS}/bin:{SYSTEM_PATH}"}
    done = run(plan, ctx, "repair", (Step("auditwheel", argv, cwd="/work"),), env, mounts=(Mount(path.parent, _RAW),))
    if done.result.exit_code != 0:
        raise failure(
            PlatformTagError,
            f"{plan.package}: auditwheel refuses {path.name}:\n{last_words(done.result.log_tail)}",
            done,
            policy=policy,
        )
    found = sorted(done.out.iterdir())
    if len(found) != 1 or found[0].is_symlink() or not found[0].is_file():
        raise failure(PlatformTagError, f"{plan.package}: auditwheel wrote {len(found)} files instead of one", done)
    return found[0]


def _policy(plan: BuildPlan) -> str:
    """Return the platform that the recipe names, else `auto`: the oldest that the wheel's symbols allow."""
    platforms = {tag.platform for tag in parse_tag(plan.build.tags)} if plan.build.tags else set()
    named = sorted(p for p in platforms if p.startswith(("manylinux", "musllinux")))
    return named[0] if named else "auto"


def _describe(raw: RawArtifact, path: Path, facts: WheelFacts, notes: tuple[FileNote, ...], vault: Vault) -> Artifact:
    """Return the artifact as it is known before its final bytes are."""
    return Artifact(
        filename=path.name,
        kind="wheel",
        blob=raw.blob,
        raw=raw,
        notes=notes,
        license=facts.metadata.license,
        summary=facts.metadata.summary,
        requires_dist=facts.metadata.requires_dist,
        requires_python=facts.metadata.requires_python,
        metadata=vault.put_bytes(facts.metadata_bytes),
    )


def _write(
    artifact: Artifact,
    path: Path,
    facts: WheelFacts,
    folder: Path,
    *,
    number: int,
    embed: Callable[[Artifact], Mapping[str, bytes]],
    epoch: int,
) -> Artifact:
    """Write the wheel at `path` into `folder`, canonically, with its documents and its number in name and WHEEL.

    Returns:
        What is now known of it; its bytes are not in the vault yet.
    """
    target = folder / with_number(path.name, number)
    sboms = f"{facts.dist_info}/sboms/"
    with path.open("rb") as file:
        found = {
            entry.name: normalise(read_all(file, entry, path.name), epoch, path.name)
            for entry in facts.entries
            if entry.name.startswith(sboms) and not entry.folder
        }
        grafted = {(note.name, note.value) for data in found.values() for note in components(data)}
        contents = tuple(FileNote(name=name, value=value) for name, value in sorted(grafted))
        notes = (*artifact.notes, *((FileNote(name="build-number", value=str(number)),) if number else ()))
        artifact = artifact.model_copy(update={"filename": target.name, "contents": contents, "notes": notes})
        ours = {f"{sboms}{name}": data for name, data in embed(artifact).items()}
        if clash := sorted(ours.keys() & found.keys()):
            raise GuardError(f"{path.name} holds {clash[0]} already: the name is farm's")
        wheel = f"{facts.dist_info}/WHEEL"
        stated = read_all(file, next(entry for entry in facts.entries if entry.name == wheel), path.name)
        write_canonical(
            file,
            facts.entries,
            target,
            dist_info=facts.dist_info,
            epoch=epoch,
            replaced={**found, **ours, wheel: wheel_file_with(stated, number)},
            label=path.name,
        )
    return artifact.model_copy(update={"blob": sha256_file(target)})
