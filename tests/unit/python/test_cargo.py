from __future__ import annotations

import json
from typing import TYPE_CHECKING

import pytest

from farm.config import Settings
from farm.ecosystems.python.basis import basis, check
from farm.ecosystems.python.cargo.lockfile import Crate, read_cargo_lock
from farm.ecosystems.python.cargo.registry import CrateClient, crate_url, download_template
from farm.ecosystems.python.environment import build_environment, commands
from farm.errors import ConfigError, InputMissingError, InputUnavailableError
from farm.model.lock import Lock, LockedFile
from farm.model.plan import BuildPlan, BuildSpec
from farm.recipe.load import read_text
from tests.fixtures_cargo import library, package, registry, sha256
from tests.fixtures_python import plan_of, serving

from .test_plan_side import IMAGE, SNAPSHOT

if TYPE_CHECKING:
    from pathlib import Path

ITOA = Crate("itoa", "1.0.1", "a" * 64)


def plan(*folders: str) -> BuildPlan:
    return plan_of("sample", "1.0", build=BuildSpec(image="python311", options={"cargo": list(folders)}))


@pytest.mark.parametrize("version", ["", "version = 3\n", "version = 4\n"])
def test_a_lock_names_the_crates_and_leaves_out_what_the_source_holds(version: str) -> None:
    text = version + "".join(
        [
            package("ryu", "1.0.5", checksum="b" * 64),
            package("sample", "0.1.0", source=""),
            package("itoa", "1.0.1", checksum="a" * 64),
            package("itoa", "0.4.8+x", checksum="c" * 64),
        ]
    )
    found = read_cargo_lock(text.encode(), "Cargo.lock")
    assert found == (Crate("itoa", "0.4.8+x", "c" * 64), ITOA, Crate("ryu", "1.0.5", "b" * 64))
    assert [crate.filename for crate in found] == ["itoa-0.4.8+x.crate", "itoa-1.0.1.crate", "ryu-1.0.5.crate"]
    assert [crate.purl for crate in found[:2]] == ["pkg:cargo/itoa@0.4.8%2Bx", "pkg:cargo/itoa@1.0.1"]
    assert read_cargo_lock(version.encode(), "Cargo.lock") == ()


@pytest.mark.parametrize(
    ("template", "expected"),
    [
        ("https://r.example.test/crates/", "https://r.example.test/crates/itoa/1.0.1/download"),
        ("https://r.example.test/{prefix}/{crate}-{version}", "https://r.example.test/it/oa/itoa-1.0.1"),
        ("https://r.example.test/{sha256-checksum}", f"https://r.example.test/{'a' * 64}"),
    ],
)
def test_the_address_of_a_crate(template: str, expected: str) -> None:
    assert crate_url(template, ITOA) == expected


@pytest.mark.parametrize(("name", "prefix"), [("A", "1"), ("ab", "2"), ("Abc", "3/A"), ("Abcd", "Ab/cd")])
def test_the_folders_of_short_names(name: str, prefix: str) -> None:
    crate = Crate(name, "1.0.0", "a" * 64)
    assert crate_url("{prefix} {lowerprefix}", crate) == f"{prefix} {prefix.lower()}"


def test_the_setting_wins(tmp_path: Path) -> None:
    settings = Settings(data=tmp_path, cargo_registry="https://r.example.test/dl")
    assert download_template(settings, {}) == "https://r.example.test/dl"


@pytest.mark.parametrize(
    "written",
    [
        '[source.crates-io]\nreplace-with = "own"\n[source.own]\nregistry = "sparse+{0}"\n',
        '[source.crates-io]\nreplace-with = "own"\n[registries.own]\nindex = "sparse+{0}/"\n',
        '[source.crates-io]\nreplace-with = "a"\n[source.a]\nreplace-with = "b"\n[source.b]\nregistry = "sparse+{0}"',
    ],
)
def test_the_registry_that_cargo_is_configured_with(written: str, tmp_path: Path) -> None:
    with serving() as double:
        double.projects["x"] = {"config.json": json.dumps({"dl": "https://r.example.test/{crate}"}).encode()}
        text = written.format(f"http://127.0.0.1:{double.port}/files")
        (tmp_path / "config.toml").write_text(text)
        assert download_template(Settings(data=tmp_path), {"CARGO_HOME": str(tmp_path)}) == (
            "https://r.example.test/{crate}"
        )


