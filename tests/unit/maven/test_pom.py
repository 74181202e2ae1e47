from __future__ import annotations

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from farm.ecosystems.maven.licenses import spdx_or_text
from farm.ecosystems.maven.pom import Pom, read_pom
from farm.errors import FarmError, GuardError, SourceUnsafeError

HEAD = "<groupId>org.example</groupId><artifactId>sample</artifactId><version>1.0</version>"


def pom(inside: str, *, head: str = HEAD, namespace: str = ' xmlns="http://maven.apache.org/POM/4.0.0"') -> Pom:
    text = f'<?xml version="1.0" encoding="UTF-8"?>\n<project{namespace}>{head}{inside}</project>'
    return read_pom(text.encode(), "pom.xml")


@pytest.mark.parametrize("namespace", ["", ' xmlns="http://maven.apache.org/POM/4.0.0"'])
def test_coordinates_and_what_a_pom_is_of_by_default(namespace: str) -> None:
    found = pom("", namespace=namespace)
    assert (found.group, found.artifact, found.version, found.packaging) == ("org.example", "sample", "1.0", "jar")
    assert (found.parent, found.licenses, found.modules, found.requirements) == (None, (), (), ())


def test_group_and_version_come_from_the_parent() -> None:
    parent = "<parent><groupId>org.above</groupId><artifactId>above</artifactId><version>7</version></parent>"
    found = pom("", head=f"{parent}<artifactId>sample</artifactId>")
    assert (found.group, found.artifact, found.version) == ("org.above", "sample", "7")
    assert str(found.parent) == "org.above:above"
    own = pom("", head=f"{parent}<artifactId>sample</artifactId><version>8</version>")
    assert (own.group, own.version) == ("org.above", "8")


def test_properties_are_resolved_where_the_pom_has_them() -> None:
    found = pom(
        "<properties><base>2</base><revision>${base}.1</revision><x.version>${project.version}</x.version></properties>"
        "<dependencies><dependency><groupId>${project.groupId}</groupId><artifactId>x</artifactId>"
        "<version>${x.version}</version></dependency>"
        "<dependency><groupId>g</groupId><artifactId>y</artifactId><version>${from.elsewhere}</version></dependency>"
        "</dependencies>",
        head="<groupId>org.example</groupId><artifactId>sample</artifactId><version>${revision}</version>",
    )
    assert found.version == "2.1"
    assert found.requirements == ("g:y:${from.elsewhere}:compile", "org.example:x:2.1:compile")
    assert found.properties["revision"] == "${base}.1"


def test_a_property_of_itself_ends() -> None:
    assert pom("<properties><a>${b}</a><b>${a}</b></properties><packaging>${a}</packaging>").packaging.startswith("${")


def test_requirements_are_what_users_need() -> None:
    def dependency(name: str, rest: str = "") -> str:
        return f"<dependency><groupId>g</groupId><artifactId>{name}</artifactId>{rest}</dependency>"

    found = pom(
        "<dependencyManagement><dependencies>"
        + dependency("managed", "<version>3</version><scope>runtime</scope>")
        + dependency("bom", "<version>1</version><type>pom</type><scope>import</scope>")
        + "</dependencies></dependencyManagement><dependencies>"
        + dependency("managed")
        + dependency("plain", "<version>1</version>")
        + dependency("maybe", "<version>1</version><optional>true</optional>")
        + dependency("elsewhere")
        + dependency("junit", "<version>4</version><scope>test</scope>")
        + "</dependencies>"
    )
    assert found.requirements == (
        "g:elsewhere::compile",
        "g:managed:3:runtime",
        "g:maybe:1:compile (optional)",
        "g:plain:1:compile",
    )


def test_modules_of_profiles_are_modules() -> None:
    found = pom(
        "<modules><module>a</module><module>b/pom.xml</module></modules>"
        "<profiles><profile><modules><module>c</module></modules></profile></profiles>"
    )
    assert found.modules == ("a", "b/pom.xml", "c")


def test_what_a_pom_leaves_open_is_observed() -> None:
    found = pom(
        "<repositories><repository><id>old</id><url>http://repo.example.org/m2</url></repository></repositories>"
        "<dependencies>"
        "<dependency><groupId>g</groupId><artifactId>range</artifactId><version>[1,2)</version></dependency>"
        "<dependency><groupId>g</groupId><artifactId>exact</artifactId><version>[1]</version></dependency>"
        "<dependency><groupId>g</groupId><artifactId>latest</artifactId><version>LATEST</version></dependency>"
        "</dependencies>"
        "<build><pluginManagement><plugins><plugin><artifactId>managed</artifactId><version>1</version></plugin>"
        "</plugins></pluginManagement><plugins>"
        "<plugin><artifactId>maven-x-plugin</artifactId></plugin>"
        "<plugin><artifactId>managed</artifactId></plugin>"
        "<plugin><groupId>p</groupId><artifactId>q</artifactId><version>RELEASE</version><dependencies>"
        "<dependency><groupId>g</groupId><artifactId>d</artifactId><version>1-SNAPSHOT</version></dependency>"
        "</dependencies></plugin></plugins></build>"
    )
    assert set(found.observations) == {
        "dependency g:range has a range of versions: [1,2)",
        "dependency g:latest has the version LATEST",
        "plugin org.apache.maven.plugins:maven-x-plugin has no version",
        "plugin p:q has the version RELEASE",
        "dependency g:d of plugin p:q is a snapshot: 1-SNAPSHOT",
        "repository old is read by plain HTTP",
    }


