"""A version whose content changes is published again beside what is there, and consumers get what was built last."""

from __future__ import annotations

from hashlib import sha256
from typing import TYPE_CHECKING, Any

import pytest

from farm.errors import GuardError
from farm.repository.model import BUNDLE, CYCLONEDX, PROVENANCE_BUNDLE, SPDX

from .homes import BIN, consumer_environment, run
from .packages import add

if TYPE_CHECKING:
    from pathlib import Path

    from .homes import FarmHome
    from .packages import Package

pytestmark = [pytest.mark.docker, pytest.mark.services]

PLAIN, ONE, TWO = (f"renewed-1.0{number}-py3-none-any.whl" for number in ("", "-1", "-2"))
PATCH = """\
--- a/renewed.py
+++ b/renewed.py
@@ -1 +1 @@
-VERSION = '1.0'
+VERSION = '1.0'  # {words}
"""


def patched(package: Package, words: str) -> Package:
    """Let the recipe change the source, or not (no words)."""
    build = package.recipe["build"] | {"patches": ["fix.patch"]}
    if words:
        (package.folder / "patches").mkdir(exist_ok=True)
        (package.folder / "patches" / "fix.patch").write_text(PATCH.format(words=words), encoding="utf-8")
    else:
        del build["patches"]
    return package.write(build=build).locked()


def built(home: FarmHome, package: Package, *options: str) -> dict[str, Any]:
    outcome: dict[str, Any] = home.build(package.reference, *options).ok().data
    (file,) = outcome["files"]
    return {"name": file["filename"], "written": outcome["written"], "reused": outcome["reused"]}


def installed(home: FarmHome, folder: Path) -> str:
    """Return what stock pip and stock uv install, which is the same."""
    env = consumer_environment(folder)
    for name in ("pip", "uv"):
        (folder / name).mkdir(parents=True)
    pip = [BIN / "pip", "--isolated", "--no-cache-dir", "--disable-pip-version-check", "install"]
    run([*pip, "--index-url", home.simple, "--target", folder / "pip", "renewed"], env=env, cwd=folder).ok()
    uv = [BIN / "uv", "pip", "install", "--no-cache", "--no-config", "--python", BIN / "python"]
    run([*uv, "--default-index", home.simple, "--target", folder / "uv", "renewed"], env=env, cwd=folder).ok()
    found = {(folder / name / "renewed.py").read_text(encoding="utf-8") for name in ("pip", "uv")}
    assert len(found) == 1
    return found.pop()


def test_a_changed_patch_and_back(home: FarmHome, tmp_path: Path) -> None:
    package = add(home, "renewed")
    assert built(home, package) == {"name": PLAIN, "written": [PLAIN], "reused": False}
    first = home.published(PLAIN).read_bytes()

    patched(package, "fixed")
    assert built(home, package) == {"name": ONE, "written": [ONE], "reused": False}
    assert built(home, package) == {"name": ONE, "written": [], "reused": True}
    assert built(home, package, "--force") == {"name": ONE, "written": [], "reused": False}
    assert installed(home, tmp_path / "one").endswith("# fixed\n")

    # Back again: the result is known, but installers would not take it.
    patched(package, "")
    assert built(home, package) == {"name": TWO, "written": [TWO], "reused": False}
    assert built(home, package) == {"name": TWO, "written": [], "reused": True}
    assert installed(home, tmp_path / "two") == "VERSION = '1.0'\n"

    page = home.page("renewed")
    assert page is not None
    assert [file["filename"] for file in page["files"]] == [PLAIN, ONE, TWO]
    assert page["versions"] == ["1.0"]
    assert home.published(PLAIN).read_bytes() == first, "what is published stays as it is"
    assert TWO in home.farm("build", package.reference).ok().out
    for name in (PLAIN, ONE, TWO):
        path = tmp_path / name
        path.write_bytes(home.published(name).read_bytes())
        (verdict,) = home.farm("verify", path, "--index", home.simple, "--json").ok().data["files"]
        assert verdict["verified"] is True
        for suffix in (BUNDLE, PROVENANCE_BUNDLE, CYCLONEDX, SPDX):
            assert path.with_name(name + suffix).is_file()


def test_other_inputs_with_equal_output_are_the_file_that_is_there(home: FarmHome) -> None:
    """A patch of what is not shipped changes recipe, key and evidence, and no byte of the wheel."""
    package = add(home, "steady")
    (first,) = home.build(package.reference).ok().data["files"]
    (package.folder / "patches").mkdir()
    (package.folder / "patches" / "more.patch").write_text(
        "--- /dev/null\n+++ b/NOTES\n@@ -0,0 +1 @@\n+not shipped\n", encoding="utf-8"
    )
    package.write(build=package.recipe["build"] | {"patches": ["more.patch"]}).locked()
    again = home.build(package.reference).ok().data
    assert (again["reused"], again["written"]) == (False, [])
    assert again["files"][0]["blob"] == first["blob"]
    assert sha256(home.published(first["filename"]).read_bytes()).hexdigest() == first["blob"]["sha256"]


def test_a_recipe_cannot_choose_the_number(home: FarmHome) -> None:
    behave = (
        "import os\n\n"
        "def build(folder, wheel):\n"
        "    name = wheel(folder)\n"
        "    other = name.replace('-py3', '-999-py3')\n"
        "    os.rename(os.path.join(folder, name), os.path.join(folder, other))\n"
        "    return other\n"
    )
    package = add(home, "pretender", behave=behave)
    error = home.build(package.reference).failed(GuardError, "build number is 999")
    assert "config_settings" in error["remedy"]
    assert home.page("pretender") is None
