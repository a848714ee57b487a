"""The bar in a notebook: what is shown when, with a clock that is set by hand."""

from __future__ import annotations

import re

import numpy as np

from kerasviz.notebook.progress import INTERVAL, NotebookDisplay
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
