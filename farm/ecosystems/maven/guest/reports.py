"""Count the tests that Surefire and Failsafe reported: `reports.py SOURCE TARGET` writes one JSON object."""

from __future__ import annotations

import json
import sys
import xml.etree.ElementTree as ET
from pathlib import Path

REPORTS = ("surefire-reports", "failsafe-reports")
COUNTED = ("tests", "failures", "errors", "skipped")
NO_REPORTS = {"src", "classes", "test-classes"}
"""Folders of a module whose content came with the source: a test's data may look like reports."""


def count(source: Path) -> dict[str, int]:
    """Return the sums over all reports below `source`; one that is unreadable counts as an error."""
    sums = dict.fromkeys(COUNTED, 0)
    for folder in REPORTS:
        for path in source.rglob(f"{folder}/TEST-*.xml"):
            if NO_REPORTS & set(path.relative_to(source).parts):
                continue
            try:
                suite = ET.parse(path).getroot()  # noqa: S314 - what it could do, it does to the sandbox
                found = {name: number(suite.get(name) or "0") for name in COUNTED}
            except (OSError, ET.ParseError, ValueError):
                found = {"errors": 1}
            for name, many in found.items():
                sums[name] += many
    return sums


def number(text: str) -> int:
    """Return a count; ValueError for what is none."""
    if not (text.isascii() and text.isdigit() and len(text) < 10):  # noqa: PLR2004 - no build has more tests
        raise ValueError(text)
    return int(text)


if __name__ == "__main__":
    Path(sys.argv[2]).write_text(json.dumps(count(Path(sys.argv[1])), sort_keys=True), encoding="utf-8")
