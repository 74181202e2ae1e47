"""The properties by which plugins that have no part in the result are switched off, from their own documentation."""

from __future__ import annotations

from typing import Final

__all__ = ["SKIPS"]

SKIPS: Final[dict[str, tuple[str, ...]]] = {
    "animal-sniffer-maven-plugin": ("animal.sniffer.skip",),
    "apache-rat-plugin": ("rat.skip",),
    "cobertura-maven-plugin": ("cobertura.skip",),
    "cyclonedx-maven-plugin": ("cyclonedx.skip",),
    "dependency-check-maven": ("dependency-check.skip",),
    "formatter-maven-plugin": ("formatter.skip",),
    "frontend-maven-plugin": ("skip.installnodenpm", "skip.npm", "skip.yarn", "skip.npx"),
    "impsort-maven-plugin": ("impsort.skip",),
    "jacoco-maven-plugin": ("jacoco.skip",),
    "japicmp-maven-plugin": ("japicmp.skip",),
    "license-maven-plugin": ("license.skip",),
    "maven-checkstyle-plugin": ("checkstyle.skip",),
    "maven-enforcer-plugin": ("enforcer.skip",),
    "maven-gpg-plugin": ("gpg.skip",),
    "maven-invoker-plugin": ("invoker.skip",),
    "maven-javadoc-plugin": ("maven.javadoc.skip",),
    "maven-pmd-plugin": ("pmd.skip", "cpd.skip"),
    "maven-site-plugin": ("maven.site.skip",),
    "maven-source-plugin": ("maven.source.skip",),
    "revapi-maven-plugin": ("revapi.skip",),
    "sortpom-maven-plugin": ("sort.skip",),
    "spotbugs-maven-plugin": ("spotbugs.skip",),
    "spotless-maven-plugin": ("spotless.check.skip", "spotless.apply.skip"),
}
"""Plugin → properties that are set to `true`."""
