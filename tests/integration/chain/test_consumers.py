"""What consumers do with stock pip, uv, sigstore and PEP 740 tools, and with `farm verify`.

None of them is told more than the address of the index and the trust configuration.
"""

from __future__ import annotations

import json
import shutil
from hashlib import sha256
from typing import TYPE_CHECKING, Any

import httpx
import pytest
from pypi_attestations import Attestation
from sigstore.errors import VerificationError as SigstoreError
from sigstore.models import ClientTrustConfig
from sigstore.verify import Verifier
from sigstore.verify.policy import Identity

from farm.errors import VerificationError
from farm.trust.identity import expected_identity

from .homes import BIN, FARM, JSON_PAGE, consumer_environment, flip, get, run

if TYPE_CHECKING:
    from pathlib import Path

    from .homes import Done, FarmHome

pytestmark = [pytest.mark.docker, pytest.mark.services]

NATIVE = "python/markupsafe@3.0.2"
SIDECARS = (".sigstore.json", ".provenance.sigstore.json", ".cdx.json", ".spdx.json")


@pytest.fixture(scope="module")
def built(home_a: FarmHome) -> dict[str, Any]:
    """The native package and a pure one, published; the outcome of the first."""
    home_a.build("python/click").ok()
    outcome: dict[str, Any] = home_a.build(NATIVE).ok().data
    return outcome


@pytest.fixture(scope="module")
def filename(built: dict[str, Any]) -> str:
    name: str = built["files"][0]["filename"]
    return name


@pytest.fixture(scope="module")
def downloaded(home_a: FarmHome, filename: str, tmp_path_factory: pytest.TempPathFactory) -> Path:
    """The native wheel as stock pip downloads it, with what `farm verify` puts beside it from the index."""
    folder = tmp_path_factory.mktemp("downloaded")
    wanted = ("--no-deps", "--only-binary", ":all:", "--python-version", "3.11", "--abi", "cp311")
    platform = ("--platform", "manylinux2014_x86_64", "--dest", folder)
    pip(home_a, folder, "download", *wanted, *platform, "markupsafe==3.0.2").ok()
    home_a.farm("verify", folder / filename, "--index", home_a.simple).ok()
    return folder


@pytest.fixture
def wheel(downloaded: Path, filename: str, tmp_path: Path) -> Path:
    """A copy of the downloaded wheel and what lies beside it, for one test."""
    for suffix in ("", *SIDECARS):
        shutil.copy(downloaded / f"{filename}{suffix}", tmp_path)
    return tmp_path / filename


def pip(home: FarmHome, folder: Path, command: str, *arguments: str | Path, python: Path = BIN / "python") -> Done:
    """Run stock pip, for the environment of `python`, with farm's index and nothing else."""
    argv = [BIN / "pip", "--isolated", "--no-cache-dir", "--disable-pip-version-check", "--python", python]
    return run([*argv, command, "--index-url", home.simple, *arguments], env=consumer_environment(folder), cwd=folder)


def venv(folder: Path) -> Path:
    """Make a virtual environment without anything in it; return its Python."""
    run([BIN / "uv", "venv", "--quiet", "--offline", "--python", BIN / "python", folder / "venv"],
        env=consumer_environment(folder)).ok()  # fmt: skip
    return folder / "venv" / "bin" / "python"


def entry_of(home: FarmHome, project: str, filename: str) -> dict[str, Any]:
    page = home.page(project)
    assert page is not None
    (entry,) = [entry for entry in page["files"] if entry["filename"] == filename]
    found: dict[str, Any] = entry
    return found


def test_pip_download_gives_the_bytes_that_were_built(wheel: Path, built: dict[str, Any]) -> None:
    assert sha256(wheel.read_bytes()).hexdigest() == built["files"][0]["blob"]["sha256"]


@pytest.mark.usefixtures("built")
def test_pip_installs_into_a_new_environment(home_a: FarmHome, tmp_path: Path) -> None:
    python = venv(tmp_path)
    report = tmp_path / "report.json"
    pip(home_a, tmp_path, "install", "--report", report, "click", python=python).ok()
    (installed,) = json.loads(report.read_text(encoding="utf-8"))["install"]
    assert installed["download_info"]["url"].startswith(home_a.url("index"))
    done = run([python, "-c", "import click; print(click.__file__)"], cwd=tmp_path).ok()
    assert str(tmp_path) in done.out


