"""Progress at a terminal and elsewhere."""

from __future__ import annotations

import io
import sys
from types import ModuleType, SimpleNamespace
from typing import Any

import pytest

from kerasviz.io.terminal import Lines, duration, in_notebook


class Clock:
    """A clock that is set by hand."""

    now = 100.0

    def __call__(self) -> float:
        return self.now


@pytest.mark.parametrize(
    ("seconds", "words"), [(0, "0:00"), (59.6, "1:00"), (75, "1:15"), (3600, "1:00:00")]
)
def test_duration(seconds: float, words: str) -> None:
    assert duration(seconds) == words


def test_lines_come_at_most_once_in_the_interval_with_the_time_left() -> None:
    stream, clock = io.StringIO(), Clock()
    lines = Lines(stream, interval=5.0, clock=clock)
    for second in range(21):
        clock.now = 100.0 + second
        lines(second / 40, f"step {second}")
    assert stream.getvalue().splitlines() == [
        " 12% step 5, 0:35 left",
        " 25% step 10, 0:30 left",
        " 38% step 15, 0:25 left",
        " 50% step 20, 0:20 left",
    ]


def test_short_work_prints_nothing() -> None:
    stream, clock = io.StringIO(), Clock()
    lines = Lines(stream, 5.0, clock)
    lines(0.5, "half")
    clock.now += 9
    lines(1.0, "done")
    assert stream.getvalue() == ""


def test_unknown_fraction_has_no_time_left() -> None:
    stream, clock = io.StringIO(), Clock()
    lines = Lines(stream, 5.0, clock)
    clock.now += 9
    lines(0.0, "waiting")
    assert stream.getvalue() == "  0% waiting\n"


def test_what_was_done_before_does_not_count_for_the_time_left() -> None:
    stream, clock = io.StringIO(), Clock()
    lines = Lines(stream, 5.0, clock)
    clock.now += 2  # imports
    lines(0.8, "goes on")
    for second in (5, 10):
        clock.now = 102.0 + second
        lines(0.8 + second / 100, "on")
    assert stream.getvalue().splitlines() == [" 85% on, 0:15 left", " 90% on, 0:10 left"]


@pytest.mark.parametrize(
    ("shell", "expected"),
    [(None, False), (SimpleNamespace(), False), (SimpleNamespace(kernel=object()), True)],
    ids=["python", "ipython at a terminal", "a kernel"],
)
def test_only_a_kernel_is_a_notebook(
    monkeypatch: pytest.MonkeyPatch, shell: Any, expected: bool
) -> None:
    module: Any = ModuleType("IPython")
    module.get_ipython = lambda: shell
    monkeypatch.setitem(sys.modules, "IPython", module)
    assert in_notebook() is expected


def test_ipython_is_not_imported_to_ask(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.delitem(sys.modules, "IPython", raising=False)
    assert not in_notebook() and "IPython" not in sys.modules