def test_a_plugin_without_version_may_have_it_from_the_parent() -> None:
    parent = "<parent><groupId>g</groupId><artifactId>above</artifactId><version>7</version></parent>"
    plugins = "<build><plugins><plugin><artifactId>x</artifactId></plugin></plugins></build>"
    assert pom(parent + plugins).observations == ()
    assert "parent g:above has a range of versions: [1,2]" in pom(parent.replace(">7<", ">[1,2]<")).observations


def test_an_output_timestamp_is_a_property() -> None:
    inside = (
        "<properties><project.build.outputTimestamp>2024-01-01T00:00:00Z</project.build.outputTimestamp></properties>"
    )
    assert "project.build.outputTimestamp" in pom(inside).properties


def test_entities_of_html_as_maven_reads_them() -> None:
    found = pom("<description>J&oslash;rgen &amp; &lt;co&gt;\n  lines</description>")
    assert found.description == "Jørgen & <co> lines"


@pytest.mark.parametrize("encoding", ["utf-8", "utf-16", "iso-8859-1", "windows-1252"])
def test_encodings(encoding: str) -> None:
    text = f'<?xml version="1.0" encoding="{encoding}"?><project>{HEAD}<description>é</description></project>'
    assert read_pom(text.encode(encoding), "pom.xml").description == "é"


@pytest.mark.parametrize(
    ("name", "url", "expected"),
    [
        ("Apache-2.0", "", "Apache-2.0"),
        ("The Apache Software License, Version 2.0", "", "Apache-2.0"),
        ("Apache License, Version 2.0", "https://www.apache.org/licenses/LICENSE-2.0.txt", "Apache-2.0"),
        ("Apache 2", "", "Apache-2.0"),
        ("Apache License", "http://www.apache.org/licenses/LICENSE-2.0.html", "Apache-2.0"),
        ("MIT License", "", "MIT"),
        ("The MIT License (MIT)", "", "MIT"),
        ("Eclipse Public License - v 1.0", "", "EPL-1.0"),
        ("Eclipse Public License v2.0", "", "EPL-2.0"),
        ("BSD 3-Clause", "", "BSD-3-Clause"),
        ('BSD 3-Clause "New" or "Revised" License', "", "BSD-3-Clause"),
        ("Mozilla Public License, Version 2.0", "", "MPL-2.0"),
        ("CC0", "", "CC0-1.0"),
        ("BSD", "", "BSD"),
        ("BSD License", "https://opensource.org/licenses/bsd-license.php", "BSD License"),
        ("GNU Lesser General Public License", "", "GNU Lesser General Public License"),
        ("LGPL-2.1-or-later", "", "LGPL-2.1-or-later"),
        ("", "https://opensource.org/licenses/MIT", "MIT"),
        ("", "https://example.org/terms", "https://example.org/terms"),
        ("", "", ""),
    ],
)
def test_licences_are_named_only_where_there_is_no_doubt(name: str, url: str, expected: str) -> None:
    assert spdx_or_text(name, url) == expected


def test_several_licences_each_once() -> None:
    inside = "".join(f"<license><name>{name}</name></license>" for name in ("MIT", "The MIT License", "EPL 2.0", "Own"))
    assert pom(f"<licenses>{inside}</licenses>").licenses == ("MIT", "EPL-2.0", "Own")


@pytest.mark.parametrize(
    ("data", "reason"),
    [
        (b"", "no readable XML"),
        (b"<project>", "no readable XML"),
        (b"PK\x03\x04", "no readable XML"),
        (b'<?xml version="1.0" encoding="no-such"?><project/>', "no readable XML"),
        (b"<html/>", "its root is <html>"),
        (b"<project/>", "no groupId and no artifactId and no version"),
        (b"<project><groupId>g</groupId><version>1</version></project>", "no artifactId"),
    ],
)
def test_what_is_no_pom_is_refused_by_the_class_that_the_caller_wants(data: bytes, reason: str) -> None:
    with pytest.raises(SourceUnsafeError, match=reason):
        read_pom(data, "x.pom")
    with pytest.raises(GuardError, match=r"^x\.pom"):
        read_pom(data, "x.pom", GuardError)


@settings(max_examples=200, deadline=None)
@given(st.binary(max_size=300) | st.text(max_size=300).map(lambda t: f"<project>{HEAD}{t}</project>".encode()))
def test_any_bytes_are_a_pom_or_an_error(data: bytes) -> None:
    try:
        found = read_pom(data, "x")
    except FarmError:
        return
    assert found.artifact
    assert all("\n" not in note for note in found.observations)


names = st.sampled_from(["a", "b", "c", "revision", "project.version"])


@settings(max_examples=100, deadline=None)
@given(st.dictionaries(names, st.lists(names | st.just(""), max_size=4)))
def test_properties_of_each_other_always_end(properties: dict[str, list[str]]) -> None:
    inside = "".join(
        f"<{name}>{''.join('${' + p + '}' for p in parts if p)}x</{name}>" for name, parts in properties.items()
    )
    found = pom(f"<properties>{inside}</properties><packaging>${{a}}${{b}}</packaging>")
    assert len(found.packaging) <= 4096
