"""How pip and uv are told to use the index, and what the page for people shows of it. Pure."""

from __future__ import annotations

import json

from farm.repository.layout import Guide, Section

__all__ = ["guides", "section"]


def guides(base: str) -> tuple[Guide, ...]:
    """Return the configuration of pip and uv for the repository at `base` (ends in `/`)."""
    index = f"{base}simple/"
    return (
        Guide(
            tool="pip",
            place="pip.conf (`pip config debug` lists where pip looks)",
            text=f"[global]\nindex-url = {index}\n",
            command=f"pip install --index-url {index} PACKAGE",
        ),
        Guide(
            tool="uv",
            place="uv.toml; in pyproject.toml under [[tool.uv.index]]",
            text=f'[[index]]\nname = "farm"\nurl = "{index}"\ndefault = true\n',
            command=f"uv pip install --default-index {index} PACKAGE",
        ),
    )


def section(root_json: bytes | None) -> Section:
    """Return the projects of the root page (PEP 691), None when nothing was published yet."""
    return Section(
        title="Python",
        links=tuple((name, f"simple/{name}/") for name in _names(root_json)),
        note="Simple API with HTML and JSON (PEP 503, 691), metadata (PEP 658) and provenance (PEP 740).",
    )


def _names(root_json: bytes | None) -> list[str]:
    try:
        return [str(project["name"]) for project in json.loads(root_json or b"{}").get("projects", ())]
    except (ValueError, KeyError, TypeError, AttributeError):
        # A damaged page is the index's business (its own address says so); people still learn what this is.
        return []