def test_uv_installs(home_a: FarmHome, built: dict[str, Any], tmp_path: Path) -> None:
    env = consumer_environment(tmp_path)
    command = [BIN / "uv", "pip", "install", "--no-cache", "--no-config", "--default-index", home_a.simple]
    run([*command, "--python", venv(tmp_path), "click"], env=env, cwd=tmp_path).ok()
    # The digest is asked for, so that uv refuses anything else.
    (tmp_path / "wanted.txt").write_text(f"markupsafe==3.0.2 --hash=sha256:{built['files'][0]['blob']['sha256']}\n")
    target = ["--python-version", "3.11", "--python-platform", "x86_64-manylinux_2_36", "--target", tmp_path / "there"]
    run([*command, *target, "--require-hashes", "-r", tmp_path / "wanted.txt"], env=env, cwd=tmp_path).ok()
    assert list((tmp_path / "there" / "markupsafe").glob("_speedups.*.so"))


# --- farm verify -----------------------------------------------------------------------------------------------------


def without_network() -> list[str]:
    """Return what takes the network away from a command where this host permits it."""
    unshare = shutil.which("unshare") or "unshare"
    for options in (["-n"], ["-r", "-n"]):
        if shutil.which("unshare") and run([unshare, *options, "true"]).code == 0:
            return [unshare, *options]
    return []


def test_farm_verifies_without_network(home_a: FarmHome, wheel: Path, built: dict[str, Any], tmp_path: Path) -> None:
    (verdict,) = home_a.farm("verify", wheel, "--json", prefix=without_network()).ok().data["files"]
    assert verdict["verified"] is True
    assert verdict["facts"]["package"] == "markupsafe"
    assert verdict["facts"]["builder_id"] == built["builder_id"]
    assert verdict["facts"]["source_sha256"] == built["source_uri"].rpartition(":")[2] or verdict["facts"]["source_uri"]

    # Another host knows the trust configuration only, as the index hands it out.
    trust = tmp_path / "trust.json"
    trust.write_bytes(get(f"{home_a.url('index')}/trust/trust_config.json").raise_for_status().content)
    elsewhere = tmp_path / "elsewhere"
    elsewhere.mkdir()
    done = run([*without_network(), FARM, "verify", wheel, "--trust-config", trust],
               env=consumer_environment(elsewhere), cwd=elsewhere).ok()  # fmt: skip
    assert "verified" in done.out
    assert "SLSA Build L1" in done.out


def test_farm_refuses_what_is_not_whole(home_a: FarmHome, home_b: FarmHome, wheel: Path) -> None:
    strict = VerificationError.exit_code
    assert home_a.farm("verify", wheel, "--identity", "https://farm.internal/builders/other/v1").code == strict
    assert home_b.farm("verify", wheel).code == strict
    flip(wheel)
    (verdict,) = (done := home_a.farm("verify", wheel, "--json")).data["files"]
    assert (done.code, verdict["verified"], verdict["facts"]) == (strict, False, None)


# --- stock Sigstore and PEP 740 --------------------------------------------------------------------------------------


def sigstore(home: FarmHome, file: Path, bundle: Path, **change: str) -> Done:
    """Verify with the stock command."""
    expected = expected_identity(home.runtime.settings)
    wanted = {"cert-identity": expected.builder, "cert-oidc-issuer": expected.issuer} | change
    argv = [BIN / "sigstore", "--trust-config", home.trust_config, "verify", "identity", "--offline"]
    argv += ["--bundle", bundle, *(word for key, value in wanted.items() for word in (f"--{key}", value)), file]
    return run(argv, env=consumer_environment(file.parent))


def test_the_stock_sigstore_command_verifies_both_bundles(home_a: FarmHome, wheel: Path) -> None:
    bundles = [wheel.with_name(wheel.name + suffix) for suffix in SIDECARS[:2]]
    for bundle in bundles:
        sigstore(home_a, wheel, bundle).ok()
    other = {"cert-identity": "https://farm.internal/builders/other/v1"}
    assert sigstore(home_a, wheel, bundles[0], **other).code != 0
    flip(wheel)
    for bundle in bundles:
        assert sigstore(home_a, wheel, bundle).code != 0


