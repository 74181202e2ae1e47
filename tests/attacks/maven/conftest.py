from __future__ import annotations

from tests.fixtures_maven_bench import bench, first, maven_images, repository, sample

__all__ = ["bench", "first", "maven_images", "repository", "sample"]
