"""Farm's structured log inside a flow run: every line goes to the run's own log, with its package in front."""

from __future__ import annotations

import logging
from typing import Any

import structlog
from prefect.exceptions import FailedRun, MissingContextError
from prefect.logging import get_logger, get_run_logger

from farm.flows.verdict import MARK

__all__ = ["forward", "render"]


class _RunLogger:
    """Passes a finished line to the logger of the task or flow that runs now."""

    def _emit(self, level: str, line: str) -> None:
        getattr(_current(), level)("%s", line)

    def debug(self, line: str) -> None:
        self._emit("debug", line)

    def info(self, line: str) -> None:
        self._emit("info", line)

    def warning(self, line: str) -> None:
        self._emit("warning", line)

    def error(self, line: str) -> None:
        self._emit("error", line)

    def critical(self, line: str) -> None:
        self._emit("critical", line)

    exception = error
    warn = warning
    msg = info


def _current() -> logging.Logger | logging.LoggerAdapter[Any]:
    try:
        return get_run_logger()
    except MissingContextError:
        return get_logger("farm")


def render(_logger: Any, _method: str, event: structlog.typing.EventDict) -> str:
    """Return `[package] event key=value …` of one event (a structlog processor)."""
    package = event.pop("package", "")
    step = event.pop("step", "")
    text = ": ".join(filter(None, (str(step), str(event.pop("event", "")))))
    trace = event.pop("exception", "")
    event.pop("module", None)
    parts = [f"[{package}]"] if package else []
    parts += [text, *(f"{key}={event[key]}" for key in sorted(event))]
    return " ".join(parts) + (f"\n{trace}" if trace else "")


class _NoEcho(logging.Filter):
    """Drops what Prefect's engine says, with a trace of its own insides, about a run that told its verdict already."""

    def filter(self, record: logging.LogRecord) -> bool:
        error = record.exc_info[1] if record.exc_info else None
        return not (isinstance(error, FailedRun) and MARK in str(error))


class _NoRoutine(logging.Filter):
    """Drops Prefect's own line about each task that went well: farm says it with the package and what came out."""

    def filter(self, record: logging.LogRecord) -> bool:
        return record.levelno != logging.INFO or not record.getMessage().startswith("Finished in state ")


def forward() -> None:
    """Send farm's log to Prefect from now on, in this process."""
    logging.getLogger("prefect.flow_runs").addFilter(_NoEcho())
    logging.getLogger("prefect.task_runs").addFilter(_NoRoutine())
    structlog.configure(
        processors=[structlog.contextvars.merge_contextvars, structlog.processors.format_exc_info, render],
        wrapper_class=structlog.make_filtering_bound_logger("INFO"),
        logger_factory=lambda *_: _RunLogger(),
        cache_logger_on_first_use=False,
    )
