from __future__ import annotations

import re
from pathlib import Path

import pytest
from hypothesis import given
from hypothesis import strategies as st
from packageurl.contrib.purl2url import DEFAULT_MAVEN_REPOSITORY

from farm.config import Settings, load_settings
from farm.ecosystems.maven.mirrors import Repository, matches
from farm.ecosystems.maven.settings import MavenSettings, parse
from farm.ecosystems.maven.upstreams import Proxy, Upstream, configured_upstreams, own_upstream, upstream_at
from farm.errors import ConfigError

MIRROR = "<mirror><id>corp</id><url>https://maven.corp.test/all/</url><mirrorOf>{}</mirrorOf></mirror>"


def upstreams(tmp_path: Path, user: str, installed: str = "", **env: str) -> tuple[Upstream, ...]:
    (tmp_path / ".m2").mkdir(exist_ok=True)
    (tmp_path / "maven" / "conf").mkdir(parents=True, exist_ok=True)
    space = 'xmlns="http://maven.apache.org/SETTINGS/1.2.0"'
    (tmp_path / ".m2" / "settings.xml").write_text(f"<settings {space}>{user}</settings>")
    (tmp_path / "maven" / "conf" / "settings.xml").write_text(f"<settings>{installed}</settings>")
    return configured_upstreams(
        Settings(), {"HOME": str(tmp_path), "MAVEN_HOME": str(tmp_path / "maven"), "PATH": "", **env}
    )


def test_without_configuration_it_is_the_public_default(tmp_path: Path) -> None:
    found = configured_upstreams(Settings(), {"HOME": str(tmp_path), "PATH": ""})
    assert [(u.id, u.url, u.origin, u.proxy) for u in found] == [("central", DEFAULT_MAVEN_REPOSITORY, "index", None)]


def test_a_mirror_with_credentials_and_proxy_and_variables(tmp_path: Path) -> None:
    user = f"""
    <mirrors>{MIRROR.format("*")}</mirrors>
    <servers><server><id>corp</id><username>ann</username><password>${{env.SECRET}}</password>
      <configuration><httpHeaders><property><name>Private-Token</name><value>${{env.SECRET}}2</value></property>
      </httpHeaders></configuration></server></servers>
    <proxies><proxy><id>off</id><active>false</active><host>no.test</host></proxy>
      <proxy><id>p</id><host>proxy.test</host><port>3128</port><username>px</username><password>py</password>
      <nonProxyHosts>*.other.test|localhost</nonProxyHosts></proxy></proxies>"""
    (found,) = upstreams(tmp_path, user, SECRET="hush")
    assert (found.id, found.url) == ("corp", "https://maven.corp.test/all")
    assert (found.credentials.username, found.credentials.password) == ("ann", "hush")
    assert found.credentials.headers == (("Private-Token", "hush2"),)
    assert isinstance(found.proxy, Proxy)
    assert found.proxy.url == "http://proxy.test:3128"
    assert found.proxy.credentials.password == "py"
    assert not re.search("hush|ann|px|py", repr(found))


def test_hosts_that_no_proxy_stands_before(tmp_path: Path) -> None:
    proxy = "<proxies><proxy><host>p.test</host><nonProxyHosts>*.corp.test|x</nonProxyHosts></proxy></proxies>"
    (found,) = upstreams(tmp_path, f"<mirrors>{MIRROR.format('central')}</mirrors>{proxy}")
    assert found.proxy is None


def test_the_users_file_counts_before_the_installations(tmp_path: Path) -> None:
    other = MIRROR.replace("maven.corp", "old.corp").format("*")
    (found,) = upstreams(tmp_path, f"<mirrors>{MIRROR.format('*')}</mirrors>", f"<mirrors>{other}</mirrors>")
    assert found.url == "https://maven.corp.test/all"
    (found,) = upstreams(tmp_path, "", f"<mirrors>{other}</mirrors>")
    assert found.url == "https://old.corp.test/all"


def test_active_profiles_come_first_and_snapshots_alone_are_left_out(tmp_path: Path) -> None:
    def profile(name: str, more: str = "", releases: str = "true") -> str:
        return (
            f"<profile><id>{name}</id>{more}<repositories><repository><id>r-{name}</id>"
            f"<url>https://{name}.test/</url><releases><enabled>{releases}</enabled></releases></repository>"
            f"</repositories><pluginRepositories><pluginRepository><id>p-{name}</id><url>https://{name}.test/p</url>"
            f"</pluginRepository></pluginRepositories></profile>"
        )

    default = "<activation><activeByDefault>true</activeByDefault></activation>"
    user = f"""<profiles>{profile("a", default)}{profile("b")}{profile("c", releases="false")}</profiles>
    <activeProfiles><activeProfile>c</activeProfile></activeProfiles>
    <mirrors>{MIRROR.format("r-a")}</mirrors>"""
    assert [u.id for u in upstreams(tmp_path, user)] == ["corp", "p-a", "p-c", "central"]


