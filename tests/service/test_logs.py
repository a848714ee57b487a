"""What a service logs: words at a terminal, JSON elsewhere."""

from __future__ import annotations

import io
import json
import logging
from collections.abc import Iterator

import pytest

from kerasviz.service.logs import write_logs

NAMES = ("kerasviz", "uvicorn", "kerasviz.service.requests")


class Terminal(io.StringIO):
    def isatty(self) -> bool:
        return True


@pytest.fixture(autouse=True)
def restored() -> Iterator[None]:
    """Give the loggers back what they had."""
    loggers = [logging.getLogger(name) for name in NAMES]
    before = [(one.handlers[:], one.level, one.propagate) for one in loggers]
    yield
    for one, (handlers, level, propagate) in zip(loggers, before, strict=True):
        one.handlers[:], one.propagate = handlers, propagate
        one.setLevel(level)


def logged(stream: io.StringIO, monkeypatch: pytest.MonkeyPatch, **options: object) -> list[str]:
    """Return the lines of three records."""
    monkeypatch.setattr("sys.stderr", stream)
    write_logs(**options)  # type: ignore[arg-type]
    logging.getLogger("kerasviz.service.requests").info("request", extra={"path": "/"})
    logging.getLogger("kerasviz.service.jobs.worker").info("rendered", extra={"pictures": 2})
    logging.getLogger("kerasviz.service").warning("the disk is full")
    return stream.getvalue().splitlines()


def test_a_terminal_gets_words_without_requests(monkeypatch: pytest.MonkeyPatch) -> None:
    lines = logged(Terminal(), monkeypatch)
    assert [line.partition(" ")[2] for line in lines] == [
        "rendered, pictures 2",
        "the disk is full",
    ]


def test_other_programs_get_json(monkeypatch: pytest.MonkeyPatch) -> None:
    lines = [json.loads(line) for line in logged(io.StringIO(), monkeypatch, worker="w1")]
    assert [line["message"] for line in lines] == ["request", "rendered", "the disk is full"]
    assert lines[1]["pictures"] == 2 and lines[1]["worker"] == "w1" and lines[1]["level"] == "info"


def test_a_quiet_service_logs_what_is_wrong_only(monkeypatch: pytest.MonkeyPatch) -> None:
    lines = logged(io.StringIO(), monkeypatch, quiet=True)
    assert [json.loads(line)["message"] for line in lines] == ["the disk is full"]
