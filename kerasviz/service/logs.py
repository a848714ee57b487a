"""Logs as JSON, one object a line on the standard error."""

from __future__ import annotations

import logging
import sys

from kerasviz.service.request_log import JsonLines

__all__ = ["log_as_json"]


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
