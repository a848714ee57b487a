"""Show the progress of a rendering in a notebook: a bar, and thumbnails that sharpen."""

from __future__ import annotations

import importlib
import time
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from typing import Any

from PIL import Image

from kerasviz.io.terminal import RemainingTime, duration
from kerasviz.rendering.notebook.embedded import data_uri, reduced
from kerasviz.rendering.notebook.html import fill
from kerasviz.rendering.progress import RenderProgress

#: Seconds between two updates of the output, at least.
INTERVAL = 0.5
#: Seconds of work between two updates for each second that the last one took.
SHARE = 10
#: Thumbnails of a batch, at most, and the longer side of each in pixels.
THUMBNAILS = 16
SIDE = 64


class NotebookDisplay:
    """Show progress in one output of a cell, which is updated in place.

    ``show`` takes the HTML: the first time it displays it, later it replaces it.
    """

    def __init__(self, show: Callable[[str], None], clock: Callable[[], float] = time.monotonic):
        self.show, self.clock = show, clock
        self.remaining = RemainingTime(clock)
        self.next = clock()
        self.ended = False
        self.latest: RenderProgress | None = None

    def start(self) -> None:
        """Show an empty bar while the loop is compiled."""
        self._show_bar(0.0, "compiling", "", [])

    def __call__(self, progress: RenderProgress) -> None:
        """Show the progress, not too often."""
        self.latest = progress
        seconds = self.remaining(progress.fraction)
        began = self.clock()
        if began < self.next:
            return
        left = "" if seconds is None else duration(seconds)
        self._show_bar(progress.fraction, progress.describe(), left, _thumbnails(progress))
        ended = self.clock()
        self.next = ended + max(INTERVAL, SHARE * (ended - began))

    def end(self, line: str, *, warn: bool = False) -> None:
        """Replace the bar by a line."""
        self.ended = True
        self.show(fill("finished.html", line=line))

    def _show_bar(self, fraction: float, text: str, left: str, thumbnails: list[Any]) -> None:
        self.show(
            fill(
                "progress.html",
                fraction=f"{fraction:.4f}",
                percent=f"{fraction:.0%}",
                text=text,
                left=left,
                thumbnails=thumbnails,
            )
        )


def _thumbnails(progress: RenderProgress) -> list[tuple[str, int, int]]:
    """Return small pictures of the running batch: data URI, width and height."""
    images: list[Image.Image] = []
    if progress.images is not None:
        rows = progress.images()[: min(THUMBNAILS, progress.running)]  # without the padding
        images = [progress.medium.pil(row) for row in rows]
    elif progress.stopped is not None:
        images = [picture.to_pil() for picture in progress.stopped()[:THUMBNAILS]]
    small = [reduced(image, SIDE) for image in images]
    return [(data_uri(image, "webp"), *_size(image)) for image in small]


def _size(image: Image.Image) -> tuple[int, int]:
    width, height = image.size
    factor = max(1, SIDE // max(image.size))
    return factor * width, factor * height


@contextmanager
def progress_display() -> Iterator[NotebookDisplay]:
    """Yield a display below the running cell; after an error it says how far the work came."""
    ipython: Any = importlib.import_module("IPython.display")  # only in a kernel, which has it
    handle: Any = None

    def show(html: str) -> None:
        nonlocal handle
        if handle is None:
            handle = ipython.display(ipython.HTML(html), display_id=True)
        else:
            handle.update(ipython.HTML(html))

    shown = NotebookDisplay(show)
    shown.start()
    try:
        yield shown
    finally:
        if not shown.ended:
            reached = shown.latest.describe() if shown.latest else "compiling"
            shown.end(f"stopped: {reached}")
