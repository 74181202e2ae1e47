"""Small programs that run inside the sandbox, on the image's own Python: standard library only."""
