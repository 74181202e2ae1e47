from __future__ import annotations

import os
import subprocess
from typing import TYPE_CHECKING

from farm.ecosystems.maven.recorder import Recorder
from farm.ecosystems.maven.upstreams import own_upstream, upstream_at
from tests.fixtures_maven_http import Folder, Repository, relayed, serving

if TYPE_CHECKING:
    from pathlib import Path

SETTINGS = """<settings><mirrors><mirror><id>recorder</id><mirrorOf>*</mirrorOf><url>http://127.0.0.1:{port}/</url>
</mirror></mirrors></settings>"""


def pom(artifact: str, version: str, more: str = "") -> bytes:
    return f"""<project xmlns="http://maven.apache.org/POM/4.0.0"><modelVersion>4.0.0</modelVersion>{more}
<groupId>org.x</groupId><artifactId>{artifact}</artifactId><version>{version}</version>
<packaging>pom</packaging></project>""".encode()


def metadata(version: str) -> bytes:
    return (
        "<metadata><groupId>org.x</groupId><artifactId>parent</artifactId><versioning><versions>"
        f"<version>{version}</version></versions></versioning></metadata>"
    ).encode()


def maven(project: Path, port: int, local: Path) -> subprocess.CompletedProcess[str]:
    settings = project / "settings.xml"
    settings.write_text(SETTINGS.format(port=port))
    options = ["-B", "-C", "-ntp", "-s", str(settings), "-gs", str(settings), f"-Dmaven.repo.local={local}"]
    return subprocess.run(
        ["mvn", *options, "validate"],  # noqa: S607 - the host's own, as a developer calls it
        cwd=project,
        env={"PATH": os.environ["PATH"], "HOME": str(project)},
        capture_output=True,
        text=True,
        check=False,
        timeout=120,
    )


def test_a_stock_maven_resolves_through_it(tmp_path: Path) -> None:
    def parent(version: str) -> str:
        return f"<parent><groupId>org.x</groupId><artifactId>parent</artifactId><version>{version}</version></parent>"

    project = tmp_path / "project"
    project.mkdir()
    (project / "pom.xml").write_bytes(pom("child", "1.0", parent("[1.0,3.0)")))
    own = Repository({"org/x/parent/maven-metadata.xml": metadata("1.5")})
    up = Repository({"org/x/parent/maven-metadata.xml": metadata("2.0")})
    up.put("org/x/parent/2.0/parent-2.0.pom", pom("parent", "2.0", parent("7").replace("parent</a", "grand</a")))
    own.put("org/x/grand/7/grand-7.pom", pom("grand", "7"))
    socket = tmp_path / "s.sock"
    with serving(own), serving(up):
        upstreams = [own_upstream(own.url, {}), upstream_at("corp", up.url)]
        with (
            Recorder(socket, upstreams, Folder(tmp_path / "sink"), scratch=tmp_path) as recorder,
            relayed(socket) as port,
        ):
            ran = maven(project, port, tmp_path / "m2")
            assert ran.returncode == 0, ran.stdout
            assert "WARNING" not in ran.stdout
            recording = recorder.recording()
            assert {f.path: (f.origin, f.repository, f.checked) for f in recording.files} == {
                "org/x/parent/maven-metadata.xml": ("index", "farm+corp", ""),
                "org/x/parent/2.0/parent-2.0.pom": ("index", "corp", "sha1"),
                "org/x/grand/7/grand-7.pom": ("farm", "farm", "sha1"),
            }
            assert (recording.missing, recording.problems, recording.refused) == ((), (), ())

            (project / "pom.xml").write_bytes(pom("child", "1.0", parent("9")))
            ran = maven(project, port, tmp_path / "m2")
            assert ran.returncode != 0
            assert recorder.recording().missing == ("org/x/parent/9/parent-9.pom",)

            up.put("org/x/parent/8/parent-8.pom", pom("parent", "8"))
            up.put("org/x/parent/8/parent-8.pom.sha1", b"0" * 40)
            (project / "pom.xml").write_bytes(pom("child", "1.0", parent("8")))
            ran = maven(project, port, tmp_path / "m2")
            assert ran.returncode != 0
            (problem,) = recorder.recording().unmended
            assert (problem.path, problem.error) == ("org/x/parent/8/parent-8.pom", "InputDigestError")