@pytest.mark.parametrize(
    ("written", "why"),
    [
        ('[source.crates-io]\nreplace-with = "a"\n[source.a]\nreplace-with = "crates-io"\n', "circles"),
        ('[source.crates-io]\nreplace-with = "a"\n[source.a]\ndirectory = "/x"\n', "no sparse registry"),
        ('[source.crates-io]\nreplace-with = "a"\n[source.a]\nregistry = "https://h.example.test/x"\n', "no sparse"),
        ("[source", "config.toml"),
    ],
)
def test_a_configuration_that_leads_nowhere(written: str, why: str, tmp_path: Path) -> None:
    (tmp_path / "config.toml").write_text(written)
    with pytest.raises(ConfigError, match=why):
        download_template(Settings(data=tmp_path), {"CARGO_HOME": str(tmp_path)})


@pytest.mark.parametrize("body", [b"{", b"[]", b'{"dl": 3}', b'{"dl": "file:///x"}', b"{}"])
def test_a_registry_that_says_nothing_of_use(body: bytes, tmp_path: Path) -> None:
    with serving() as double:
        double.projects["x"] = {"config.json": body}
        text = '[source.crates-io]\nreplace-with = "own"\n[source.own]\nregistry = "sparse+{0}"\n'
        (tmp_path / "config.toml").write_text(text.format(f"http://127.0.0.1:{double.port}/files"))
        with pytest.raises(InputUnavailableError, match="the configuration of the crate registry"):
            download_template(Settings(data=tmp_path), {"CARGO_HOME": str(tmp_path)})


def test_a_crate_is_fetched_by_name_version_and_digest(tmp_path: Path) -> None:
    data = library()
    with registry({"answer-1.2.0.crate": data}) as (_, template):
        settings = Settings(data=tmp_path, cargo_registry=template)
        with CrateClient(settings) as client:
            found = client.download(Crate("answer", "1.2.0", sha256(data)), tmp_path / "c", size=len(data))
            assert ((tmp_path / "c").read_bytes(), found.size) == (data, len(data))
            with pytest.raises(InputMissingError):
                client.download(Crate("answer", "1.3.0", sha256(data)), tmp_path / "d")


def test_a_build_with_crates_has_a_cargo_home_and_no_paths_of_it() -> None:
    env = build_environment(plan("src/native"), SNAPSHOT)
    assert env["CARGO_HOME"] == "/work/cargo"
    assert env["RUSTFLAGS"].endswith("--remap-path-prefix=/work/cargo=cargo")
    assert commands(plan("src/native"))[-2][-1:] == ("/src/src/native/Cargo.lock",)
    assert "/src/Cargo.lock" in commands(plan("."))[-2]


def test_a_build_without_crates_is_what_it_was() -> None:
    assert "CARGO_HOME" not in build_environment(plan(), SNAPSHOT)
    assert "cargo" not in build_environment(plan(), SNAPSHOT)["RUSTFLAGS"]
    assert len(commands(plan("."))) == len(commands(plan())) + 1


def test_the_lock_knows_which_folders_were_meant() -> None:
    crate = LockedFile(
        filename=ITOA.filename,
        name=ITOA.name,
        version=ITOA.version,
        sha256=ITOA.sha256,
        size=1,
        origin="index",
        roles=("build",),
        purl=ITOA.purl,
    )
    lock = Lock(
        package="python/sample@1.0",
        target="cp311-linux-amd64",
        image="python311",
        basis=basis(plan("a"), SNAPSHOT, {}),
        requirements={},
        files=(crate,),
    )
    check(plan("a"), SNAPSHOT, IMAGE, lock)
    for other in (plan("b"), plan()):
        with pytest.raises(Exception, match="options"):
            check(other, SNAPSHOT, IMAGE, lock)
    without = BuildSpec(image="python311")
    assert basis(plan(), SNAPSHOT, {}) != basis(plan("a"), SNAPSHOT, {})
    assert basis(plan_of("sample", "1.0", build=without), SNAPSHOT, {}) != basis(plan("a"), SNAPSHOT, {})


def test_folders_of_a_recipe_lie_in_the_source() -> None:
    text = "schema: 1\necosystem: python\nname: s\nbuild: {image: i, options: {cargo: [../x]}}\n"
    text += f"source: {{git: 'https://h.example.test/x'}}\nversions: {{'1': {{commit: {'a' * 40}}}}}\n"
    assert "'../x' is no folder below the source" in str(read_text(text, "recipe.yaml").problems[0])
