"""The JDK images on the real engine: made when missing, then used in the sandbox as a build uses them."""

from __future__ import annotations

import json
import re
from pathlib import Path
from typing import TYPE_CHECKING

import pytest

from farm.config import Settings, load_settings
from farm.errors import ImageBuildError
from farm.image.builder import ensure_image, find_image
from farm.image.debian import debian_release, host_sources
from farm.model.plan import Limits
from farm.sandbox.base import SandboxRequest, Step
from farm.sandbox.docker import DockerSandbox

if TYPE_CHECKING:
    from farm.model.build import ImageIdentity

pytestmark = [pytest.mark.docker, pytest.mark.timeout(1800)]

ROOT = Path(__file__).parents[3]
RELEASE = debian_release()
JDKS = ("jdk17", "jdk21")
HELLO = """
import java.security.KeyStore;
import javax.net.ssl.SSLContext;
public class Hello {
    public static void main(String[] words) throws Exception {
        SSLContext.getDefault();
        System.out.println("hello from " + Runtime.version().feature() + " in " + System.getProperty("java.home"));
    }
}
"""
LOOK = """
import pathlib, subprocess
for argv in (["git", "--version"], ["zip", "-v"], ["unzip", "-v"], ["/bin/sh", "-c", "true"]):
    subprocess.run(argv, check=True, stdout=subprocess.DEVNULL)
print("ARCHIVES", [p.name for p in pathlib.Path("/usr/lib/jvm").rglob("*.jsa")])
print("MAVEN", [p.name for p in pathlib.Path("/usr/share").glob("maven*")])
print("TOOLS", pathlib.Path("/opt/farm-tools").exists())
print("OWN", sorted(p.name for p in pathlib.Path("/opt/farm-image").iterdir()))
"""


@pytest.fixture(scope="module")
def settings(tmp_path_factory: pytest.TempPathFactory) -> Settings:
    return load_settings(data=tmp_path_factory.mktemp("data"), images=ROOT / "images")


@pytest.fixture(scope="module", params=JDKS)
def image(settings: Settings, request: pytest.FixtureRequest) -> ImageIdentity:
    return ensure_image(settings, request.param).identity


def ask(settings: Settings, image: ImageIdentity, tmp_path: Path, *steps: tuple[str, ...]) -> str:
    (tmp_path / "out").mkdir()
    request = SandboxRequest(
        image_id=image.image_id, label="image", steps=tuple(Step(argv[0], argv) for argv in steps), limits=Limits(),
        output=tmp_path / "out", log=tmp_path / "log", env={"JAVA_HOME": "/opt/jdk"},
    )  # fmt: skip
    result = DockerSandbox(settings).run(request)
    assert result.exit_code == 0, result.log_tail
    return (tmp_path / "log").read_text()


def test_the_jdk_compiles_and_runs_in_the_sandbox(settings: Settings, image: ImageIdentity, tmp_path: Path) -> None:
    write = f"import pathlib; pathlib.Path('/work/Hello.java').write_text({HELLO!r})"

    said = ask(
        settings, image, tmp_path,
        ("python3", "-c", write),
        ("java", "-version"),
        ("/opt/jdk/bin/javac", "-d", "/work", "/work/Hello.java"),
        ("/opt/jdk/bin/java", "-cp", "/work", "Hello"),
        ("/opt/jdk/bin/keytool", "-list", "-cacerts", "-storepass", "changeit"),
        ("python3", "-c", LOOK),
    )  # fmt: skip

    assert f'openjdk version "{image.version}.' in said
    assert f"hello from {image.version} in /usr/lib/jvm/" in said
    assert "Jan 1, 1970, trustedCertEntry" in said  # no time of the image's making
    assert "ARCHIVES []" in said
    assert "MAVEN []" in said  # an input of the build
    assert "TOOLS False" in said
    assert "OWN ['packages.txt']" in said


def test_an_image_without_requirements_is_found_like_any_other(settings: Settings, image: ImageIdentity) -> None:
    found = find_image(settings, image.name)

    assert found == image
    assert (found.interpreter, found.version) == (image.name, image.name.removeprefix("jdk"))
    assert not ensure_image(settings, image.name).made


def test_made_twice_from_nothing_it_is_the_same(settings: Settings) -> None:
    """One of the two stands for both: its release is not the host's, and the customisation is the same."""
    one = ensure_image(settings, "jdk21").identity
    again = ensure_image(settings, "jdk21", force=True).identity
    if again.packages != one.packages:
        # Debian moved on since the image on this host was made: then two new ones are compared.
        one, again = again, ensure_image(settings, "jdk21", force=True).identity

    assert again.digest == one.digest


@pytest.mark.skipif(not RELEASE, reason="only a Debian has sources of Debian's")
def test_a_release_whose_keys_are_missing_is_told_with_the_way_to_them(settings: Settings, tmp_path: Path) -> None:
    folder, keys = tmp_path / "keyless", tmp_path / "debian-archive-none.gpg"
    folder.mkdir()
    keys.touch()
    lines = [
        re.sub(r"^deb (\[.*?\] )?", f"deb [signed-by={keys}] ", s) for s in host_sources("trixie", release=RELEASE)
    ]
    (folder / "image.toml").write_text(
        f'schema = 1\nsuite = "trixie"\nsources = {json.dumps(lines[:1])}\npackages = ["python3"]\n'
        'platform = "linux/amd64"\ninterpreter = "jdk21"\nversion = "21"\n'
    )

    with pytest.raises(ImageBuildError, match="mmdebstrap failed") as caught:
        ensure_image(settings.model_copy(update={"images": tmp_path}), "keyless")

    assert "--only-upgrade debian-archive-keyring" in caught.value.remedy
    assert "image-keyless.log" in caught.value.remedy
