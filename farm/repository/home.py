"""The page for people at `/`: what this repository is, how to use it, what is in it."""

from __future__ import annotations

from html import escape
from typing import TYPE_CHECKING, Any, Final

if TYPE_CHECKING:
    from collections.abc import Iterable

    from farm.repository.layout import Layout
    from farm.store.objects import ObjectStore

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


def render(base: str, layouts: Iterable[Layout[Any]], store: ObjectStore) -> str:
    """Return the page.

    Args:
        base: address of this server as the browser wrote it, ending in `/`.
        layouts: the repositories of the languages.
        store: the bucket; each language reads one object of it.
    """
    languages = "".join(_section(base, layout, store) for layout in layouts)
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
<p>Check what you got, without network: <code>farm verify FILE</code></p>
{languages}</body>
</html>
"""


def _section(base: str, layout: Layout[Any], store: ObjectStore) -> str:
    shown, known = layout.section(store), layout.guides(base)
    commands = "\n".join(escape(guide.command) for guide in known if guide.command)
    first = f"<pre>{commands}</pre>\n" if commands else ""
    guides = "".join(
        f"<details><summary>{escape(guide.tool)}: {escape(guide.place)}</summary>\n"
        f"<pre>{escape(guide.text)}</pre></details>\n"
        for guide in known
    )
    links = "".join(f'<li><a href="{escape(address)}">{escape(name)}</a></li>\n' for name, address in shown.links)
    packages = f"<ul>\n{links}</ul>" if shown.links else "<p>Nothing has been published yet.</p>"
    return f"""<h2>{escape(shown.title)} ({len(shown.links)})</h2>
{first}{guides}{packages}
<p><small>{escape(shown.note)}</small></p>
"""
