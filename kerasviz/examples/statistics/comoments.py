"""Means, deviations and correlations of the units of a tap, summed up batch by batch."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass

import numpy as np

from kerasviz.types import Array

#: Units of a tap beyond which correlations are left out (the matrix has 128 MiB).
MOST_UNITS = 4096
#: Rows that are gathered before they are added to the sums.
TOGETHER = 256


@dataclass(frozen=True)
class Neighbours:
    """The units that fire together with each unit, and those that do so least.

    ``near`` and ``far`` [units, k] are numbers of units, -1 for none, with the largest and the
    smallest correlation in front; ``near_correlation`` and ``far_correlation`` [units, k] are in
    -1 .. 1.
    """

    near: Array
    near_correlation: Array
    far: Array
    far_correlation: Array


class Comoments:
    """The count, the means and the sums of products of deviations of values [N, units].

    Batches are joined as in Chan, Golub and LeVeque, "Updating formulae and a pairwise algorithm
    for computing sample variances", 1979. With more than ``MOST_UNITS`` units only the squares are
    summed up.
    """

    def __init__(self, units: int):
        self.units = units
        self.pairs = units <= MOST_UNITS
        self.count = 0
        self.mean: Array = np.zeros(units)
        self.sums: Array = np.zeros((units, units) if self.pairs else units)
        self.waiting: list[Array] = []

    def offer(self, values: Array) -> None:
        """Add values [N, units]."""
        self.waiting.append(values)
        if sum(map(len, self.waiting)) >= TOGETHER:
            self._add()

    def _add(self) -> None:
        values = np.concatenate(self.waiting).astype(np.float64)
        self.waiting = []
        if not len(values):
            return
        mean = values.mean(0)
        centred = values - mean
        step = mean - self.mean
        total = self.count + len(values)
        weight = self.count * len(values) / total
        if self.pairs:
            self.sums += centred.T @ centred
            self.sums += np.multiply.outer(weight * step, step)
        else:
            self.sums += np.einsum("nu,nu->u", centred, centred) + weight * step * step
        self.mean = self.mean + step * (len(values) / total)
        self.count = total

    def finish(self) -> None:
        """Add the rows that wait."""
        if self.waiting:
            self._add()

    @property
    def deviation(self) -> Array:
        """The standard deviations [units]."""
        squares = self.sums.diagonal() if self.pairs else self.sums
        return np.sqrt(squares / max(1, self.count))

    def correlation(self) -> Array | None:
        """Return Pearson's correlations [units, units], NaN for constant units.

        It is ``None`` for too many units.
        """
        if not self.pairs:
            return None
        squares = self.sums.diagonal()
        # The deviation of a constant unit is what rounding leaves.
        constant = squares <= self.count * (1e-7 * np.abs(self.mean)) ** 2
        norm = np.sqrt(np.where(constant, np.nan, squares))
        return np.clip(self.sums / np.multiply.outer(norm, norm), -1, 1)

    def neighbours(self, near: int, far: int) -> Neighbours | None:
        """Return the units with the largest and the smallest correlation; ``None`` without any."""
        correlation = self.correlation()
        if correlation is None:
            return None
        np.fill_diagonal(correlation, np.nan)
        return Neighbours(*_first(-correlation, near, -1), *_first(correlation, far, 1))

    def to_arrays(self) -> dict[str, Array]:
        """Return the state by name."""
        waiting = np.concatenate([np.zeros((0, self.units), np.float32), *self.waiting])
        count = np.array(self.count)
        return {"count": count, "mean": self.mean, "sums": self.sums, "waiting": waiting}

    def restore(self, arrays: Mapping[str, Array]) -> None:
        """Restore the state of :meth:`to_arrays`; raise ``KeyError`` for missing arrays."""
        self.count = int(arrays["count"])
        self.mean, self.sums = arrays["mean"], arrays["sums"]
        self.waiting = [arrays["waiting"]]


def _first(keys: Array, count: int, sign: int) -> tuple[Array, Array]:
    """Return the places and the values, ``sign`` * key, of the smallest keys of each row."""
    order = np.argsort(keys, axis=1, kind="stable")[:, :count]  # NaN is behind all
    values = sign * np.take_along_axis(keys, order, 1)
    missing = np.isnan(values)
    shape = (len(keys), count)
    places, found = np.full(shape, -1, np.int32), np.full(shape, np.nan, np.float32)
    places[:, : order.shape[1]] = np.where(missing, -1, order)
    found[:, : order.shape[1]] = values
    return places, found
