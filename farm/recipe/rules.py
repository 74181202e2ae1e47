"""What single values of a recipe must look like: functions over text that raise ValueError with words for the user."""

from __future__ import annotations

import re
from pathlib import PurePosixPath
from typing import TYPE_CHECKING

from pydantic_core import PydanticCustomError, PydanticKnownError

if TYPE_CHECKING:
    from collections.abc import Mapping

__all__ = [
    "PIN",
    "archive_url",
    "commit",
    "environment",
    "git_url",
    "image_name",
    "image_names",
    "one_or_more",
    "patch_name",
    "relative_folder",
    "sha256",
    "tag_pattern",
]

PIN = "pin"
"""Type of the problems that mean: what should pin the source does not."""

_HEX = re.compile(r"[0-9a-f]+")
_PATCH = re.compile(r"[A-Za-z0-9_][A-Za-z0-9._+-]{0,199}")
_IMAGE = re.compile(r"[a-z0-9][a-z0-9._-]*")
_SCP_LIKE = re.compile(r"(?:[A-Za-z0-9._-]+@)?[A-Za-z0-9][A-Za-z0-9.-]*:(?!:)[^\s:][^\s]*")
_ENV_NAME = re.compile(r"[A-Za-z_][A-Za-z0-9_]*")

_GIT_SCHEMES = ("https://", "ssh://", "http://", "git://", "file://")
_ARCHIVE_SCHEMES = ("https://", "http://")

# The fixed environment of a build belongs to farm: these names would change where tools, modules, libraries,
# configuration or time come from, or what the build may reach.
_RESERVED = frozenset(
    {"PATH", "HOME", "SHELL", "USER", "LOGNAME", "PWD", "TMPDIR", "TMP", "TEMP", "TZ", "LANG", "LANGUAGE", "IFS"}
    | {"JAVA_HOME", "JAVA_TOOL_OPTIONS", "JDK_JAVA_OPTIONS", "_JAVA_OPTIONS", "CLASSPATH"}
    | {"ENV", "BASH_ENV", "SOURCE_DATE_EPOCH", "VIRTUAL_ENV", "GCONV_PATH", "NO_PROXY", "SSH_AUTH_SOCK"}
)
_RESERVED_PREFIXES = (
    "LD_", "DYLD_", "GLIBC_", "LC_", "XDG_", "GIT_", "DOCKER_", "FARM_", "PYTHON", "PIP_", "UV_", "MAVEN_", "MVNW_",
)  # fmt: skip
_SECRET = re.compile(
    r"TOKEN|SECRET|PASSW(OR)?D|PASSPHRASE|CREDENTIAL|API_?KEY|PRIVATE_?KEY|ACCESS_?KEY|COOKIE|NETRC", re.IGNORECASE
)
_URL_WITH_PASSWORD = re.compile(r"://[^/\s@]*:[^/\s@]*@")
_USERINFO = re.compile(r"^[a-z][a-z0-9+.-]*://[^/]*@")


def commit(text: str) -> str:
    """Return `text` when it is a full commit id: 40 (SHA-1) or 64 (SHA-256) lower-case hex digits."""
    full = (40, 64)
    if _HEX.fullmatch(text.lower()) and len(text) not in full:
        raise PydanticCustomError(
            PIN,
            "the commit '{text}' has {length} digits: a pin is the full commit (40 or 64 hex digits)",
            {"text": text, "length": len(text)},
        )
    if not _HEX.fullmatch(text):
        raise PydanticCustomError(
            PIN, "'{text}' is no commit: a pin is the full commit (40 or 64 lower-case hex digits)", {"text": text}
        )
    return text


def sha256(text: str) -> str:
    """Return `text` when it is a SHA-256: 64 lower-case hex digits."""
    length = 64
    if len(text) != length or not _HEX.fullmatch(text):
        raise PydanticCustomError(PIN, "'{text}' is no SHA-256 (64 lower-case hex digits)", {"text": text})
    return text


def git_url(text: str) -> str:
    """Return `text` when it is an address that git may be given: a plain transport, no option, no credentials."""
    if text.startswith("-") or "::" in text.split("/", 1)[0] or any(c.isspace() or ord(c) < ord(" ") for c in text):
        msg = f"{text!r} is no address of a git repository"
        raise ValueError(msg)
    if not text.startswith(_GIT_SCHEMES) and not ("://" not in text and _SCP_LIKE.fullmatch(text)):
        msg = f"{text!r}: a git source is https://, ssh://, http://, git://, file:// or user@host:path"
        raise ValueError(msg)
    _no_credentials(text, user_allowed=text.startswith("ssh://"))
    return text


