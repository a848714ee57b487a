"""Report the progress of a rendering, and choose where it is shown."""

from __future__ import annotations

import math
import sys
from collections.abc import Callable, Iterator, Sequence
from contextlib import contextmanager
from dataclasses import dataclass, field
from typing import Protocol

from kerasviz.errors import UsageError
from kerasviz.io.terminal import duration, in_notebook, shortened, stepping
from kerasviz.rendering.media.image import IMAGES
from kerasviz.rendering.media.medium import Medium
from kerasviz.rendering.picture import Picture
from kerasviz.types import Array


@dataclass(frozen=True)
class RenderProgress:
    """Report how many pictures are finished, and the step of the present batch.

    Args:
        done: The number of finished pictures.
        pictures: The number of all pictures.
        running: The number of pictures in the present batch.
        step: The step that the batch has reached.
        steps: The steps that it takes.
        score: The mean score of the last step.
        text: The targets of the batch.
        images: Computes the images of the present batch, [B, H, W, C] in [0, 1].
        stopped: Makes the pictures of the present batch as they are at this step.
        medium: How the images are drawn.
    """

    done: int
    pictures: int
    running: int
    step: int
    steps: int
    score: float
    text: str
    images: Callable[[], Array] | None = field(default=None, compare=False, repr=False)
    stopped: Callable[[], list[Picture]] | None = field(default=None, compare=False, repr=False)
    medium: Medium = field(default=IMAGES, compare=False, repr=False)

    @property
    def fraction(self) -> float:
        """The finished share of the work, 0 to 1."""
        return (self.done + self.running * self.step / self.steps) / max(1, self.pictures)

    def describe(self) -> str:
        """Say how many pictures are finished, and what is worked on."""
        now = f"step {self.step} of {self.steps}, {shortened(self.text)}"
        return f"{self.done} of {self.pictures} pictures, {now}"


#: Takes the progress of a rendering; called after every chunk of steps.
Report = Callable[[RenderProgress], None]


class Scored(Protocol):
    """A picture or its record: its target and its score."""

    @property
    def target(self) -> str:
        """The target as text."""

    @property
    def score(self) -> float | None:
        """The score, if it has one."""


class ProgressDisplay(Protocol):
    """Show progress, and one line in its place when all is over."""

    def __call__(self, progress: RenderProgress) -> None:
        """Show the progress."""

    def end(self, line: str, *, warn: bool = False) -> None:
        """Show a line that stays; with ``warn`` everybody must see it."""


@dataclass
class _Reporter:
    """Call a function with the progress, and show nothing."""

    report: Report

    def __call__(self, progress: RenderProgress) -> None:
        self.report(progress)

    def end(self, line: str, *, warn: bool = False) -> None:
        if warn:
            _write(line)


@dataclass
class _TerminalDisplay:
    """Show a bar on the standard error's terminal, or occasional lines elsewhere."""

    update: Callable[[float, str], None]
    line: str = ""

    def __call__(self, progress: RenderProgress) -> None:
        self.update(progress.fraction, progress.describe())

    def end(self, line: str, *, warn: bool = False) -> None:
        self.line = line


@contextmanager
def displayed(progress: bool | Report | None) -> Iterator[ProgressDisplay]:
    """Yield the display of a rendering's progress.

    Args:
        progress: ``None`` for a bar in notebooks and at terminals and nothing elsewhere, ``True``
            for a bar or, elsewhere, lines on the standard error, ``False`` for nothing, or a
            function that is called with a :class:`RenderProgress`.

    Raises:
        UsageError: For anything else.
    """
    if callable(progress):
        yield _Reporter(progress)
    elif progress is not None and not isinstance(progress, bool):
        raise UsageError(
            f"progress {progress!r}: expected True, False, None (a bar where someone can see it) "
            "or a function of a RenderProgress"
        )
    elif progress is not False and in_notebook():
        from kerasviz.rendering.notebook import progress_display  # a terminal needs no templates

        with progress_display() as display:
            yield display
    elif progress or (progress is None and sys.stderr is not None and sys.stderr.isatty()):
        with stepping("compiling") as update:
            terminal = _TerminalDisplay(update)
            yield terminal
        if terminal.line:
            _write(terminal.line)
    else:
        yield _Reporter(lambda progress: None)


def _write(line: str) -> None:
    sys.stderr.write(f"{line}\n")
    sys.stderr.flush()


def summary(pictures: Sequence[Picture], seconds: float) -> str:
    """Sum up a rendering in one line: pictures, seconds, and which has the best score."""
    count = f"{len(pictures)} picture{'' if len(pictures) == 1 else 's'}"
    if not pictures:
        return f"{count}, {passed(seconds)}"
    return f"{count}, {passed(seconds)}, {best_of(pictures)}"


def passed(seconds: float) -> str:
    """Return a time that passed as text.

    >>> passed(4.25), passed(31.7)
    ('4.2 s', '32 s')
    """
    return f"{seconds:.{0 if seconds >= 10 else 1}f} s" if seconds < 60 else duration(seconds)


def best_of(pictures: Sequence[Scored]) -> str:
    """Say which of some pictures has the best score."""
    best = max(pictures, key=lambda picture: -math.inf if picture.score is None else picture.score)
    words = f"{'best ' if len(pictures) > 1 else ''}{shortened(best.target)}"
    return words if best.score is None else f"{words} (score {best.score:.4g})"
