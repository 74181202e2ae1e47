"""Projects that want something special: recorded and replayed. Few plugins run, since each is a file more to fetch."""

from __future__ import annotations

import io
import zipfile
from typing import TYPE_CHECKING

import pytest

from farm.errors import BuildFailedError, RecipeError
from farm.model.plan import Patch
from tests.fixtures_maven import MAVEN, NO_TESTS, plan_of, pom
from tests.fixtures_maven_repository import jar

if TYPE_CHECKING:
    from farm.model.build import BuildResult
    from farm.model.lock import Lock
    from farm.model.plan import BuildPlan
    from farm.model.source import SourceSnapshot
    from tests.fixtures_maven_bench import MavenBench, Through

pytestmark = pytest.mark.docker

JAR_GOALS = ["clean", "org.apache.maven.plugins:maven-jar-plugin:3.4.1:jar"]
WRAPPER = (
    "distributionUrl=https://repo.example.test/maven2/org/apache/maven/apache-maven/3.9.9/apache-maven-3.9.9-bin.zip\n"
    f"distributionSha256Sum={MAVEN.sha256}\n"
)


def says(**entries: str) -> str:
    """Configuration that writes properties into the manifest, where a test can see them."""
    lines = "".join(f"<{name}>{value}</{name}>" for name, value in entries.items())
    return (
        "<build><plugins><plugin><artifactId>maven-jar-plugin</artifactId><version>3.4.1</version><configuration>"
        f"<archive><manifestEntries>{lines}</manifestEntries></archive></configuration></plugin></plugins></build>"
    )


def manifest(bench: MavenBench, result: BuildResult) -> dict[str, str]:
    (raw,) = [raw for raw in result.artifacts if raw.filename.endswith(".jar")]
    with zipfile.ZipFile(io.BytesIO(bench.vault.read(raw.blob))) as archive:
        text = archive.read("META-INF/MANIFEST.MF").decode()
    return dict(line.split(": ", 1) for line in text.splitlines() if ": " in line)


def both(bench: MavenBench, plan: BuildPlan, snapshot: SourceSnapshot) -> tuple[Lock, BuildResult]:
    lock = bench.record(plan, snapshot)
    return lock, bench.build(plan, snapshot, lock)


def test_the_mvn_folder_and_the_wrappers_version(bench: MavenBench) -> None:
    snapshot = bench.project(
        {
            "pom.xml": pom(more=says(Of_Config="${of.config}", Of_Jvm="${of.jvm}", Of_Extension="${os.detected.name}")),
            ".mvn/maven.config": "-Dof.config=yes\n-DskipTests=false\n",
            ".mvn/jvm.config": "-Dof.jvm=indeed\n",
            ".mvn/extensions.xml": (
                "<extensions><extension><groupId>kr.motd.maven</groupId><artifactId>os-maven-plugin</artifactId>"
                "<version>1.7.1</version></extension></extensions>"
            ),
            ".mvn/wrapper/maven-wrapper.properties": WRAPPER,
            "mvnw": "#!/bin/sh\nexit 7\n",
        }
    )
    lock, built = both(bench, plan_of({"goals": JAR_GOALS}, test=NO_TESTS, maven=None), snapshot)
    found = manifest(bench, built)
    assert (found["Of_Config"], found["Of_Jvm"], found["Of_Extension"]) == ("yes", "indeed", "linux")
    assert any("/os-maven-plugin-1.7.1.jar" in file.filename for file in lock.files)
    assert lock.requirements["maven"] == (MAVEN.path, MAVEN.sha256)


def test_ranges_and_latest_are_frozen_and_plain_http_is_not_asked(
    bench: MavenBench, repository: Through, capsys: pytest.CaptureFixture[str]
) -> None:
    for name, versions in {"ranged": ("1.0", "1.1", "2.0"), "latest": ("1.0", "3.0")}.items():
        for version in versions:
            base = f"org/example/{name}/{version}/{name}-{version}"
            repository.put(f"{base}.pom", pom(name, version).encode())
            repository.put(f"{base}.jar", jar({"x": version}))
        listed = "".join(f"<version>{version}</version>" for version in versions)
        repository.put(
            f"org/example/{name}/maven-metadata.xml",
            (
                f"<metadata><groupId>org.example</groupId><artifactId>{name}</artifactId><versioning>"
                f"<latest>{versions[-1]}</latest><release>{versions[-1]}</release><versions>{listed}</versions>"
                "</versioning></metadata>"
            ).encode(),
        )
    wanted = "".join(
        f"<dependency><groupId>org.example</groupId><artifactId>{name}</artifactId><version>{version}</version></dependency>"
        for name, version in {"ranged": "[1.0,2.0)", "latest": "LATEST"}.items()
    )
    snapshot = bench.project(
        {
            "pom.xml": pom(
                more="<repositories><repository><id>old</id><url>http://repo.example.test/maven2</url></repository>"
                f"</repositories><dependencies>{wanted}</dependencies>"
            )
        }
    )
    plan = plan_of({"goals": JAR_GOALS}, test=NO_TESTS)
    lock = bench.record(plan, snapshot)
    own = {file.filename for file in lock.files if file.filename.startswith("org/example/")}
    assert {name for name in own if name.endswith(".jar")} == {
        "org/example/ranged/1.1/ranged-1.1.jar", "org/example/latest/3.0/latest-3.0.jar",
    }  # fmt: skip
    assert {name for name in own if "metadata" in name} == {
        "org/example/ranged/maven-metadata.xml", "org/example/latest/maven-metadata.xml",
    }  # fmt: skip
    said = capsys.readouterr().out
    assert "has a range of versions: [1.0,2.0)" in said
    assert "has the version LATEST" in said
    assert "plain HTTP" in said
    assert bench.build(plan, snapshot, lock).artifacts


