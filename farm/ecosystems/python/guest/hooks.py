"""Ask a build backend, inside the sandbox, for its further requirements or for the metadata of the wheel.

Run by the image's tools environment (which has `build`); the backend runs in the environment named on the command line.
Arguments: project folder, Python of the environment, output folder, config settings as JSON, `requires` or `metadata`.
Writes `requires.json` (a list of strings) or `METADATA`.
"""

from __future__ import annotations

import json
import pathlib
import sys
import zipfile

from build import ProjectBuilder


def main(project: str, python: str, out: str, settings: str, what: str) -> None:
    """Run the hook and write its answer into `out`."""
    builder = ProjectBuilder(project, python_executable=python)
    options = json.loads(settings)
    if what == "requires":
        found = sorted(builder.get_requires_for_build("wheel", options))
        pathlib.Path(out, "requires.json").write_text(json.dumps(found), encoding="utf-8")
    else:
        pathlib.Path(out, "METADATA").write_bytes(metadata(builder, options))


def metadata(builder: ProjectBuilder, options: dict[str, str | list[str]]) -> bytes:
    """Return METADATA from the hook, or from a whole build where the backend has no such hook."""
    folder = pathlib.Path("/work/metadata")
    folder.mkdir()
    prepared = builder.prepare("wheel", str(folder), options)
    if prepared is not None:
        return pathlib.Path(prepared, "METADATA").read_bytes()
    with zipfile.ZipFile(builder.build("wheel", str(folder), options)) as wheel:
        names = [n for n in wheel.namelist() if n.count("/") == 1 and n.endswith(".dist-info/METADATA")]
        return wheel.read(names[0])


if __name__ == "__main__":
    main(*sys.argv[1:])
