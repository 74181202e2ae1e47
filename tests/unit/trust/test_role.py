"""Worker code cannot import key code."""

from __future__ import annotations

import subprocess
import sys

import grimp
import pytest


def python(code: str) -> subprocess.CompletedProcess[str]:
    return subprocess.run([sys.executable, "-c", code], capture_output=True, text=True, check=False, timeout=60)


@pytest.mark.parametrize("module", ["farm.trust.authority", "farm.trust.authority.keys", "farm.trust.signer.compose"])
def test_key_code_refuses_a_process_that_is_not_the_signer(module: str) -> None:
    done = python(f"import {module}")
    assert done.returncode == 1
    assert "KeyCodeImportError" in done.stderr
    assert "only the signer process may import it" in done.stderr


def test_the_refusal_is_an_import_error() -> None:
    done = python("try:\n import farm.trust.authority\nexcept ImportError as error: print(type(error).__name__)")
    assert done.stdout.strip() == "KeyCodeImportError"


def test_the_signer_may() -> None:
    code = "from farm.trust.role import declare_signer; declare_signer(); import farm.trust.authority.instance"
    assert python(code).returncode == 0


@pytest.mark.parametrize("module", ["client", "verify", "pep740", "identity", "protocol", "launch", "merkle"])
def test_what_workers_and_consumers_import_brings_no_key_code(module: str) -> None:
    code = f"import sys, farm.trust.{module}; print([m for m in sys.modules if m.startswith('farm.trust.auth')])"
    assert python(code).stdout.strip() == "[]"


def test_the_client_is_light() -> None:
    code = (
        "import sys, farm.trust.client, farm.trust.launch; print('sigstore' in sys.modules, 'starlette' in sys.modules)"
    )
    assert python(code).stdout.strip() == "False False"


def test_only_the_signer_names_key_code_in_an_import() -> None:
    graph = grimp.build_graph("farm", cache_dir=None)
    for package, allowed in (
        ("farm.trust.authority", ("farm.trust.authority", "farm.trust.signer")),
        ("farm.trust.signer", ("farm.trust.signer",)),
    ):
        modules = {package, *graph.find_descendants(package)}
        importers = {found for module in modules for found in graph.find_modules_that_directly_import(module)}
        assert [module for module in importers if not module.startswith(allowed)] == []
