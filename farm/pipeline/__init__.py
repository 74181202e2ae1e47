"""The steps of one build in their order, as plain functions over typed values."""
