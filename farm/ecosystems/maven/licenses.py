"""Licences as POMs spell them → SPDX identifiers, where name or address leaves no doubt about which one is meant."""

from __future__ import annotations

import re

from packaging.licenses import InvalidLicenseExpression, canonicalize_license_expression

__all__ = ["spdx_or_text"]

_NOISE = frozenset({"the", "a", "software", "license", "licence", "version", "v", "public"})
"""Words that people add and leave out."""

_NAMES = {
    "apache 2": "Apache-2.0",
    "apache 2 0": "Apache-2.0",
    "asl 2 0": "Apache-2.0",
    "al 2 0": "Apache-2.0",
    "bsd 2 clause": "BSD-2-Clause",
    "simplified bsd": "BSD-2-Clause",
    "freebsd": "BSD-2-Clause",
    "bsd 3 clause": "BSD-3-Clause",
    "3 clause bsd": "BSD-3-Clause",
    "2 clause bsd": "BSD-2-Clause",
    "bsd 3 clause new or revised": "BSD-3-Clause",
    "new bsd": "BSD-3-Clause",
    "revised bsd": "BSD-3-Clause",
    "modified bsd": "BSD-3-Clause",
    "bsd new": "BSD-3-Clause",
    "edl 1 0": "BSD-3-Clause",
    "eclipse distribution 1 0": "BSD-3-Clause",
    "mit": "MIT",
    "mit mit": "MIT",
    "mit no attribution": "MIT-0",
    "expat": "MIT",
    "isc": "ISC",
    "zlib": "Zlib",
    "eclipse 1 0": "EPL-1.0",
    "eclipse 2 0": "EPL-2.0",
    "epl 1 0": "EPL-1.0",
    "epl 2 0": "EPL-2.0",
    "mozilla 1 1": "MPL-1.1",
    "mozilla 2 0": "MPL-2.0",
    "mpl 1 1": "MPL-1.1",
    "mpl 2 0": "MPL-2.0",
    "cddl 1 0": "CDDL-1.0",
    "cddl 1 1": "CDDL-1.1",
    "common development and distribution 1 0": "CDDL-1.0",
    "common development and distribution 1 1": "CDDL-1.1",
    "cc0": "CC0-1.0",
    "cc0 1 0 universal": "CC0-1.0",
    "domain per creative commons cc0": "CC0-1.0",
    "unlicense": "Unlicense",
    "upl 1 0": "UPL-1.0",
    "universal permissive 1 0": "UPL-1.0",
    "boost 1 0": "BSL-1.0",
}
"""Words without noise → identifier. What several licences are called (`BSD`, `LGPL`, `GPL 2`) is not in it."""

_URLS = {
    "apache.org/licenses/license-2.0": "Apache-2.0",
    "opensource.org/licenses/apache-2.0": "Apache-2.0",
    "opensource.org/licenses/mit": "MIT",
    "opensource.org/licenses/mit-license": "MIT",
    "opensource.org/license/mit": "MIT",
    "opensource.org/licenses/bsd-2-clause": "BSD-2-Clause",
    "opensource.org/licenses/bsd-3-clause": "BSD-3-Clause",
    "opensource.org/licenses/isc": "ISC",
    "eclipse.org/legal/epl-v10": "EPL-1.0",
    "eclipse.org/legal/epl-v20": "EPL-2.0",
    "eclipse.org/legal/epl-2.0": "EPL-2.0",
    "eclipse.org/org/documents/edl-v10": "BSD-3-Clause",
    "mozilla.org/mpl/2.0": "MPL-2.0",
    "mozilla.org/en-us/mpl/2.0": "MPL-2.0",
    "mozilla.org/mpl/mpl-1.1": "MPL-1.1",
    "creativecommons.org/publicdomain/zero/1.0": "CC0-1.0",
    "unlicense.org": "Unlicense",
}
"""Address without scheme, `www.` and ending → identifier."""


def spdx_or_text(name: str, url: str) -> str:
    """Return the SPDX identifier that a `<license>` of a POM means, else its name (its address where it has none)."""
    try:
        return str(canonicalize_license_expression(name))
    except InvalidLicenseExpression:
        pass
    return _NAMES.get(_words(name)) or _URLS.get(_address(url)) or name or url


def _words(name: str) -> str:
    found = re.findall(r"[a-z]+(?=\d|[^a-z]|$)|\d+", name.lower().replace("cc0", "cczero"))
    return " ".join(word.replace("cczero", "cc0") for word in found if word not in _NOISE)


def _address(url: str) -> str:
    bare = re.sub(r"^https?://(www\.)?", "", url.strip().lower())
    return re.sub(r"(/|\.txt|\.html?|\.php)+$", "", bare)