def archive_url(text: str) -> str:
    """Return `text` when it is an http(s) address without credentials; `{version}` may stand in it."""
    if not text.startswith(_ARCHIVE_SCHEMES) or any(c.isspace() for c in text):
        msg = f"{text!r}: an archive's address is https:// or http://"
        raise ValueError(msg)
    _no_credentials(text, user_allowed=False)
    _only_version(text)
    return text


def _no_credentials(text: str, *, user_allowed: bool) -> None:
    if _URL_WITH_PASSWORD.search(text) or (not user_allowed and _USERINFO.match(text)):
        # The address is not repeated: it holds a secret.
        msg = "the address holds credentials; keep them in git's credential helper or in insteadOf, not in a recipe"
        raise ValueError(msg)


def tag_pattern(text: str) -> str:
    """Return `text` when it can be the name of a git tag once `{version}` is replaced (git-check-ref-format)."""
    _only_version(text)
    name = text.replace("{version}", "1")
    bad = any(c.isspace() or ord(c) < ord(" ") or c in "~^:?*[\\\x7f{}" for c in name)
    parts = name.split("/")
    if bad or ".." in name or "@{" in name or name.startswith("-") or name.endswith((".", "/")) or name == "@":
        msg = f"{text!r} can be no tag"
        raise ValueError(msg)
    if any(not part or part.startswith(".") or part.endswith(".lock") for part in parts) and text:
        msg = f"{text!r} can be no tag"
        raise ValueError(msg)
    return text


def _only_version(text: str) -> None:
    left = text.replace("{version}", "")
    if "{" in left or "}" in left:
        msg = f"{text!r}: the only place-holder is {{version}}"
        raise ValueError(msg)


def relative_folder(text: str) -> str:
    """Return `text` in its normal form when it is a folder below the source: relative, without `..`."""
    path = PurePosixPath(text)
    if path.is_absolute() or ".." in path.parts or "\\" in text or any(ord(c) < ord(" ") for c in text):
        msg = f"{text!r} is no folder below the source"
        raise ValueError(msg)
    return "" if str(path) == "." else str(path)


def image_name(text: str) -> str:
    """Return `text` when it can be a folder under images/."""
    if not _IMAGE.fullmatch(text):
        msg = f"{text!r} is no name of an image (a folder under images/)"
        raise ValueError(msg)
    return text


def image_names(names: tuple[str, ...]) -> tuple[str, ...]:
    """Return `names` when there is one at least, and none twice."""
    if not names:
        msg = "no image is named: there must be one to build in"
        raise ValueError(msg)
    if len(set(names)) != len(names):
        msg = "an image is named once"
        raise ValueError(msg)
    return names


def one_or_more(value: object) -> object:
    """Return a text, or a list, as a tuple."""
    if isinstance(value, (list, tuple)):
        return tuple(value)
    if not isinstance(value, str):
        raise PydanticKnownError("string_type")
    return (value,)


def patch_name(text: str) -> str:
    """Return `text` when it can be a file in the recipe's patches folder."""
    if not _PATCH.fullmatch(text):
        msg = f"{text!r} is no name of a patch (a file in the recipe's folder patches/)"
        raise ValueError(msg)
    return text


def environment(values: Mapping[str, str]) -> None:
    """Refuse what may not be added to the environment of a build.

    Raises:
        ValueError: names of the fixed environment, secrets (a build has none), control characters.
    """
    for name, value in values.items():
        upper = name.upper()
        if not _ENV_NAME.fullmatch(name):
            msg = f"{name!r} is no name of an environment variable"
        elif upper in _RESERVED or upper.startswith(_RESERVED_PREFIXES) or upper.endswith("_PROXY"):
            msg = f"{name} belongs to the fixed environment of a build; a recipe cannot set it"
        elif _SECRET.search(name) or _URL_WITH_PASSWORD.search(value):
            msg = f"{name} looks like a secret; a build has no secrets"
        elif any(ord(c) < ord(" ") for c in value):
            msg = f"the value of {name} holds control characters"
        else:
            continue
        raise ValueError(msg)
