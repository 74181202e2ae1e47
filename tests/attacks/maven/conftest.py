from __future__ import annotations

from tests.fixtures_maven_bench import bench, first, repository, sample

__all__ = ["bench", "first", "repository", "sample"]
