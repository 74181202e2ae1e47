"""`farm verify`: check files the way a consumer does."""

from __future__ import annotations

from typing import TYPE_CHECKING, Annotated, Any

import typer

from farm.cli import options
from farm.cli.options import Files, Json
from farm.cli.render import Renderer
from farm.errors import VerificationError

if TYPE_CHECKING:
    from pathlib import Path

    from farm.config import Settings
    from farm.consumer.verdict import FileVerdict
    from farm.model.catalog import CatalogSnapshot
    from farm.trust.identity import ExpectedIdentity
    from farm.trust.verify import Trust

__all__ = ["register"]


def verify(
    files: Files = None,
    *,
    trust_config: Annotated[
        str, typer.Option("--trust-config", help="Sigstore client trust configuration; default: this farm's own.")
    ] = "",
    identity: Annotated[
        str, typer.Option("--identity", help="Builder id that must have signed; default: this farm's own.")
    ] = "",
    issuer: Annotated[str, typer.Option("--issuer", help="Issuer of that identity; default: this farm's own.")] = "",
    index: Annotated[
        str,
        typer.Option(
            "--index", help="First fetch what is missing beside the files from here: `…/simple/`, `…/maven/`."
        ),
    ] = "",
    package: Annotated[
        str,
        typer.Option(
            "--package", help="What they must be files of: `maven/org.example:sample-lib`, with `@version` or without."
        ),
    ] = "",
    catalog: Annotated[
        bool,
        typer.Option(
            "--catalog",
            help="Verify the repository's signed catalog snapshot, from `--index` or the index service here, and that "
            "it is no older one than before; each FILE must be named in it.",
        ),
    ] = False,
    json: Json = False,
) -> None:
    """Verify files with what lies beside them: signature, log inclusion, digest, provenance, SBOMs. Works offline."""
    from farm.consumer.catalog import check_in_catalog
    from farm.consumer.root import trust_root
    from farm.consumer.verify import verify as verify_file
    from farm.trust.identity import ExpectedIdentity, expected_identity
    from farm.trust.verify import load_trust

    files = files or []
    if not files and not catalog:
        raise typer.BadParameter("name a FILE, or ask for --catalog")
    renderer = Renderer(json=json)
    settings = options.settings()
    own = expected_identity(settings)
    expected = ExpectedIdentity(builder=identity or own.builder, issuer=issuer or own.issuer)
    trust = load_trust(trust_root(trust_config, settings, files))
    renderer.line(f"trust root {trust.source} sha256:{trust.sha256}")
    snapshot = _catalog(renderer, index, settings, trust, expected) if catalog else None
    if index and files:
        _fetch(renderer, index, files)
    verdicts = [verify_file(path, trust=trust, identity=expected, package=package) for path in files]
    if snapshot is not None:
        verdicts = [check_in_catalog(verdict, snapshot) for verdict in verdicts]
    for verdict in verdicts:
        _show(renderer, verdict)
    document: dict[str, Any] = {
        "trust_root": {"path": trust.source, "sha256": trust.sha256},
        "files": [verdict.model_dump(mode="json") for verdict in verdicts],
    }
    if snapshot is not None:
        document["catalog"] = {
            "sequence": snapshot.sequence,
            "sha256": snapshot.fingerprint(),
            "created": snapshot.created,
            "entries": len(snapshot.entries),
        }
    renderer.data(document)
    if not all(verdict.verified for verdict in verdicts):
        raise typer.Exit(VerificationError.exit_code)


def _catalog(
    renderer: Renderer, index: str, settings: Settings, trust: Trust, builder: ExpectedIdentity
) -> CatalogSnapshot:
    from farm.consumer.catalog import present_snapshot
    from farm.errors import ServiceError
    from farm.services.registry import service_url
    from farm.trust.identity import catalog_identity

    where = index or service_url(settings, "index")
    if not where:
        raise ServiceError(
            "the index service is not running, so there is no catalog to verify",
            remedy="Name the repository's address with --index, or start the service with `farm up`.",
        )
    memory = settings.data / "consumer" / "catalog.json"
    snapshot = present_snapshot(where, trust=trust, identity=catalog_identity(builder), memory=memory)
    files = sum(len(entry.files) for entry in snapshot.entries)
    renderer.line(("verified", "bold green"), f" catalog snapshot {snapshot.sequence} of {snapshot.created}")
    renderer.line(f"    sha256   {snapshot.fingerprint()}")
    renderer.line(f"    holds    {len(snapshot.entries)} package versions, {files} files")
    return snapshot


def _fetch(renderer: Renderer, index: str, files: list[Path]) -> None:
    from farm.consumer.fetch import fetch_sidecars

    for path in files:
        if not path.is_file():
            continue
        try:
            found = fetch_sidecars(index, path, path.parent)
        except VerificationError as error:
            # What is missing beside this file fails in its verdict; the other files get theirs.
            renderer.note((f"{path.name}: {error.message}", "dim"))
            continue
        for name in found:
            renderer.note((f"fetched {name}", "dim"))


def _show(renderer: Renderer, verdict: FileVerdict) -> None:
    from farm.evidence.summary import tests

    word = ("verified", "bold green") if verdict.verified else ("NOT VERIFIED", "bold red")
    renderer.line(word, f" {verdict.file}")
    for check in verdict.checks:
        mark = ("✓", "green") if check.ok else ("✗", "red")
        renderer.line("  ", mark, f" {check.name:<22}")
        if check.detail:
            renderer.line(f"      {check.detail}")
    facts = verdict.facts
    if verdict.verified and facts is not None:
        for label, value in (
            ("source", facts.source_uri),
            ("commit", facts.source_commit),
            ("builder", facts.builder_id),
            ("level", f"SLSA Build L{facts.slsa_level}"),
            ("image", f"{facts.image} sha256:{facts.image_sha256}"),
            ("inputs", ", ".join(f"{count} from {origin}" for origin, count in facts.inputs.items()) or "none"),
            *(("patch", f"{name} sha256:{digest}") for name, digest in facts.patches.items()),
            ("tests", tests(facts)),
            ("built", facts.finished),
        ):
            if value:
                renderer.line(f"    {label:<8} {value}")


def register(app: typer.Typer) -> None:
    """Add the verb to `app`."""
    app.command()(verify)