def test_the_provenance_that_the_index_names_is_an_attestation(home_a: FarmHome, wheel: Path) -> None:
    address = entry_of(home_a, "markupsafe", wheel.name)["provenance"]
    assert httpx.URL(address).is_absolute_url
    provenance = get(address).raise_for_status().json()
    assert provenance["version"] == 1
    (bundle,) = provenance["attestation_bundles"]
    (stated,) = bundle["attestations"]
    attestation = Attestation.model_validate_json(json.dumps(stated)).to_bundle()

    trust = ClientTrustConfig.from_json(home_a.trust_config.read_text(encoding="utf-8"))
    verifier = Verifier(trusted_root=trust.trusted_root)
    publisher = bundle["publisher"]
    policy = Identity(identity=publisher["builder"], issuer=publisher["issuer"])
    kind, payload = verifier.verify_dsse(attestation, policy)
    assert kind == "application/vnd.in-toto+json"
    statement = json.loads(payload)
    digest = sha256(wheel.read_bytes()).hexdigest()
    assert statement["subject"] == [{"name": wheel.name, "digest": {"sha256": digest}}]
    assert statement["predicateType"] == "https://slsa.dev/provenance/v1"
    with pytest.raises(SigstoreError):
        verifier.verify_dsse(attestation, Identity(identity="https://farm.internal/else", issuer=publisher["issuer"]))


def test_the_provenance_names_every_input(home_a: FarmHome, wheel: Path, built: dict[str, Any]) -> None:
    stated = get(entry_of(home_a, "markupsafe", wheel.name)["provenance"]).json()
    attestation = Attestation.model_validate_json(json.dumps(stated["attestation_bundles"][0]["attestations"][0]))
    predicate = attestation.statement["predicate"]
    named = {item["digest"].get("sha256") for item in predicate["buildDefinition"]["resolvedDependencies"]}
    assert {file["sha256"] for file in built["inputs"]} <= named
    assert built["image_digest"] in json.dumps(predicate)
    assert predicate["runDetails"]["metadata"]["invocationId"] == f"urn:uuid:{built['run_id']}"
    assert str(home_a.folder) not in json.dumps(predicate)


# --- the pages -------------------------------------------------------------------------------------------------------


def test_the_json_page_has_what_clients_ask_for(home_a: FarmHome, wheel: Path) -> None:
    page = home_a.page("MarkupSafe".lower())
    assert page is not None
    assert page["meta"]["api-version"] == "1.4"
    assert "3.0.2" in page["versions"]
    entry = entry_of(home_a, "markupsafe", wheel.name)
    assert entry["size"] == wheel.stat().st_size
    assert entry["hashes"] == {"sha256": sha256(wheel.read_bytes()).hexdigest()}
    assert entry["upload-time"].endswith("Z")
    assert entry["requires-python"]
    address = httpx.URL(f"{home_a.simple}markupsafe/").join(entry["url"])
    metadata = get(f"{address}.metadata").raise_for_status().content
    assert entry["core-metadata"] == {"sha256": sha256(metadata).hexdigest()}
    assert b"Name: MarkupSafe" in metadata


def test_pages_come_as_html_and_files_in_parts(home_a: FarmHome, wheel: Path) -> None:
    html = get(f"{home_a.simple}markupsafe/", accept="text/html")
    assert html.headers["content-type"].startswith("text/html")
    assert f"#sha256={sha256(wheel.read_bytes()).hexdigest()}" in html.text
    both = get(f"{home_a.simple}markupsafe/", accept=f"{JSON_PAGE}, text/html;q=0.1")
    assert both.headers["content-type"].startswith(JSON_PAGE)
    address = httpx.URL(f"{home_a.simple}markupsafe/").join(entry_of(home_a, "markupsafe", wheel.name)["url"])
    with httpx.Client(trust_env=False) as client:
        part = client.get(address, headers={"Range": "bytes=10-19"})
    assert (part.status_code, part.content) == (206, wheel.read_bytes()[10:20])
