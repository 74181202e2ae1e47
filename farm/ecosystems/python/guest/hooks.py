"""Ask a build backend, inside the sandbox, for its further requirements and for the metadata of the wheel.

Run by the image's tools environment (which has `build`); the backend runs in the environment named on the command line.
Arguments: project folder, Python of the environment, output folder, config settings as JSON, `requires` or `metadata`.
Writes `requires.json` (a list of strings) or `METADATA`.
"""

import json
import pathlib
import sys

from build import ProjectBuilder


def main(project: str, python: str, out: str, settings: str, what: str) -> None:
    """Run the hook and write its answer into `out`."""
    builder = ProjectBuilder(project, python_executable=python)
    options = json.loads(settings)
    folder = pathlib.Path(out)
    if what == "requires":
        found = sorted(builder.get_requires_for_build("wheel", options))
        (folder / "requires.json").write_text(json.dumps(found), encoding="utf-8")
    else:
        # Without prepare_metadata_for_build_wheel this builds the wheel and reads its metadata.
        info = pathlib.Path(builder.metadata_path("/work/metadata"))
        (folder / "METADATA").write_bytes((info / "METADATA").read_bytes())


if __name__ == "__main__":
    main(*sys.argv[1:])
