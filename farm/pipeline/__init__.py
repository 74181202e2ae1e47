"""The steps of one build in their order, as plain functions over typed values."""

from farm.pipeline.chain import build_package
from farm.pipeline.telling import describe

__all__ = ["build_package", "describe"]
