"""The content-addressed vault and the object store under it."""