def test_patch_folder_modules_and_a_plugin_that_is_switched_off(bench: MavenBench) -> None:
    parent = "<parent><groupId>org.example</groupId><artifactId>sample</artifactId><version>1.0</version></parent>"
    child = f'<project xmlns="http://maven.apache.org/POM/4.0.0"><modelVersion>4.0.0</modelVersion>{parent}'
    impossible = (
        "<build><plugins><plugin><artifactId>maven-enforcer-plugin</artifactId><version>3.5.0</version><executions>"
        "<execution><phase>pre-clean</phase><goals><goal>enforce</goal></goals><configuration><rules>"
        "<requireJavaVersion><version>[99,)</version></requireJavaVersion></rules></configuration></execution>"
        "</executions></plugin></plugins></build>"
    )
    modules = "<packaging>pom</packaging><modules><module>lib</module><module>broken</module></modules>"
    snapshot = bench.project(
        {
            "java/pom.xml": pom(more=f"{modules}\n<properties>\n<word>before</word>\n</properties>\n{impossible}"),
            "java/lib/pom.xml": f"{child}<artifactId>sample-lib</artifactId>{says(Word='${word}')}</project>",
            "java/broken/pom.xml": (
                f"{child}<artifactId>broken</artifactId><dependencies><dependency><groupId>org.example</groupId>"
                "<artifactId>nowhere</artifactId><version>1</version></dependency></dependencies></project>"
            ),
        },
        subdirectory="java",
    )
    patch = (
        b"--- a/java/pom.xml\n+++ b/java/pom.xml\n@@ -2,3 +2,3 @@\n <properties>\n-<word>before</word>\n"
        b"+<word>after</word>\n </properties>\n"
    )
    plan = plan_of(
        {
            "goals": JAR_GOALS,
            "modules": [":sample-lib"],
            "disable": ["maven-enforcer-plugin"],
            "artifacts": ["org.example:sample-lib"],
        },
        test=NO_TESTS,
        patches=(Patch(name="word.patch", blob=bench.vault.put_bytes(patch)),),
        subdirectory="java",
    )
    _, built = both(bench, plan, snapshot)
    assert manifest(bench, built)["Word"] == "after"
    assert {raw.filename.split("/")[2] for raw in built.artifacts} == {"sample", "sample-lib"}


MVNW = """#!/bin/sh
set -eu
mkdir -p "$HOME/dist"
cat > "$HOME/Get.java" <<'END'
public class Get {
    public static void main(String[] args) throws Exception {
        try (var in = java.net.URI.create(args[0]).toURL().openStream()) {
            java.nio.file.Files.copy(in, java.nio.file.Path.of(args[1]));
        }
    }
}
END
url="$MVNW_REPOURL/org/apache/maven/apache-maven/3.9.9/apache-maven-3.9.9-bin.zip"
"$JAVA_HOME/bin/java" "$HOME/Get.java" "$url" "$HOME/maven.zip"
unzip -q "$HOME/maven.zip" -d "$HOME/dist"
exec "$HOME/dist/apache-maven-3.9.9/bin/mvn" -Dof.script=ran "$@"
"""


def test_the_checkouts_script_runs_where_the_recipe_says_why(bench: MavenBench) -> None:
    snapshot = bench.project({"pom.xml": pom(more=says(Of_Script="${of.script}")), "mvnw": MVNW})
    plan = plan_of({"goals": JAR_GOALS, "wrapper_script": {"reason": "it sets what the build needs"}}, test=NO_TESTS)
    _, built = both(bench, plan, snapshot)
    assert manifest(bench, built)["Of_Script"] == "ran"


def test_a_wrapper_without_a_hash(bench: MavenBench) -> None:
    wrapper = {".mvn/wrapper/maven-wrapper.properties": WRAPPER.splitlines()[0]}
    snapshot = bench.project({"pom.xml": pom(), **wrapper})
    with pytest.raises(RecipeError, match="no distributionSha256Sum"):
        bench.record(plan_of(maven=None), snapshot)


def test_a_plugin_that_downloads_by_other_means(bench: MavenBench) -> None:
    fetches = (
        "<packaging>pom</packaging><build><plugins><plugin><artifactId>maven-antrun-plugin</artifactId>"
        "<version>3.1.0</version><executions><execution><id>fetch</id><phase>clean</phase><goals><goal>run</goal></goals>"
        '<configuration><target><get src="http://elsewhere.example.test/x" dest="x"/></target></configuration>'
        "</execution></executions></plugin></plugins></build>"
    )
    snapshot = bench.project({"pom.xml": pom(more=fetches)})
    with pytest.raises(BuildFailedError) as caught:
        bench.record(plan_of({"goals": ["clean"]}, test=NO_TESTS), snapshot)
    assert "maven-antrun-plugin:3.1.0:run) wants a network of its own" in caught.value.message
    assert "elsewhere.example.test" in caught.value.message
