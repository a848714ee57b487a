"""The progress of an atlas: pictures of all workers, their rate, and failures."""

from __future__ import annotations

import time
from collections import deque
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from typing import TYPE_CHECKING

from kerasviz.io.terminal import stepping

if TYPE_CHECKING:
    from collections import Counter

    from kerasviz.atlas.progress import RunProgress

#: Seconds over which the pictures of a minute are counted.
WINDOW = 300.0


class Pace:
    """Measure the pictures per minute of a run over the last minutes."""

    def __init__(self, clock: Callable[[], float] = time.monotonic):
        self._clock = clock
        self._points: deque[tuple[float, int]] = deque([(clock(), 0)])

    def __call__(self, made: int) -> float | None:
        """Note the number of pictures; return the pictures per minute once it is known."""
        now = self._clock()
        self._points.append((now, made))
        while len(self._points) > 2 and self._points[1][0] < now - WINDOW:
            self._points.popleft()
        began, before = self._points[0]
        return (made - before) / (now - began) * 60 if made > before and now > began else None


def progress_text(progress: RunProgress, pace: float | None) -> str:
    """Write the progress of a run in one line."""
    if progress.stage:
        return progress.stage
    parts = [f"{progress.finished:,} of {progress.pictures:,} pictures"]
    if progress.elsewhere:
        parts.append("other runs are at the rest")
    else:
        if pace is not None:
            parts.append(f"{pace:,.0f} a minute" if pace >= 10 else f"{pace:.1f} a minute")
        workers = "worker" if progress.alive == 1 else "workers"
        parts.append(f"{progress.alive} {workers}" if progress.alive else "workers start")
    if progress.failures:
        parts.append(failures_text(progress.failures))
    return ", ".join(parts)


def failures_text(failures: Counter[str], most: int = 2) -> str:
    """Write the reasons of failures, the most frequent first.

    >>> from collections import Counter
    >>> failures_text(Counter({"killed by signal 9 (SIGKILL)": 3, "OSError: no": 1}))
    '4 failures (3 killed by signal 9 (SIGKILL), 1 OSError: no)'
    """
    count = sum(failures.values())
    shown = [f"{number} {reason}" for reason, number in failures.most_common(most)]
    if len(failures) > most:
        shown.append("…")
    return f"{count} failure{'' if count == 1 else 's'} ({', '.join(shown)})"


@contextmanager
def atlas_progress() -> Iterator[Callable[[RunProgress], None]]:
    """Yield a function that shows the progress of a run."""
    with stepping("workers start") as update:
        pace, before = Pace(), -1

        def watch(progress: RunProgress) -> None:
            nonlocal before
            if before < 0:  # what was there does not count for how long the rest takes
                before = progress.finished
            left = progress.pictures - before
            fraction = (progress.finished - before) / left if left else 1.0
            if progress.stage:  # not the end: lines of progress go on
                fraction = min(fraction, 0.999)
            update(fraction, progress_text(progress, pace(progress.made)))

        yield watch
