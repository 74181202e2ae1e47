"""The fixed environment and the argument lists of a build: pure, for the build itself and for the evidence.

Each setting answers a measured cause of differing bytes: paths in debug information (`-ffile-prefix-map`,
`--remap-path-prefix`), time zone, locale, hash seed, archive times.
"""

from __future__ import annotations

from typing import TYPE_CHECKING

from farm.ecosystems.patches import patch_commands
from farm.ecosystems.python.cargo.vendor import vendor_steps
from farm.ecosystems.python.layout import CARGO_HOME, OUT, SYSTEM_PATH, VENV, VENV_PYTHON, project_folder, venv_steps
from farm.ecosystems.python.options import options_of
from farm.ecosystems.run import SRC
from farm.errors import RecipeError

if TYPE_CHECKING:
    from farm.model.plan import BuildPlan
    from farm.model.source import SourceSnapshot

__all__ = ["base_environment", "build_argv", "build_environment", "commands"]

_MAP = f"-ffile-prefix-map={SRC}=. -ffile-prefix-map={VENV}=venv"
_FLAGS = {
    "CFLAGS": _MAP,
    "CXXFLAGS": _MAP,
    "FFLAGS": _MAP,
    # A build id over the content: the same bytes in give the same id.
    "LDFLAGS": "-Wl,--build-id=sha1",
    "RUSTFLAGS": f"--remap-path-prefix={SRC}=. --remap-path-prefix={VENV}=venv",
}
_BASE = {
    "HOME": "/home/build",
    "LANG": "C.UTF-8",
    "LC_ALL": "C.UTF-8",
    "PATH": f"{VENV}/bin:{SYSTEM_PATH}",
    "PYTHONDONTWRITEBYTECODE": "1",
    "PYTHONHASHSEED": "0",
    "PYTHONNOUSERSITE": "1",
    "TZ": "UTC",
}
_OFFLINE = {
    # No isolation (that is the sandbox's), but tools that would try the network say so at once instead of waiting.
    "CARGO_NET_OFFLINE": "true",
    "PIP_DISABLE_PIP_VERSION_CHECK": "1",
    "PIP_NO_INDEX": "1",
    "UV_OFFLINE": "1",
}


def base_environment() -> dict[str, str]:
    """Return the environment that every Python sandbox run gets."""
    return dict(_BASE)


def build_environment(plan: BuildPlan, snapshot: SourceSnapshot) -> dict[str, str]:
    """Return the whole environment of the build, the recipe's additions included.

    Compiler flags of the recipe are appended to farm's; nothing else that farm sets can be overridden.

    Raises:
        RecipeError: `build.env` sets a variable that farm fixes.
    """
    epoch = plan.build.source_date_epoch
    env = {**_BASE, **_OFFLINE, **_FLAGS, "SOURCE_DATE_EPOCH": str(snapshot.epoch if epoch is None else epoch)}
    if options_of(plan).cargo:
        env["CARGO_HOME"] = CARGO_HOME
        env["RUSTFLAGS"] += f" --remap-path-prefix={CARGO_HOME}=cargo"
    for key, value in plan.build.env.items():
        if key in _FLAGS:
            env[key] = f"{env[key]} {value}"
        elif key in env:
            remedy = (
                "Set build.source_date_epoch instead." if key == "SOURCE_DATE_EPOCH" else "Remove it from the recipe."
            )
            raise RecipeError(f"{plan.recipe_path}: build.env sets {key}, which farm fixes", remedy=remedy)
        else:
            env[key] = value
    return dict(sorted(env.items()))


def build_argv(plan: BuildPlan) -> tuple[str, ...]:
    """Return the argument list of the build command.

    The locked environment holds what the lock step resolved, so the front end does not ask the backend for its
    requirements a second time (`--skip-dependency-check`).
    """
    settings: list[str] = []
    for key, value in sorted(plan.build.config_settings.items()):
        settings += [f"--config-setting={key}={item}" for item in ((value,) if isinstance(value, str) else value)]
    project = project_folder(plan.source.subdirectory)
    fixed = ("--wheel", "--no-isolation", "--skip-dependency-check", "--outdir", OUT)
    return (VENV_PYTHON, "-m", "build", *fixed, *settings, project)


def commands(plan: BuildPlan) -> tuple[tuple[str, ...], ...]:
    """Return the argument lists that the build step runs, in order."""
    steps = (*venv_steps(plan.target), *vendor_steps(plan))
    return (*patch_commands(plan), *(step.argv for step in steps), build_argv(plan))
