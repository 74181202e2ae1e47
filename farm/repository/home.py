"""The page for people at `/`: what this index is, how to use it, what is on it."""

from __future__ import annotations

import json
from html import escape
from typing import Final

__all__ = ["HEADERS", "render"]

HEADERS: Final = {
    "Cache-Control": "no-cache",
    "Content-Security-Policy": "default-src 'none'; style-src 'unsafe-inline'; base-uri 'none'; form-action 'none'",
    "X-Content-Type-Options": "nosniff",
}

_STYLE: Final = (
    "body{font:16px/1.5 system-ui,sans-serif;max-width:46rem;margin:3rem auto;padding:0 1rem;color:#1c2430}"
    "pre{background:#f2f4f7;padding:.8rem 1rem;border-radius:6px;overflow-x:auto}"
    "ul{columns:3;padding-left:1.2rem}a{color:#0b57d0}"
    "@media(max-width:34rem){ul{columns:1}}"
    "@media(prefers-color-scheme:dark){body{background:#12161c;color:#dde3ea}pre{background:#1d242d}a{color:#8ab4f8}}"
)


def render(base: str, root_json: bytes | None) -> str:
    """Return the page.

    Args:
        base: address of this server as the browser wrote it, ending in `/`.
        root_json: the PEP 691 root page, None when nothing was published yet.
    """
    index = escape(f"{base}simple/")
    names = _names(root_json)
    listed = "".join(f'<li><a href="simple/{escape(name)}/">{escape(name)}</a></li>\n' for name in names)
    projects = f"<ul>\n{listed}</ul>" if names else "<p>Nothing has been published yet.</p>"
    return f"""<!DOCTYPE html>
<html lang="en">
<head>
<meta charset="utf-8">
<meta name="viewport" content="width=device-width, initial-scale=1">
<title>Farm: rebuilt packages</title>
<style>{_STYLE}</style>
</head>
<body>
<h1>Rebuilt packages</h1>
<p>Every file here was built by farm from pinned source, in a sandbox without network, tested, and signed. Beside each
file lie its signature, its SLSA provenance and its SBOMs; anyone can verify them offline.</p>
<h2>Use it</h2>
<pre>pip install --index-url {index} PACKAGE
uv pip install --default-index {index} PACKAGE</pre>
<p>Check what you got, without network: <code>farm verify FILE</code></p>
<h2>Projects ({len(names)})</h2>
{projects}
<p><small>Simple API with HTML and JSON (PEP 503, 691), metadata (PEP 658) and provenance (PEP 740).</small></p>
</body>
</html>
"""


def _names(root_json: bytes | None) -> list[str]:
    try:
        return [str(project["name"]) for project in json.loads(root_json or b"{}").get("projects", ())]
    except (ValueError, AttributeError, KeyError, TypeError):
        # A damaged page is reported by the index itself; people still see how to use it.
        return []
