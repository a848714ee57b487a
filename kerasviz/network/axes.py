"""Name the axes of a signal: batch, time, space, channels, and those of spectrograms and tables."""

from __future__ import annotations

from collections.abc import Sequence

from kerasviz.errors import UsageError, near
from kerasviz.network.program import Port

BATCH = "batch"
CHANNEL = "channel"
#: The columns of a table, which have no order.
FEATURE = "feature"
TIME = "time"
#: The words for axes. ``space`` is any side of space; frames and bands are those of a spectrogram.
WORDS = (BATCH, TIME, CHANNEL, FEATURE, "space", "depth", "height", "width", "frame", "band")
#: The axes of an input of token ids.
TOKENS = (BATCH, "token")
#: The words that are no positions, each at most once.
_ONCE = (BATCH, CHANNEL, FEATURE)
#: Axes of positions, at most: there is no Fourier transform of more in TensorFlow.
MOST = 3
#: The fixed length from which on the second axis of two is time; shorter ones are columns.
LONG = 512
_SPACES = ("depth", "height", "width")


def positions_in(axes: Sequence[str]) -> tuple[str, ...]:
    """Return the axes along which a signal extends, without images and channels.

    >>> positions_in(("batch", "channel", "time"))
    ('time',)
    """
    return tuple(axis for axis in axes if axis not in _ONCE)


def axes_of(text: str) -> tuple[str, ...]:
    """Parse the axes of an input, in the order of its own layout.

    Raises :class:`UsageError` for unknown words and impossible combinations.

    >>> axes_of("batch,channel,time")
    ('batch', 'channel', 'time')
    """
    axes = tuple(word.strip().lower() for word in text.split(","))
    if axes == TOKENS:
        return axes
    for axis in axes:
        if axis not in WORDS:
            raise UsageError(
                f"axes {text!r}: unknown axis {axis!r}; choose from {', '.join(WORDS)} "
                f"(near: {near(axis, WORDS, 2)})"
            )
    for axis in _ONCE:
        if axes.count(axis) > 1:
            raise UsageError(f"axes {text!r}: there is one {axis} axis at most")
    places = positions_in(axes)
    if FEATURE in axes and (CHANNEL in axes or places):
        raise UsageError(f"axes {text!r}: a table has no axes but batch,feature")
    if not places and FEATURE not in axes:
        raise UsageError(f"axes {text!r}: a signal needs an axis such as time; as batch,time")
    if len(places) > MOST:
        raise UsageError(f"axes {text!r}: {len(places)} axes of positions; at most {MOST}")
    return axes


def guessed_axes(port: Port) -> tuple[str, ...] | None:
    """Return the axes that an input of floats is likely to have; ``None`` where that is open.

    Two axes are rows of a table where the second is short, else time. Of the last two of three the
    free or longer one is time, and one of length 1 is channels. Five are three sides and channels.
    """
    shape = port.shape or ()
    if len(shape) == 2:
        long = shape[1] is None or shape[1] >= LONG
        return (BATCH, TIME if long else FEATURE)
    if len(shape) == 3:
        return _of_three(port, shape[1], shape[2])
    if len(shape) == 5:
        first = port.channels_first
        return (BATCH, CHANNEL, *_SPACES) if first else (BATCH, *_SPACES, CHANNEL)
    return None


def _of_three(port: Port, second: int | None, third: int | None) -> tuple[str, ...] | None:
    first, last = (BATCH, CHANNEL, TIME), (BATCH, TIME, CHANNEL)
    if port.channels_first:
        return first
    if 1 in (second, third):
        return last if third == 1 else first
    if second is None or third is None:
        return None if second is third else last if second is None else first
    return first if third > second else last
