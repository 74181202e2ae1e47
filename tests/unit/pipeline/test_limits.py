"""What a recipe wants for its runs is held against what the farm gives."""

from __future__ import annotations

from pathlib import Path

import pytest

from farm.config import SandboxSettings, Settings, TrustSettings
from farm.errors import RecipeError
from farm.model.plan import Limits
from farm.pipeline import ceilings, steps
from farm.pipeline.runtime import Runtime

RECIPE = """\
schema: 1
ecosystem: python
name: sample-lib
source:
  git: https://git.example.test/team/sample-lib
  tag: "v{{version}}"
versions:
  "1.4.2":
    commit: 3f0c2a9d5b7e4c1f8a6d9e2b0c4f7a1d3e5b8c60
build:
  image: python311
  tags: py3-none-any
test:
  imports: [sample_lib]
limits: {limits}
"""
IMAGES = Path(__file__).parents[3] / "images"


def settings(folder: Path, **trust: int) -> Settings:
    return Settings(data=folder, recipes=folder, images=IMAGES, trust=TrustSettings.model_validate(trust))


def planned(chosen: Settings, limits: str) -> Limits:
    path = chosen.recipes / "python" / "sample-lib" / "recipe.yaml"
    path.parent.mkdir(parents=True, exist_ok=True)
    path.write_text(RECIPE.replace("{{version}}", "{version}").replace("{limits}", limits), encoding="utf-8")
    return steps.plan(Runtime(chosen), "python/sample-lib").limits


@pytest.mark.parametrize(
    ("name", "value"),
    [
        ("time_seconds", "999999"),
        ("memory_mb", "999999999"),
        ("cpus", "1000"),
        ("cpus", "16.5"),
        ("pids", "4194304"),
        ("disk_mb", "999999999"),
        ("output_mb", "999999999"),
    ],
)
def test_a_limit_above_its_ceiling_is_refused(tmp_path: Path, name: str, value: str) -> None:
    with pytest.raises(RecipeError) as caught:
        planned(settings(tmp_path), f"{{{name}: {value}}}")

    assert "python/sample-lib@1.4.2" in caught.value.message
    assert f"limits.{name} is" in caught.value.message
    assert f"sandbox.max_{name} allows" in caught.value.message
    assert f"raise sandbox.max_{name}" in caught.value.remedy


def test_the_ceilings_themselves_are_allowed(tmp_path: Path) -> None:
    ceilings = SandboxSettings()
    wanted = {name: getattr(ceilings, f"max_{name}") for name in Limits.model_fields}

    assert planned(settings(tmp_path), str(wanted).replace("'", "")) == Limits(**wanted)


def test_the_token_outlives_three_runs(tmp_path: Path) -> None:
    assert planned(settings(tmp_path, token_seconds=1200), "{time_seconds: 100}").time_seconds == 100

    with pytest.raises(RecipeError, match=r"needs a token of 1203 s, and the setting trust\.token_seconds allows 1200"):
        planned(settings(tmp_path, token_seconds=1200), "{time_seconds: 101}")


def test_the_defaults_fit() -> None:
    assert ceilings.RUNS * SandboxSettings().max_time_seconds + ceilings.AROUND_RUNS <= TrustSettings().token_seconds
    assert all(getattr(Limits(), name) <= getattr(SandboxSettings(), f"max_{name}") for name in Limits.model_fields)
