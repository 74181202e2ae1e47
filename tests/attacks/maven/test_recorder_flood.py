"""Foreign code that asks the recorder for no end of files that cannot be had."""

from __future__ import annotations

from contextlib import closing
from typing import TYPE_CHECKING

import pytest

from farm.ecosystems.maven.answers import Answers, Caps
from farm.ecosystems.maven.paths import parse_path
from farm.ecosystems.maven.transfer import UpstreamClient
from farm.ecosystems.maven.upstreams import upstream_at
from farm.errors import ConfigError
from tests.fixtures_maven_http import Folder, Repository, serving

if TYPE_CHECKING:
    from pathlib import Path


def test_failures_are_bounded_and_never_forgotten(tmp_path: Path) -> None:
    """Beyond the limit nothing is remembered by name, and the recording stays incomplete whatever is answered later."""
    scratch = tmp_path / "scratch"
    scratch.mkdir()
    names = [f"g/a{number}/1/a{number}-1.jar" for number in range(1200)]
    with serving(Repository(dict.fromkeys(names, b"x"), credentials="user:word")) as repository:
        client = UpstreamClient(upstream_at("r", repository.url))
        with closing(Answers([client], Folder(tmp_path / "sink"), scratch, Caps())) as answers:
            for name in names:
                with pytest.raises(ConfigError):
                    answers.get(parse_path(name))
            assert len(answers.problems()) <= 1001
            repository.credentials = ""
            for name in names:
                assert answers.get(parse_path(name)) is not None
            assert [problem.path for problem in answers.problems() if not problem.mended] == ["(further paths)"]
