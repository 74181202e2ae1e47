"""Python: wheels from sdists and repositories."""
