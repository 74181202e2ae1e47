"""How Maven and Gradle are told to use the repository, and what the page for people shows of it. Pure."""

from __future__ import annotations

import json
from xml.sax.saxutils import escape

from farm.ecosystems.maven.naming import split_name
from farm.ecosystems.maven.repository.model import ADDRESS
from farm.net import is_loopback
from farm.repository.layout import Guide, Section

__all__ = ["guides", "packages", "section"]


def guides(base: str) -> tuple[Guide, ...]:
    """Return the configuration of Maven and Gradle for the repository at `base` (ends in `/`)."""
    url = f"{base}{ADDRESS}"
    return (
        Guide(tool="maven", place="~/.m2/settings.xml, or a file for `mvn --settings`", text=_settings(url)),
        Guide(
            tool="gradle",
            place="settings.gradle or settings.gradle.kts; before Gradle 6.8 the `repositories` block in build.gradle",
            text=_gradle(url),
        ),
    )


def _settings(url: str) -> str:
    """Return a settings.xml with the repository before all others, for dependencies and for plugins.

    Nothing is mirrored away: what farm has not rebuilt comes from where it came before. Wrong checksums end the build.
    """
    repositories = "".join(
        f"""      <{kinds}>
        <{kind}>
          <id>farm</id>
          <url>{escape(url)}</url>
          <releases>
            <enabled>true</enabled>
            <updatePolicy>daily</updatePolicy>
            <checksumPolicy>fail</checksumPolicy>
          </releases>
          <snapshots>
            <enabled>false</enabled>
          </snapshots>
        </{kind}>
      </{kinds}>
"""
        for kinds, kind in (("repositories", "repository"), ("pluginRepositories", "pluginRepository"))
    )
    return f"""<?xml version="1.0" encoding="UTF-8"?>
<settings xmlns="http://maven.apache.org/SETTINGS/1.0.0">
  <profiles>
    <profile>
      <id>farm</id>
{repositories}    </profile>
  </profiles>
  <activeProfiles>
    <activeProfile>farm</activeProfile>
  </activeProfiles>
</settings>
"""


def _gradle(url: str) -> str:
    """Return a block that is right in Groovy and in Kotlin."""
    quoted = url.replace("\\", "\\\\").replace('"', '\\"').replace("$", "\\$")
    plain = "            setAllowInsecureProtocol(true) // loopback\n"
    insecure = plain if url.startswith("http://") and is_loopback(url) else ""
    return f"""dependencyResolutionManagement {{
    repositories {{
        maven {{
            name = "farm"
            url = uri("{quoted}")
{insecure}            mavenContent {{ releasesOnly() }}
        }}
        mavenCentral()
    }}
}}
"""


def packages(raw: bytes | None) -> list[tuple[str, str, list[str]]]:
    """Return name, address of the metadata (relative to the Maven repository) and versions of every package.

    Args:
        raw: the list that the publisher writes, None when nothing was published yet. A damaged one lists nothing: what
            is published does not depend on it.
    """
    try:
        listed = [(str(p["name"]), list(map(str, p["versions"]))) for p in json.loads(raw or b"{}").get("packages", ())]
        return [(name, _address(name), versions) for name, versions in listed]
    except (ValueError, KeyError, TypeError, AttributeError):
        return []


def section(raw: bytes | None) -> Section:
    """Return the packages; `raw` as for `packages`."""
    return Section(
        title="Maven",
        links=tuple(
            (f"{name} {versions[-1] if versions else ''}".strip(), f"{ADDRESS}{address}")
            for name, address, versions in packages(raw)
        ),
        note="Maven2 layout with MD5, SHA-1, SHA-256 and SHA-512 checksums, and Gradle module metadata.",
    )


def _address(name: str) -> str:
    group, artifact = split_name(name)
    return f"{group.replace('.', '/')}/{artifact}/maven-metadata.xml"
