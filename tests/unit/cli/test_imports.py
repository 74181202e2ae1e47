from __future__ import annotations

import subprocess
import sys

HEAVY = ("prefect", "boto3", "sigstore", "httpx", "docker", "git", "pydantic")


def test_the_command_line_alone_loads_nothing_heavy() -> None:
    program = f"import sys, farm.cli; print(*sorted(set({HEAVY!r}) & set(sys.modules)))"
    assert subprocess.check_output([sys.executable, "-P", "-c", program], text=True).split() == []
