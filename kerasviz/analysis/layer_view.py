"""Name the units that are most active at every position of a layer, for one photo."""

from __future__ import annotations

from dataclasses import dataclass

import numpy as np

from kerasviz.types import Array

#: Units of a position (Building Blocks' semantic dictionary).
UNITS = 4
#: The most cells of an overview of winning units along each side.
CELLS = 14


@dataclass(frozen=True, eq=False)
class LayerView:
    """Hold the most active units of every position, and how active the position is as a whole.

    Args:
        tap: The name of the layer.
        units: [h, w, n] The most active units, most first.
        values: [h, w, n] Their activations.
        sides: [h, w] in [0, 1] The length of the position's vector, over the largest: the side of
            its icon in an activation grid.

    Reference:
        Olah et al., "The Building Blocks of Interpretability" (Distill 2018): semantic dictionaries
        and activation grids.
    """

    tap: str
    units: Array
    values: Array
    sides: Array

    @property
    def winners(self) -> Array:
        """The most active unit of each position, [h, w]; -1 where none is active."""
        first: Array = np.where(self.values[..., 0] > 0, self.units[..., 0], -1)
        return first

    def frequent(self, count: int = UNITS) -> list[int]:
        """Return the units that win at most positions, most first."""
        units, counts = np.unique(self.winners[self.winners >= 0], return_counts=True)
        return [int(unit) for unit in units[np.argsort(-counts, kind="stable")][:count]]


def view_layer(tap: str, activations: Array, count: int = UNITS) -> LayerView:
    """Rank the units of every position by their activations.

    Args:
        tap: The name of the layer.
        activations: [h, w, C].
        count: The number of units of each position.

    Example:
        >>> found = view_layer("layer", np.array([[[3.0, 0.0, 4.0], [0.0, 1.0, 0.0]]]), 2)
        >>> found.units.tolist(), found.sides.tolist(), found.frequent()
        ([[[2, 0], [1, 0]]], [[1.0, 0.2]], [1, 2])
    """
    units = np.argsort(-activations, -1, kind="stable")[..., :count]
    norms = np.linalg.norm(activations, axis=-1)
    return LayerView(
        tap, units, np.take_along_axis(activations, units, -1), norms / max(norms.max(), 1e-12)
    )


def coarse(activations: Array, most: int = CELLS) -> Array:
    """Return the largest activations of each unit in cells of a map, [h, w, C] with h, w <= most.

    >>> coarse(np.arange(6.0).reshape(1, 6, 1), 3).ravel()
    array([1., 3., 5.])
    """
    edges = [np.linspace(0, n, min(most, n) + 1).astype(int) for n in activations.shape[:2]]
    for axis, ends in enumerate(edges):
        activations = np.maximum.reduceat(activations, ends[:-1], axis)
    return activations
