"""Log lines, for people or as JSON; each names the request, job run and cycle that it belongs to."""

from __future__ import annotations

import logging
import logging.config
from collections.abc import Iterator
from contextlib import contextmanager
from contextvars import ContextVar
from datetime import UTC, datetime
from typing import Any

from hazecast.services.core.settings import Settings

_CONTEXT: ContextVar[dict[str, Any]] = ContextVar("log_context", default={})  # noqa: B039 (never changed in place)


def add_log_context(**values: Any) -> None:
    """Add fields to every log line of the current task or thread."""
    _CONTEXT.set(_CONTEXT.get() | values)


def current_log_context() -> dict[str, Any]:
    """Return the fields that log lines of the current task or thread have."""
    return dict(_CONTEXT.get())


@contextmanager
def log_context(**values: Any) -> Iterator[None]:
    """Add fields to every log line within."""
    token = _CONTEXT.set(_CONTEXT.get() | values)
    try:
        yield
    finally:
        _CONTEXT.reset(token)


class WithContext(logging.Filter):
    """Gives each record the context: for JSON as fields, for people as text before the message."""

    def __init__(self, as_text: bool) -> None:
        super().__init__()
        self._as_text = as_text

    def filter(self, record: logging.LogRecord) -> bool:
        """Let every record through."""
        context = _CONTEXT.get()
        if self._as_text:
            record.context = "".join(f"{name}={value} " for name, value in context.items())
        else:
            for name, value in context.items():
                setattr(record, name, value)
        return True


def configure_logging(settings: Settings) -> None:
    """Send the log of this process to standard error, as the settings want it."""
    as_json = settings.server.log_format == "json"
    formatter: dict[str, Any] = {"()": "hazecast.services.core.logs.TextFormatter"}
    if as_json:
        formatter = {"()": "hazecast.services.core.logs.json_formatter"}
    logging.config.dictConfig(
        {
            "version": 1,
            "disable_existing_loggers": False,
            "filters": {"context": {"()": WithContext, "as_text": not as_json}},
            "formatters": {"line": formatter},
            "handlers": {"stderr": {"class": "logging.StreamHandler", "formatter": "line", "filters": ["context"]}},
            "root": {"level": settings.server.log_level, "handlers": ["stderr"]},
            # They log every run and request, which the service logs itself with its context.
            "loggers": {
                # The command line quietens what its own short commands do.
                "hazecast": {"level": "NOTSET"},
                "alembic": {"level": "WARNING"},
                "httpx": {"level": "WARNING"},
            },
        }
    )


class TextFormatter(logging.Formatter):
    """Time (UTC), level, logger, context, message."""

    def __init__(self) -> None:
        super().__init__("%(asctime)s %(levelname)s %(name)s: %(context)s%(message)s")

    def formatTime(self, record: logging.LogRecord, datefmt: str | None = None) -> str:  # noqa: N802 (logging's own)
        """Format a record's time.

        Parameters
        ----------
        record : logging.LogRecord
        datefmt : str, optional
            Ignored.

        Returns
        -------
        str
            ISO 8601, UTC, with milliseconds.
        """
        return _time(record)


def json_formatter() -> logging.Formatter:
    """Return the formatter of JSON lines: ``time``, ``level``, ``logger``, ``message``, the context, ``exc_info``."""
    from pythonjsonlogger.json import JsonFormatter

    class Lines(JsonFormatter):
        def add_fields(self, log_data: dict[str, Any], record: logging.LogRecord, message_dict: dict[str, Any]) -> None:
            super().add_fields(log_data, record, message_dict)
            log_data["time"] = _time(record)
            log_data.pop("asctime", None)

    return Lines(
        "%(asctime)s %(levelname)s %(name)s %(message)s",
        rename_fields={"levelname": "level", "name": "logger"},
        json_ensure_ascii=False,
    )


def _time(record: logging.LogRecord) -> str:
    return datetime.fromtimestamp(record.created, UTC).isoformat(timespec="milliseconds").replace("+00:00", "Z")
