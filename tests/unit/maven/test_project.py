from __future__ import annotations

from typing import TYPE_CHECKING

import pytest

from farm.ecosystems.maven.project import DistributionPin, Project, distribution_of, read_project
from farm.errors import BuildToolError, RecipeError, SourceUnsafeError
from tests.fixtures_maven import MAVEN, plan_of, pom, tar_of

if TYPE_CHECKING:
    from pathlib import Path

WRAPPER = ".mvn/wrapper/maven-wrapper.properties"
URL = "https://repo.example.test/maven2/org/apache/maven/apache-maven/3.9.9/apache-maven-3.9.9-bin.zip"


class TestReactor:
    def test_modules_are_followed_those_of_profiles_too(self, tmp_path: Path) -> None:
        files = {
            "pom.xml": pom(
                more="<packaging>pom</packaging><modules><module>a</module><module>odd/other.xml</module>"
                "<module>gone</module><module>../outside</module><module>/etc</module></modules>"
                "<profiles><profile><id>p</id><modules><module>b\\c</module></modules></profile></profiles>"
            ),
            "a/pom.xml": pom("a", more="<modules><module>../a</module><module>..</module></modules>"),
            "odd/other.xml": pom("odd"),
            "b/c/pom.xml": pom("c", "2.0", group="org.other"),
            "not-a-module/pom.xml": pom("unseen"),
        }
        archive = tmp_path / "source.tar"
        archive.write_bytes(tar_of(files))
        assert read_project(plan_of(), archive).modules == {
            "org.example:sample", "org.example:a", "org.example:odd", "org.other:c",
        }  # fmt: skip

    def test_too_many_modules(self, tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
        monkeypatch.setattr("farm.ecosystems.maven.project._MODULES", 2)
        modules = "".join(f"<module>m{n}</module>" for n in range(3))
        files = {"pom.xml": pom(more=f"<modules>{modules}</modules>")}
        archive = tmp_path / "source.tar"
        archive.write_bytes(tar_of({**files, **{f"m{n}/pom.xml": pom(f"m{n}") for n in range(3)}}))
        with pytest.raises(SourceUnsafeError, match="more than 2 modules"):
            read_project(plan_of(), archive)

    def test_a_pom_too_large(self, tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
        monkeypatch.setattr("farm.ecosystems.maven.project._LIMIT", 10)
        archive = tmp_path / "source.tar"
        archive.write_bytes(tar_of({"pom.xml": pom()}))
        with pytest.raises(SourceUnsafeError, match=r"pom\.xml has \d+ bytes"):
            read_project(plan_of(), archive)

    @pytest.mark.parametrize(
        "text", ["", "<project", "<html/>", '<!DOCTYPE x [<!ENTITY a "b">]><project>&a;</project>']
    )
    def test_an_unreadable_pom(self, tmp_path: Path, text: str) -> None:
        archive = tmp_path / "source.tar"
        archive.write_bytes(tar_of({"pom.xml": text}))
        with pytest.raises(SourceUnsafeError, match=r"pom\.xml"):
            read_project(plan_of(), archive)

    def test_timestamp_and_observations(self, tmp_path: Path) -> None:
        more = (
            "<properties><project.build.outputTimestamp>1</project.build.outputTimestamp></properties>"
            "<repositories><repository><id>old</id><url>http://repo.example.test/</url></repository></repositories>"
            "<dependencies><dependency><groupId>x</groupId><artifactId>r</artifactId><version>[1,2)</version></dependency>"
            "<dependency><groupId>x</groupId><artifactId>l</artifactId><version>LATEST</version></dependency>"
            "</dependencies>"
        )
        archive = tmp_path / "source.tar"
        archive.write_bytes(tar_of({"pom.xml": pom(more=more)}))
        project = read_project(plan_of(), archive)
        assert project.has_timestamp
        assert project.observations == (
            "pom.xml: dependency x:l has the version LATEST",
            "pom.xml: dependency x:r has a range of versions: [1,2)",
            "pom.xml: repository old is read by plain HTTP",
        )

    def test_a_project_in_a_folder(self, tmp_path: Path) -> None:
        archive = tmp_path / "source.tar"
        archive.write_bytes(tar_of({"java/pom.xml": pom(), WRAPPER: f"distributionUrl={URL}\n"}))
        project = read_project(plan_of(subdirectory="java"), archive)
        assert project.modules == {"org.example:sample"}
        assert not project.has_timestamp
        assert project.wrapper == DistributionPin("3.9.9", "")


@pytest.mark.parametrize(
    ("files", "words"),
    [
        (["build.gradle.kts", "settings.gradle.kts"], r"unsupported build tool: Gradle \(build.gradle.kts, settings"),
        (["build.gradle", "sub/pom.xml"], "unsupported build tool: Gradle"),
        (["build.xml"], r"unsupported build tool: Ant \(build.xml at the root"),
        (["build.sbt"], "unsupported build tool: sbt"),
        (["build.sbt", "build.gradle"], "unsupported build tool: Gradle, sbt"),
        (["WORKSPACE"], "unsupported build tool: Bazel"),
        (["Makefile"], "there is no pom.xml at the root of the source$"),
        (["java/pom.xml", "b/pom.xml"], "there is b/pom.xml, java/pom.xml: set source.subdirectory"),
        ([], "there is no pom.xml"),
    ],
)
def test_what_is_no_maven_project(tmp_path: Path, files: list[str], words: str) -> None:
    archive = tmp_path / "source.tar"
    archive.write_bytes(tar_of(dict.fromkeys(files, "x")))
    with pytest.raises(BuildToolError, match=words) as caught:
        read_project(plan_of(), archive)
    assert "pom.xml" in caught.value.remedy


def test_the_wrong_folder(tmp_path: Path) -> None:
    archive = tmp_path / "source.tar"
    archive.write_bytes(tar_of({"pom.xml": pom()}))
    with pytest.raises(BuildToolError, match=r"in java/; there is pom\.xml: correct source\.subdirectory"):
        read_project(plan_of(subdirectory="java"), archive)


@pytest.mark.parametrize(
    ("text", "pin"),
    [
        (f"distributionUrl={URL}\ndistributionSha256Sum={MAVEN.sha256}\n", MAVEN),
        (f"# x\n! y\n\n distributionUrl = {URL}\r\ndistributionSha256Sum:{MAVEN.sha256.upper()}\r\n", MAVEN),
        (f"distributionUrl={URL.replace(':', chr(92) + ':')}\n", DistributionPin("3.9.9", "")),
        (f"distributionUrl={URL}\ndistributionSha256Sum=short\n", DistributionPin("3.9.9", "")),
        (
            f"distributionUrl={URL.replace('.zip', '.tar.gz')}\ndistributionSha256Sum={'a' * 64}\n",
            DistributionPin("3.9.9", "a" * 64, "tar.gz"),
        ),
        ("distributionUrl=https://x/maven-mvnd-1.0-linux-amd64.zip\n", None),
        ("distributionUrl=https://x/apache-maven-../../3-bin.zip\n", None),
        ("wrapperVersion=3.3.2\n", None),
        ("\0\xff", None),
    ],
)
def test_the_wrappers_properties(tmp_path: Path, text: str, pin: DistributionPin | None) -> None:
    archive = tmp_path / "source.tar"
    archive.write_bytes(tar_of({"pom.xml": pom(), WRAPPER: text}))
    assert read_project(plan_of(), archive).wrapper == pin


def project_of(wrapper: DistributionPin | None) -> Project:
    return Project(has_timestamp=False, modules=frozenset(), wrapper=wrapper)


class TestDistribution:
    def test_the_recipe_comes_before_the_wrapper(self) -> None:
        assert distribution_of(plan_of(), project_of(DistributionPin("3.6.3", "a" * 64))) == MAVEN

    def test_the_wrapper_with_its_hash(self) -> None:
        pin = DistributionPin("3.6.3", "a" * 64, "tar.gz")
        assert distribution_of(plan_of(maven=None), project_of(pin)) == pin
        assert pin.path == "org/apache/maven/apache-maven/3.6.3/apache-maven-3.6.3-bin.tar.gz"

    def test_a_wrapper_without_a_hash_is_refused(self) -> None:
        with pytest.raises(RecipeError, match=r"names Maven 3\.6\.3, but no distributionSha256Sum") as caught:
            distribution_of(plan_of(maven=None), project_of(DistributionPin("3.6.3", "")))
        assert "build.options.maven" in caught.value.remedy

    def test_nobody_names_a_maven(self) -> None:
        with pytest.raises(RecipeError, match="neither the recipe nor a Maven wrapper"):
            distribution_of(plan_of(maven=None), project_of(None))
