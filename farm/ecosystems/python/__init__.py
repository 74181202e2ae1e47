"""Python: wheels built by PEP 517 backends."""
