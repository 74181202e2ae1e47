"""What a rebuild came to, for people and for machines."""

from __future__ import annotations

from collections import Counter, defaultdict
from typing import TYPE_CHECKING, Final

from farm.catalog.night import NightReport, NodeEnd
from farm.catalog.work import now
from farm.errors import CatalogFailedError
from farm.text import without_controls

if TYPE_CHECKING:
    from collections.abc import Iterable, Mapping, Sequence

    from farm.catalog.engine import Engine
    from farm.catalog.night import NightOptions
    from farm.catalog.state import NodeState
    from farm.pipeline.runtime import Runtime

__all__ = ["make_report", "write_report"]

STATES: Final = ("built", "unchanged", "reproduced", "failed", "blocked", "drifted")
_BAD: Final = frozenset({"failed", "blocked", "drifted"})


def make_report(
    rt: Runtime, engine: Engine, options: NightOptions, *, started: str, run_id: str, snapshot: str
) -> NightReport:
    """Collect what `engine` did, and write the report's file."""
    ends = [engine.ends[name] for name in sorted(engine.ends)]
    broken = [
        NodeEnd(id=folder, state="failed", message=found.message, error=found.error, exit_code=found.exit_code)
        for folder, found in sorted(engine.graph.catalog.broken.items())
        if not options.only
    ]
    nodes = tuple(broken + ends)
    counts = Counter(end.state for end in nodes)
    known = {name: engine.nodes[name] for name in engine.ends if name in engine.nodes and engine.nodes[name].build_key}
    wrong = engine.warnings or engine.alarms or any(end.state in _BAD for end in nodes)
    report = NightReport(
        ended_with=CatalogFailedError.exit_code if wrong else 0,
        nodes=nodes,
        markdown="",
        path="",
        counts={state: counts[state] for state in STATES},
        started_on=started,
        finished_on=now(),
        notes=tuple(engine.notes),
        alarms=tuple(engine.alarms),
        warnings=tuple(engine.warnings),
        snapshot=snapshot,
        rebuilt={name: str(found.share) for name, found in sorted(known.items())},
        oldest_unverified=_oldest(known),
    )
    return write_report(rt, report, run_id)


def write_report(rt: Runtime, report: NightReport, run_id: str) -> NightReport:
    """Put the report into words and into a file of the data folder (JSON lies beside it)."""
    folder = rt.settings.data / "reports"
    folder.mkdir(parents=True, exist_ok=True)
    stem = f"{report.started_on.replace(':', '')}-{run_id[:8]}"
    path = folder / f"{stem}.md"
    report = report.model_copy(update={"markdown": render(report), "path": str(path)})
    path.write_text(report.markdown, encoding="utf-8")
    path.with_suffix(".json").write_bytes(report.canonical())
    return report


def _oldest(known: Mapping[str, NodeState]) -> str:
    if not known:
        return ""
    name = min(known, key=lambda each: (known[each].verified_on, each))
    return f"{name} since {known[name].verified_on}"


def render(report: NightReport) -> str:
    """Return the report as Markdown."""
    worked = [end for end in report.nodes if end.state in {"built", "reproduced"}]
    blocked = [f"`{end.id}`: {_line(end.message)}" for end in report.nodes if end.state == "blocked"]
    sections = [
        _list("Look at these first", map(_line, report.alarms)),
        _failures(report),
        _list("Blocked", blocked),
        ["## Built", "", *_table(worked, report.rebuilt), ""] if worked else [],
        _list("Warnings", map(_line, report.warnings)),
        _list("Notes", map(_line, report.notes)),
        [f"Oldest unverified: {report.oldest_unverified}.", ""] if report.oldest_unverified else [],
        [f"Signed snapshot: {report.snapshot}.", ""] if report.snapshot else [],
    ]
    head = [f"# Catalog rebuild of {report.started_on}", "", f"{report.summary}. Ended {report.finished_on}.", ""]
    return "\n".join([*head, *(line for section in sections for line in section)])


def _list(title: str, items: Iterable[str]) -> list[str]:
    lines = [f"- {item}" for item in items]
    return [f"## {title}", "", *lines, ""] if lines else []


def _failures(report: NightReport) -> list[str]:
    groups: dict[str, list[NodeEnd]] = defaultdict(list)
    for end in report.nodes:
        if end.state in {"failed", "drifted"}:
            groups[end.error or end.state].append(end)
    lines = ["## Failures, by cause", ""] if groups else []
    for cause, ends in sorted(groups.items(), key=lambda item: (-len(item[1]), item[0])):
        lines += [f"### {cause} ({len(ends)})", "", *(f"- `{end.id}`: {_line(end.message)}" for end in ends), ""]
    return lines


def _table(ends: Sequence[NodeEnd], rebuilt: Mapping[str, str]) -> list[str]:
    rows = ["| Package | State | Seconds | Rebuilt inputs | |", "|---|---|---:|---:|---|"]
    for end in ends:
        share = rebuilt.get(end.id, "")
        rows.append(f"| `{end.id}` | {end.state} | {end.seconds:.1f} | {share} | {_line(end.message)} |")
    return rows


def _line(text: str) -> str:
    return " ".join(without_controls(text).split()).replace("|", "\\|")[:500]
