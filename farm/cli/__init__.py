"""The command line: parse, call, render; no logic."""

from farm.cli.app import main

__all__ = ["main"]
