"""The evidence of one build as a Markdown table, for the Prefect artifact and for people.

Made from the signed statements alone, so that it says nothing that was not signed. Text is escaped: what comes from a
package or a recipe must not become markup in the UI.
"""

from __future__ import annotations

from typing import TYPE_CHECKING

from farm.errors import VerificationError

if TYPE_CHECKING:
    from collections.abc import Mapping, Sequence

    from farm.evidence.facts import ProvenanceFacts

__all__ = ["markdown", "rows", "tests"]

_SPECIAL = "\\`*_[]<>&|~!"
_SHORT = 12


def rows(facts: ProvenanceFacts, *, reproducible: bool | None = None) -> tuple[tuple[str, str], ...]:
    """Return the evidence as (label, plain text) in reading order.

    Args:
        facts: what the statement says.
        reproducible: whether a second build gave the same bytes; None when there was none.
    """
    source = facts.source_uri + (f" at commit {facts.source_commit}" if facts.source_commit else "")
    recipe = facts.recipe_commit[:_SHORT] or "no commit"
    found = [
        ("Package", f"{facts.ecosystem}/{facts.package}@{facts.version} ({facts.platform}, {facts.interpreter})"),
        ("Source", source),
        ("Source strength", _STRENGTHS[facts.source_strength]),
        *(("Patch", f"{name} (sha256 {digest[:_SHORT]})") for name, digest in facts.patches.items()),
        (
            "Recipe",
            f"{facts.recipe} ({recipe}{', changed since' if facts.recipe_dirty and facts.recipe_commit else ''})",
        ),
        ("Builder image", f"{facts.image} (sha256 {facts.image_sha256[:_SHORT]})"),
        ("Build inputs", _inputs(facts.inputs)),
        ("Isolation", facts.isolation),
        ("Tests", tests(facts)),
        ("Reproducible", {None: "not tried", True: "yes: equal bytes", False: "no"}[reproducible]),
        ("SLSA Build level", _level(facts)),
        ("Builder", facts.builder_id),
        ("Run", facts.run),
    ]
    found += [("Exception", waiver) for waiver in facts.waivers]
    return tuple(found)


def markdown(
    files: Sequence[ProvenanceFacts], *, links: Mapping[str, str] | None = None, reproducible: bool | None = None
) -> str:
    """Return the table of one build.

    Args:
        files: the facts of each file's statement; all of one build.
        links: label → address of what the reader can open (index page, run); trusted, since farm made it.
        reproducible: whether a second build gave the same bytes; None when there was none.

    Raises:
        VerificationError: no file, or files of different builds.
    """
    if not files or any(facts.build_key != files[0].build_key for facts in files):
        raise VerificationError("a summary is of the files of one build")
    first = files[0]
    lines = [f"## {_cell(f'{first.ecosystem}/{first.package}@{first.version}')}", "", "| | |", "|---|---|"]
    lines += [f"| {_escape(label)} | {_cell(text)} |" for label, text in rows(first, reproducible=reproducible)]
    lines += ["", "| File | SHA-256 |", "|---|---|"]
    lines += [f"| {_escape(f.filename)} | {f.sha256} |" for f in sorted(files, key=lambda f: f.filename)]
    if links:
        lines += ["", *(f"- [{_escape(label)}](<{_address(links[label])}>)" for label in sorted(links))]
    return "\n".join(lines) + "\n"


def tests(facts: ProvenanceFacts) -> str:
    """Return what came of the tests, in one line."""
    found = facts.tests + (f": {facts.test_reason}" if facts.test_reason else "")
    if facts.tests_run is None:
        return found
    others = ((facts.tests_skipped, "skipped"), (facts.tests_failed, "failed and ignored"))
    return f"{found} ({', '.join([f'{facts.tests_run} run', *(f'{n} {word}' for n, word in others if n)])})"


_STRENGTHS = {
    "git": "git: a commit of the project's repository",
    "archive": "archive: an upload, weaker than a commit",
}
_ORIGINS = {"farm": "rebuilt by farm", "index": "from the upstream index"}


def _inputs(inputs: Mapping[str, int]) -> str:
    if not inputs:
        return "none"
    parts = ", ".join(f"{inputs[origin]} {_ORIGINS[origin]}" for origin in sorted(inputs))
    return f"{sum(inputs.values())} locked files: {parts}"


def _level(facts: ProvenanceFacts) -> str:
    return f"L{facts.slsa_level}" + (f" ({'; '.join(facts.level_reasons)})" if facts.level_reasons else "")


def _cell(text: str) -> str:
    """Return `text` escaped; as code where a viewer would make a mail address of `name@version`."""
    if "@" in text and text.isprintable() and not set(text) & set("`|"):
        return f"`{text}`"
    return _escape(text)


def _escape(text: str) -> str:
    """Return `text` as one line of Markdown that shows as itself."""
    seen = (c if c.isprintable() else "\N{REPLACEMENT CHARACTER}" for c in " ".join(text.split()))
    return "".join(f"\\{c}" if c in _SPECIAL else c for c in seen)


def _address(url: str) -> str:
    """Return an address that cannot end the link it stands in."""
    return url.replace("<", "%3C").replace(">", "%3E").replace("\n", "%0A").replace("\r", "%0D")