@pytest.mark.parametrize(
    ("pattern", "id_", "url", "expected"),
    [
        ("*", "central", "https://x.test", True),
        ("central", "central", "https://x.test", True),
        ("a, central", "central", "https://x.test", True),
        ("*,!central", "central", "https://x.test", False),
        ("!central,*", "central", "https://x.test", False),
        ("*,!other", "central", "https://x.test", True),
        ("external:*", "central", "https://x.test", True),
        ("external:*", "local", "http://localhost:1/x", False),
        ("external:*", "local", "file:///x", False),
        ("external:http:*", "central", "https://x.test", False),
        ("external:http:*", "central", "http://x.test", True),
        ("centra", "central", "https://x.test", False),
    ],
)
def test_patterns(pattern: str, id_: str, url: str, expected: bool) -> None:  # noqa: FBT001 - a table
    assert matches(pattern, Repository(id_, url)) is expected


BLOCKER = MIRROR.format("external:http:*").replace("</mirror>", "<blocked>true</blocked></mirror>")
HTTP_ONLY = (
    "<profiles><profile><id>p</id><repositories><repository><id>old</id><url>http://old.test</url></repository>"
    "</repositories></profile></profiles><activeProfiles><activeProfile>p</activeProfile></activeProfiles>"
)
ENCRYPTED = "<servers><server><id>corp</id><password>{jSMOWnoPFgsHVpMvz5VrIt5kRbzGpI8u+9EF1iFQyJQ=}</password></server>"


@pytest.mark.parametrize(
    ("user", "words"),
    [
        (f"<mirrors>{MIRROR.format('*')}</mirrors>{ENCRYPTED}</servers>", "encrypted password for server 'corp'"),
        (
            f"<mirrors>{MIRROR.format('*')}</mirrors>{ENCRYPTED}</servers>".replace("{jSMO", "${env.UNSET}{"),
            "encrypted",
        ),
        (f"<mirrors>{MIRROR.format('*').replace('corp.test', '${env.UNSET}')}</mirrors>", r"\$\{env\.UNSET\}"),
        (f"<mirrors>{BLOCKER}</mirrors>{HTTP_ONLY}", "block the repository 'old'"),
        (HTTP_ONLY, "'old' is reached over http"),
        (f"<mirrors>{MIRROR.format('*').replace('https:', 'file:')}</mirrors>", "not a plain http"),
        ("<mirrors><mirror><id>x</id><mirrorOf>*</mirrorOf></mirror></mirrors>", "<mirror> without <url>"),
        ("<proxies><proxy><host>h</host><port>x</port></proxy></proxies>", "<port> of a proxy is 'x'"),
        ("<proxies>", "mismatched tag"),
    ],
)
def test_what_cannot_be_followed_is_an_error(tmp_path: Path, user: str, words: str) -> None:
    with pytest.raises(ConfigError, match=words) as caught:
        upstreams(tmp_path, user)
    assert "jSMOW" not in caught.value.message


def test_credentials_of_servers_that_are_not_asked_do_not_matter(tmp_path: Path) -> None:
    user = f"<mirrors>{MIRROR.format('*')}</mirrors>{ENCRYPTED.replace('corp', 'deploy')}</servers>"
    assert [u.id for u in upstreams(tmp_path, user)] == ["corp"]


@pytest.mark.parametrize(
    "text",
    [
        b'<!DOCTYPE settings [<!ENTITY a "b">]><settings/>',
        b'<!DOCTYPE settings SYSTEM "file:///etc/passwd"><settings/>',
        b"<project/>",
        b"\xff\xfe<",
        b'<?xml version="1.0" encoding="no-such"?><settings/>',
        b"",
        b"<settings>" + b" " * 1024 * 1024 + b"</settings>",
    ],
)
def test_other_documents_are_refused(text: bytes) -> None:
    with pytest.raises(ConfigError, match=r"the Maven settings settings\.xml cannot be used"):
        parse(text, Path("settings.xml"), {})


@given(st.binary(max_size=200))
def test_any_bytes_are_settings_or_an_error(text: bytes) -> None:
    try:
        assert isinstance(parse(text, Path("settings.xml"), {}), MavenSettings)
    except ConfigError:
        return


def test_farms_own_settings_stand_before_mavens(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.chdir(tmp_path)
    monkeypatch.delenv("FARM_CONFIG", raising=False)
    (tmp_path / "farm.toml").write_text('maven_settings = "conf/m.xml"\n')
    (tmp_path / "conf").mkdir()
    (tmp_path / "conf" / "m.xml").write_text(f"<settings><mirrors>{MIRROR.format('*')}</mirrors></settings>")
    assert [u.id for u in configured_upstreams(load_settings(), {"PATH": ""})] == ["corp"]
    (tmp_path / "conf" / "m.xml").unlink()
    with pytest.raises(ConfigError, match=r"m\.xml are not a file"):
        configured_upstreams(load_settings(), {"PATH": ""})
    (found,) = configured_upstreams(load_settings(maven_repository="https://u:p%40@maven.corp.test/x/"), {"PATH": ""})
    assert (found.url, found.credentials.password) == ("https://maven.corp.test/x", "p@")
    assert "p@" not in repr(found)


def test_the_origin_is_not_read_from_the_id() -> None:
    assert upstream_at("farm", "https://x.test").origin == "index"
    assert own_upstream("http://127.0.0.1:1/maven", {}).origin == "farm"
    with pytest.raises(ConfigError, match="not a plain http"):
        own_upstream("ftp://x.test", {})
