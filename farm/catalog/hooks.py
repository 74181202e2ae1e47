"""Telling others that packages failed or drifted: a command that reads the report on stdin, a webhook it is posted to.

A hook that fails is a warning in the report, never the end of a rebuild.
"""

from __future__ import annotations

import json
import os
import signal
import subprocess
import tempfile
from pathlib import Path
from typing import IO, TYPE_CHECKING, Any

import httpx

from farm import __version__, log
from farm.errors import ConfigError
from farm.net import DIRECT, ca_bundle, tls_context
from farm.services.environment import base
from farm.text import without_controls

if TYPE_CHECKING:
    from collections.abc import Callable

    from farm.catalog.night import NightReport
    from farm.config import HookSettings, Settings
    from farm.errors import FarmError

__all__ = ["needed", "tell", "tell_of_error"]

_logger = log.get(__name__)

_TAIL = 300
"""Characters of a command's output that a warning repeats."""


def needed(report: NightReport) -> bool:
    """Return whether `report` is one to be told of: something failed or drifted."""
    return report.ended_with != 0 or any(end.state in {"failed", "drifted"} for end in report.nodes)


def tell(settings: Settings, report: NightReport, *, run_id: str) -> NightReport:
    """Call the hooks of the settings if `report` needs it.

    Args:
        settings: whose hooks.
        report: what is told.
        run_id: the rebuild's id.

    Returns:
        The report; where a hook failed, with a warning, also in its words and its file.
    """
    if not needed(report):
        return report
    warnings = _call(settings.hooks, {"run": run_id, **report.model_dump(mode="json")}, settings.data)
    return with_warnings(report, warnings) if warnings else report


def tell_of_error(settings: Settings, error: FarmError, *, run_id: str) -> None:
    """Call the hooks for a rebuild that could not be begun."""
    _call(settings.hooks, {"run": run_id, "ended_with": error.exit_code, "error": error.as_json()}, settings.data)


def with_warnings(report: NightReport, warnings: tuple[str, ...]) -> NightReport:
    """Return `report` with `warnings`; its file is written again."""
    lines = "".join(f"- {warning}\n" for warning in warnings)
    markdown = f"{report.markdown.rstrip()}\n\n## Warnings\n\n{lines}"
    if report.path:
        path = Path(report.path)
        try:
            fresh = path.with_name(f".{path.name}.new")
            fresh.write_text(markdown, encoding="utf-8")
            fresh.replace(path)
        except OSError as error:
            _logger.warning("the report's file is without the warnings", reason=str(error))
    return report.model_copy(update={"warnings": (*report.warnings, *warnings), "markdown": markdown})


def _call(hooks: HookSettings, document: dict[str, Any], cwd: Path) -> tuple[str, ...]:
    """Call every hook; return what went wrong."""
    body = json.dumps(document, sort_keys=True).encode()
    calls: list[Callable[[], str]] = []
    if hooks.command:
        calls.append(lambda: _run(hooks.command, body, hooks.timeout_seconds, cwd))
    if hooks.webhook.get_secret_value():
        calls.append(lambda: _post(hooks.webhook.get_secret_value(), body, hooks.timeout_seconds))
    warnings = tuple(filter(None, (call() for call in calls)))
    for warning in warnings:
        _logger.warning(warning)
    return warnings


def _run(command: tuple[str, ...], body: bytes, timeout: float, cwd: Path) -> str:
    """Run the command with `body` as its stdin; return what went wrong, empty when nothing did."""
    try:
        # Files instead of pipes: a command that does not read, or writes without end, blocks nobody.
        with tempfile.TemporaryFile() as given, tempfile.TemporaryFile() as said:
            given.write(body)
            given.seek(0)
            return _run_with(command, given, said, timeout, cwd)
    except OSError as error:  # a full disk, too: of which the other hook can still tell
        return f"the hook {command[0]} cannot be started: {error.strerror}"


def _run_with(command: tuple[str, ...], given: IO[bytes], said: IO[bytes], timeout: float, cwd: Path) -> str:
    process = subprocess.Popen(
        list(command), stdin=given, stdout=said, stderr=said, env=base(), cwd=cwd, start_new_session=True
    )
    try:
        code = process.wait(timeout)
    except subprocess.TimeoutExpired:
        os.killpg(process.pid, signal.SIGKILL)  # with whatever it started
        process.wait()
        return f"the hook {command[0]} was ended: it took longer than {timeout:g} s"
    if code == 0:
        return ""
    said.seek(max(0, said.seek(0, os.SEEK_END) - _TAIL))
    words = " ".join(without_controls(said.read().decode(errors="replace")).split())
    return f"the hook {command[0]} ended with {code}" + (f": {words}" if words else "")


def _post(address: str, body: bytes, timeout: float) -> str:
    """Post `body` to the webhook; return what went wrong, empty when nothing did. The address is not repeated."""
    headers = {"Content-Type": "application/json", "User-Agent": f"farm/{__version__}"}
    try:
        bundle = ca_bundle(os.environ)
        with httpx.Client(timeout=timeout, verify=tls_context(bundle), mounts=DIRECT) as client:
            answer = client.post(address, content=body, headers=headers)
    except ConfigError as error:
        return f"the webhook was not called: {error.message}"
    except (httpx.HTTPError, httpx.InvalidURL) as error:
        return f"the webhook does not answer: {type(error).__name__}"  # its words can hold the address
    return "" if answer.is_success else f"the webhook answered {answer.status_code}"
