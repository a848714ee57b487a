"""Logs as JSON, one object a line on the standard error."""

from __future__ import annotations

import json
import logging
import sys
from datetime import UTC, datetime
from typing import Any

__all__ = ["JsonLines", "log_as_json"]


class _Always(logging.Filter):
    """Adds the same fields to every record."""

    def __init__(self, fields: dict[str, str]):
        super().__init__()
        self.fields = fields

    def filter(self, record: logging.LogRecord) -> bool:
        record.fields = {**self.fields, **getattr(record, "fields", {})}
        return True


def log_as_json(**always: str) -> None:
    """Send the logs of this package and of the server through :class:`JsonLines`."""
    handler = logging.StreamHandler(sys.stderr)
    handler.setFormatter(JsonLines())
    handler.addFilter(_Always(always))
    for name in ("kerasviz", "uvicorn"):
        logger = logging.getLogger(name)
        logger.handlers[:] = [handler]
        logger.setLevel(logging.INFO)
        logger.propagate = False
    logging.getLogger("uvicorn.access").disabled = True  # requests have a log of their own


class JsonLines(logging.Formatter):
    """Writes each record as one line of JSON; ``extra={"fields": {...}}`` goes into it.

    Whatever a field holds, it cannot begin a new line: JSON escapes control characters.
    """

    def format(self, record: logging.LogRecord) -> str:
        data: dict[str, Any] = {
            "time": datetime.fromtimestamp(record.created, UTC).isoformat(timespec="milliseconds"),
            "level": record.levelname.lower(),
            "logger": record.name,
            "message": record.getMessage(),
            **getattr(record, "fields", {}),
        }
        if record.exc_info:
            data["exception"] = self.formatException(record.exc_info)
        return json.dumps(data, default=str)
