"""Sum up by class what units respond, and say how far they tell classes apart."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import dataclass

import numpy as np

from kerasviz.examples.datasets import Source
from kerasviz.examples.statistics.grid import Grid
from kerasviz.examples.statistics.histogram import regrouped
from kerasviz.examples.tfrecords import Records
from kerasviz.network.network import Network
from kerasviz.types import Array, ClassesOf

#: Classes beyond which there are no statistics of classes.
MOST_CLASSES = 1024
#: Counts of all taps together, at most, while units are small in number (256 MiB).
MOST_COUNTS = 1 << 26
#: The least and the largest number of cells in which responses are ranked.
CELLS = (8, 64)


@dataclass(frozen=True)
class ClassStatistics:
    """How units respond to classes.

    Args:
        names: The classes, in alphabetical order.
        counts: [K], images of each class.
        mean: [units, K], means of the largest activation in an image.
        selectivity: [units] in 0 .. 1, see :func:`class_selectivity`; NaN for units that never
            respond and for less than two classes.
        preferred: [units], the class of the largest mean response, -1 where there is no
            selectivity.
        auroc: [units, K] in 0 .. 1, see :func:`auroc`.
    """

    names: tuple[str, ...]
    counts: Array
    mean: Array
    selectivity: Array
    preferred: Array
    auroc: Array


class ClassTally:
    """The responses of the units of a tap by class; a class has a row once its first image came.

    ``high`` [K, units] are sums of the largest activation in an image, ``rectified`` [K, units] of
    the mean over positions of the activation above 0, ``ranked`` [K, units, cells] counts the
    largest activations in cells.
    """

    def __init__(self, units: int, cells: int):
        self.grid = Grid(units, cells)
        self.counts: Array = np.zeros(0, np.int64)
        self.high: Array = np.zeros((0, units))
        self.rectified: Array = np.zeros((0, units))
        self.ranked: Array = np.zeros((0, units, cells), np.uint32)

    def offer(self, labels: Array, high: Array, rectified: Array) -> None:
        """Add images of classes ``labels`` [N] with their responses, each [N, units]."""
        if not len(labels):
            return
        self._reserve(int(labels.max()) + 1)
        np.add.at(self.counts, labels, 1)
        np.add.at(self.high, labels, high.astype(np.float64))
        np.add.at(self.rectified, labels, rectified.astype(np.float64))
        change = self.grid.widen(high)
        if change.rows.size:
            old = np.moveaxis(self.ranked[:, change.rows], 0, 2)
            new = regrouped(old, change.moved(self.grid.cells))
            self.ranked[:, change.rows] = np.moveaxis(new, 2, 0)
        units = np.arange(high.shape[1])
        np.add.at(self.ranked, (labels[:, None], units, self.grid.numbers(high)), 1)

    def _reserve(self, classes: int) -> None:
        missing = classes - len(self.counts)
        if missing > 0:
            missing = max(missing, min(len(self.counts), MOST_CLASSES - len(self.counts)))
            for name in ("counts", "high", "rectified", "ranked"):
                array = getattr(self, name)
                setattr(self, name, np.pad(array, [(0, missing)] + [(0, 0)] * (array.ndim - 1)))

    def finish(self, names: Sequence[str]) -> ClassStatistics:
        """Return the statistics of the classes, whose names are in the order of their numbers."""
        order = np.array(sorted(range(len(names)), key=lambda k: names[k]), np.int64)
        counts = self.counts[order]
        means = self.rectified[order] / counts[:, None]
        selectivity, preferred = class_selectivity(means)
        return ClassStatistics(
            tuple(names[k] for k in order),
            counts,
            (self.high[order] / counts[:, None]).T,
            selectivity,
            preferred,
            auroc(self.ranked[order]),
        )

    def to_arrays(self) -> dict[str, Array]:
        """Return the state by name."""
        names = ("counts", "high", "rectified", "ranked")
        return {**self.grid.to_arrays(), **{name: getattr(self, name) for name in names}}

    def restore(self, arrays: Mapping[str, Array]) -> None:
        """Restore the state of :meth:`to_arrays`; raise ``KeyError`` for missing arrays."""
        self.grid.restore(arrays)
        self.counts, self.high = arrays["counts"], arrays["high"]
        self.rectified, self.ranked = arrays["rectified"], arrays["ranked"]


def class_selectivity(means: Array) -> tuple[Array, Array]:
    """Return the class selectivity index of units [units] and their preferred classes [units].

    ``means`` [K, units] are mean responses to classes, not below 0. The index is
    (m - r) / (m + r), where m is the largest mean and r the mean of all others: 0 for a unit that
    responds to all classes alike, 1 for one that responds to a single class. It is from Morcos et
    al., "On the importance of single directions for generalization", 2018.

    >>> class_selectivity(np.array([[3.0, 1.0, 0.0], [1.0, 1.0, 0.0]]))
    (array([0.5, 0. , nan]), array([ 0,  0, -1]))
    """
    if len(means) < 2:
        units = means.shape[1]
        return np.full(units, np.nan), np.full(units, -1, np.int64)
    largest = means.max(0)
    others = (means.sum(0) - largest) / (len(means) - 1)
    total = largest + others
    responds = total > 0
    index = np.where(responds, (largest - others) / np.where(responds, total, 1), np.nan)
    return index, np.where(responds, means.argmax(0), -1)


def auroc(ranked: Array) -> Array:
    """Return the areas under the ROC curves [units, K] by which units tell a class from the rest.

    That is the probability that an image of the class has a larger response than one of the other
    classes; responses in one cell count half (Mann and Whitney, 1947). ``ranked`` [K, units, cells]
    are numbers of images. It is NaN where there is no other class.

    >>> auroc(np.array([[[0, 0, 2]], [[1, 1, 0]]]))
    array([[1., 0.]])
    """
    every = ranked.sum(0, dtype=np.float64)
    areas = np.full((every.shape[0], len(ranked)), np.nan)
    for k, of_class in enumerate(ranked.astype(np.float64)):
        rest = every - of_class
        pairs = of_class.sum(1) * rest.sum(1)
        won = (of_class * (np.cumsum(rest, axis=1) - rest / 2)).sum(1)
        areas[:, k] = np.where(pairs > 0, won / np.maximum(pairs, 1), np.nan)
    return areas


# -- the classes of images ---------------------------------------------------------------------


def class_of(source: Source, number: int) -> str:
    """Return the class of an image, "" without one.

    That is the first folder in its name, or the label of its TFRecord.
    """
    if isinstance(source, Records):
        return source.label_of(number)
    folder, slash, _ = source.name(number).partition("/")
    return folder if slash else ""


def expected_classes(net: Network, source: Source, of: ClassesOf) -> int:
    """Return how many classes there are at most, 0 if the images have none or too many."""
    if of == "none":
        return 0
    if of == "predicted":
        count = net.class_count or MOST_CLASSES
    elif isinstance(source, Records):
        count = MOST_CLASSES if source.label_of(0) else 0
    else:
        count = len({class_of(source, number) for number in range(len(source))} - {""})
    return count if 2 <= count <= MOST_CLASSES else 0


def ranking_cells(classes: int, units: int) -> int:
    """Return the number of cells in which responses are ranked, a power of two.

    >>> ranking_cells(10, 2000), ranking_cells(1000, 2000), ranking_cells(1000, 20000)
    (64, 32, 8)
    """
    room = MOST_COUNTS // max(1, classes * units)
    return int(np.clip(1 << max(room.bit_length() - 1, 0), *CELLS))
