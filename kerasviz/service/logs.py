"""Logs on the standard error: words at a terminal, elsewhere JSON, one object a line."""

from __future__ import annotations

import logging
import sys
from typing import Any

from pythonjsonlogger.core import RESERVED_ATTRS
from pythonjsonlogger.json import JsonFormatter


class JsonLines(JsonFormatter):
    """Write a record as one line of JSON with its ``extra`` and the fields ``always``."""

    def __init__(self, **always: str):
        super().__init__(
            ("levelname", "name", "message"),
            rename_fields={"levelname": "level", "name": "logger", "exc_info": "exception"},
            reserved_attrs=[*RESERVED_ATTRS, "color_message"],  # uvicorn's, for terminals
            static_fields=always,
            timestamp="time",
        )

    def process_log_record(self, log_data: dict[str, Any]) -> dict[str, Any]:
        """Write levels in lower case."""
        return {**log_data, "level": log_data["level"].lower()}


class Words(logging.Formatter):
    """Write a record as one line for people: the time, the message, and its ``extra``."""

    def __init__(self) -> None:
        super().__init__("%(asctime)s %(message)s", "%H:%M:%S")

    def formatMessage(self, record: logging.LogRecord) -> str:
        """Add the ``extra`` as words."""
        known = {*RESERVED_ATTRS, "color_message"}
        given = {key: value for key, value in vars(record).items() if key not in known}
        # Other libraries, such as Ray, add fields of their own with an underscore.
        extra = [f"{key} {value}" for key, value in given.items() if not key.startswith("_")]
        return ", ".join((super().formatMessage(record), *extra))


def write_logs(*, quiet: bool = False, **always: str) -> None:
    """Send the logs of this package and of the server to the standard error.

    A terminal gets words, without a line for each request; other programs get JSON with the fields
    ``always``. With ``quiet`` there are warnings and errors only.
    """
    handler = logging.StreamHandler(sys.stderr)
    at_terminal = sys.stderr.isatty()
    handler.setFormatter(Words() if at_terminal else JsonLines(**always))
    for name in ("kerasviz", "uvicorn"):
        logger = logging.getLogger(name)
        logger.handlers[:] = [handler]
        logger.setLevel(logging.WARNING if quiet else logging.INFO)
        logger.propagate = False
    if at_terminal or quiet:  # what ends the server is told in one line after it
        logging.getLogger("uvicorn").setLevel(logging.CRITICAL)
    logging.getLogger("uvicorn.access").disabled = True  # requests have a log of their own
    if at_terminal:
        logging.getLogger("kerasviz.service.requests").setLevel(logging.WARNING)
