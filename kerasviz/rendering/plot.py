"""Draw score curves with matplotlib, where it is installed."""

from __future__ import annotations

import importlib
from collections.abc import Sequence
from typing import Any

from kerasviz.errors import UsageError
from kerasviz.rendering.picture import Picture

#: The largest number of curves that a legend names.
MOST_NAMED = 12


def plot_scores(pictures: Sequence[Picture], axes: Any = None) -> Any:
    """Draw the score of each picture over the steps, on the transformed images; return the axes.

    Raises:
        UsageError: Without matplotlib.
    """
    if axes is None:
        try:
            pyplot = importlib.import_module("matplotlib.pyplot")
        except ImportError as error:
            raise UsageError(
                "curves are drawn by matplotlib; install it: pip install matplotlib"
            ) from error
        _, axes = pyplot.subplots()
    for picture in pictures:
        axes.plot(picture.history, label=picture.target)
    axes.set_xlabel("step")
    axes.set_ylabel("score of the transformed image")
    if 0 < len(pictures) <= MOST_NAMED:
        axes.legend()
    return axes
