"""Progress on the standard error: a bar at a terminal, occasional lines elsewhere."""

from __future__ import annotations

import os
import sys
import time
from collections.abc import Callable, Iterator
from contextlib import AbstractContextManager, contextmanager
from typing import TYPE_CHECKING, Any, TextIO, TypeVar

from kerasviz.errors import UsageError

if TYPE_CHECKING:
    from rich.console import Console

#: Seconds between two lines of progress where there is no terminal.
INTERVAL = 5.0
#: Takes the finished fraction and a description of the present work.
Update = Callable[[float, str], None]
Show = TypeVar("Show", bound=Callable[..., None])


def duration(seconds: float) -> str:
    """Write a time in seconds as minutes and seconds.

    >>> duration(75), duration(4000)
    ('1:15', '1:06:40')
    """
    minutes, rest = divmod(round(seconds), 60)
    hours, minutes = divmod(minutes, 60)
    return f"{hours}:{minutes:02d}:{rest:02d}" if hours else f"{minutes}:{rest:02d}"


def shortened(text: str, most: int = 40) -> str:
    """Cut a text after ``most`` characters."""
    return text if len(text) <= most else text[: most - 1] + "…"


def in_notebook() -> bool:
    """Return whether the code runs in the kernel of a notebook.

    IPython is not imported: where it is not, there is no kernel. At IPython's terminal the shell
    has no kernel.
    """
    ipython = sys.modules.get("IPython")
    shell = None if ipython is None else ipython.get_ipython()
    return getattr(shell, "kernel", None) is not None


class RemainingTime:
    """Estimate the time left of work by its finished fraction.

    The first fraction is the base: what was done before says nothing of how long the rest takes.

    >>> times = iter([10.0, 30.0])
    >>> remaining = RemainingTime(lambda: next(times))
    >>> remaining(0.5), remaining(0.75)
    (None, 20.0)
    """

    def __init__(self, clock: Callable[[], float] = time.monotonic):
        self.clock = clock
        self.first: tuple[float, float] | None = None

    def __call__(self, fraction: float) -> float | None:
        """Return the seconds left, ``None`` where nothing tells."""
        now = self.clock()
        if self.first is None:
            self.first = now, fraction
        began, before = self.first
        if fraction <= before:
            return None
        return (now - began) * (1 - fraction) / (fraction - before)


class Lines:
    """Print progress as plain lines, at most one in ``interval`` seconds."""

    def __init__(
        self,
        stream: TextIO,
        interval: float,
        clock: Callable[[], float] = time.monotonic,
    ):
        self.stream, self.interval, self.clock = stream, interval, clock
        self.last = clock()
        self.remaining = RemainingTime(clock)

    def __call__(self, fraction: float, text: str) -> None:
        seconds = self.remaining(fraction)
        now = self.clock()
        if now - self.last < self.interval or fraction >= 1:  # the summary follows
            return
        self.last = now
        left = "" if seconds is None else f", {duration(seconds)} left"
        self.stream.write(f"{fraction:4.0%} {text}{left}\n")
        self.stream.flush()


@contextmanager
def _console() -> Iterator[Console | None]:
    """Yield a console on the standard error's terminal, ``None`` where there is none.

    It has a file descriptor of its own: descriptor 2 may be held back while TensorFlow starts.
    """
    if not sys.stderr.isatty():
        yield None
        return
    from rich.console import Console

    with os.fdopen(os.dup(sys.stderr.fileno()), "w", encoding=sys.stderr.encoding) as stream:
        yield Console(file=stream)


@contextmanager
def stepping(first: str) -> Iterator[Update]:
    """Yield a function for progress, shown as a bar that disappears after the block."""
    with _console() as console:
        if console is None:
            yield Lines(sys.stderr, INTERVAL)
            return
        from rich import progress as rich_progress
        from rich.table import Column

        column = Column(ratio=1, no_wrap=True, overflow="ellipsis")
        columns = (
            rich_progress.BarColumn(20),
            rich_progress.TaskProgressColumn(),
            rich_progress.TimeRemainingColumn(compact=True),
            rich_progress.TextColumn("{task.description}", markup=False, table_column=column),
        )
        with rich_progress.Progress(
            *columns, console=console, transient=True, expand=True, refresh_per_second=4
        ) as progress:
            task = progress.add_task(first, total=1.0)
            yield lambda fraction, words: progress.update(
                task, completed=fraction, description=words
            )


@contextmanager
def working(text: str) -> Iterator[None]:
    """Show a spinner at a terminal during work without steps."""
    with _console() as console:
        if console is None:
            yield
            return
        from rich.markup import escape

        with console.status(escape(text)):
            yield


@contextmanager
def reporting(
    progress: bool | Show | None, display: Callable[[], AbstractContextManager[Show]]
) -> Iterator[Show | Callable[..., None]]:
    """Yield the function that takes the progress of some work.

    Args:
        progress: A function; ``True`` for what ``display()`` shows, ``None`` for that at a terminal
            only, ``False`` for nothing.
        display: Opens the display.

    Raises:
        UsageError: For anything else.
    """
    if callable(progress):
        yield progress
    elif progress is not None and not isinstance(progress, bool):
        raise UsageError(f"progress {progress!r}: expected True, False, None or a function")
    elif progress or (progress is None and sys.stderr is not None and sys.stderr.isatty()):
        with display() as show:
            yield show
    else:
        yield _show_nothing


def _show_nothing(*_: Any) -> None:
    """Do nothing with the progress."""
