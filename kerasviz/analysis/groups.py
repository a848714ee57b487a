"""Find groups of units that act together on one photo: its activations as a sum of few parts."""

from __future__ import annotations

from dataclasses import dataclass

import numpy as np

from kerasviz.errors import UsageError
from kerasviz.optvis.objectives.probes import fitted, sklearn_module
from kerasviz.types import Array

#: The number of groups (Building Blocks).
GROUPS = 6
#: Updates of the factorization; it ends sooner where it has converged.
_UPDATES = 400


@dataclass(frozen=True, eq=False)
class Groups:
    """Hold groups of units: where each is active, and of which units it consists.

    Args:
        tap: The name of the layer.
        places: [K, h, w] in [0, 1] How active each group is at every position.
        units: [K, C] The activations of a group where it is most active. They are negative only
            for layers that have negative activations.
        error: The norm of what the groups lack of the activations, as a share of theirs.

    Reference:
        Olah et al., "The Building Blocks of Interpretability" (Distill 2018): neuron groups.
    """

    tap: str
    places: Array
    units: Array
    error: float

    @property
    def activations(self) -> Array:
        """The sum of all groups, [h, w, C]: nearly the activations that they were found in."""
        total: Array = np.tensordot(self.places, self.units, axes=(0, 0))
        return total

    def contributions(self, slopes: Array) -> Array:
        """Return what each group contributes to a score at every position, [K, h, w].

        Args:
            slopes: [h, w, C] The (mean) gradient of the score by the layer.
        """
        shares: Array = self.places * np.einsum("kc,hwc->khw", self.units, slopes)
        return shares

    def top(self, group: int, count: int = 4) -> list[int]:
        """Return the units that are most active in a group, most first."""
        order = np.argsort(-self.units[group], kind="stable")[:count]
        return [int(unit) for unit in order if self.units[group][unit] > 0]


def find_groups(tap: str, activations: Array, count: int = GROUPS, seed: int = 0) -> Groups:
    """Find groups in the activations of a layer by non-negative matrix factorization.

    Where activations are negative too, the positive and the negative part of each unit are two
    units to the factorization. Groups are sorted from left to right by where they are most active.

    Args:
        tap: The name of the layer.
        activations: [h, w, C], at several positions.
        count: The number of groups. There are never more than positions or units.
        seed: The seed of the factorization.

    Raises:
        UsageError: For a layer without positions, or one that is 0 throughout.

    Example:
        >>> left, right = np.eye(2)
        >>> found = find_groups("layer", np.array([[left, left, 3 * right]]), 2)
        >>> found.places.round(2).tolist(), found.units.round(2).tolist()
        ([[[1.0, 1.0, 0.0]], [[0.0, 0.0, 1.0]]], [[1.0, 0.0], [0.0, 3.0]])
    """
    if activations.ndim != 3 or activations.shape[0] * activations.shape[1] < 2:
        raise UsageError(f"{tap} has no positions, so no groups; name a layer that has")
    if not activations.any():
        raise UsageError(f"{tap} is 0 for this photo, so it has no groups; name another layer")
    height, width, channels = activations.shape
    rows = activations.reshape(-1, channels).astype(np.float64)
    parts = np.concatenate([rows, -rows], 1).clip(0) if rows.min() < 0 else rows
    model = sklearn_module("decomposition").NMF(
        min(count, *parts.shape), init="nndsvda", random_state=seed, max_iter=_UPDATES
    )
    places, units = fitted(model.fit_transform, parts), model.components_
    if units.shape[1] > channels:
        units = units[:, :channels] - units[:, channels:]
    most = places.max(0)
    kept = (most > 0) & units.any(1)
    places, units = (places / np.where(most > 0, most, 1))[:, kept], (units * most[:, None])[kept]
    order = np.argsort(places.argmax(0) % width, kind="stable")
    places, units = places[:, order], units[order]
    lack = np.linalg.norm(rows - places @ units) / np.linalg.norm(rows)
    return Groups(tap, places.T.reshape(-1, height, width), units, float(lack))
