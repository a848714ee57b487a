"""The bar in a notebook: what is shown when, with a clock that is set by hand."""

from __future__ import annotations

import re
import sys
from types import ModuleType
from typing import Any

import numpy as np
import pytest

from kerasviz.errors import ModelError
from kerasviz.rendering.notebook.progress import INTERVAL, NotebookDisplay, progress_display
from kerasviz.rendering.progress import RenderProgress


class Clock:
    now = 100.0

    def __call__(self) -> float:
        return self.now


def report(step: int, rows: int = 3, text: str = "conv:7 … conv:9") -> RenderProgress:
    images = np.full((4, 20, 30, 3), step / 64, np.float32)
    return RenderProgress(2, 2 + rows, rows, step, 64, 1.0, text, lambda: images)


def test_the_bar_has_the_time_left_and_thumbnails_without_the_padding() -> None:
    shown: list[str] = []
    clock = Clock()
    display = NotebookDisplay(shown.append, clock)
    display.start()
    assert "compiling" in shown[-1] and "0%" in shown[-1] and "<img" not in shown[-1]
    display(report(16))
    clock.now += 8.0
    display(report(32))
    assert 'value="0.7000"' in shown[-1] and "70%" in shown[-1]
    words = "2 of 5 pictures, step 32 of 64, conv:7 … conv:9"
    assert f"{words} · 0:16 left" in " ".join(shown[-1].split())
    assert re.findall(r'width="(\d+)" height="(\d+)"', shown[-1]) == [("60", "40")] * 3
    assert shown[-1].count("data:image/webp") == 3
    display.end("5 pictures, 24 s")
    assert "5 pictures, 24 s" in shown[-1] and "<progress" not in shown[-1]


def test_updates_come_at_most_twice_a_second_and_cost_little() -> None:
    shown: list[str] = []
    clock = Clock()

    def slow(html: str) -> None:
        shown.append(html)
        clock.now += 1.0  # an update that takes a second

    display = NotebookDisplay(slow, clock)
    display(report(1))
    for tenth in range(95):
        clock.now = 101.0 + tenth / 10
        display(report(2))
    assert len(shown) == 1  # ten seconds of work for one of showing
    clock.now = 111.1
    display(report(3))
    assert len(shown) == 2 and INTERVAL < 1


def test_targets_are_escaped() -> None:
    shown: list[str] = []
    NotebookDisplay(shown.append, Clock())(report(16, text="<b>conv</b>"))
    assert "&lt;b&gt;conv" in shown[0] and "<b>" not in shown[0]


@pytest.fixture
def outputs(monkeypatch: pytest.MonkeyPatch) -> list[list[str]]:
    """The outputs of a cell, each with what it showed one after the other."""
    shown: list[list[str]] = []

    class Handle:
        def update(self, html: str) -> None:
            shown[-1].append(html)

    def display(html: str, display_id: bool) -> Handle:
        assert display_id
        shown.append([html])
        return Handle()

    module: Any = ModuleType("IPython.display")
    module.HTML, module.display = str, display
    monkeypatch.setitem(sys.modules, "IPython.display", module)
    return shown


def test_one_output_is_replaced_again_and_again(outputs: list[list[str]]) -> None:
    with progress_display() as display:
        display(report(16))
        display.end("3 pictures")
    (updates,) = outputs
    assert "compiling" in updates[0] and "step 16 of 64" in updates[1] and len(updates) == 3
    assert "3 pictures" in updates[-1]


def test_after_an_error_the_bar_is_a_line_that_says_how_far_it_came(
    outputs: list[list[str]],
) -> None:
    with pytest.raises(ModelError), progress_display() as display:
        display(report(16))
        raise ModelError("the score is not finite")
    assert "<progress" not in outputs[0][-1]
    assert "stopped: 2 of 5 pictures, step 16 of 64" in outputs[0][-1]
