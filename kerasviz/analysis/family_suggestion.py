"""Suggest families of units: those whose tuning is the same but for a rotation."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass

import numpy as np

from kerasviz.analysis.joint_tuning import JointTuning
from kerasviz.analysis.sweeps import TURN
from kerasviz.io.digits import rounded
from kerasviz.optvis.objectives.probes import sklearn_module
from kerasviz.types import Array

#: The least mean similarity of the units of a family.
ALIKE = 0.8
#: The least spread of a tuning curve, as a share of its largest value, of a unit with a direction.
DIRECTED = 0.5


@dataclass(frozen=True)
class RotatedUnits:
    """Hold units that are tuned alike but for a rotation.

    Args:
        units: Their numbers, in the order of the rotation.
        degrees: How far each is turned to the left from the one with the lowest number.
    """

    units: tuple[int, ...]
    degrees: tuple[float, ...]


def rotated_alike(
    heat: Array, units: Sequence[int], period: float = TURN, alike: float = ALIKE
) -> list[RotatedUnits]:
    """Cluster units by the circular cross-correlation of their heat maps.

    Args:
        heat: [rows, columns, units] Responses; columns are angles around the circle.
        units: The numbers of the units that are compared.
        period: The degrees around the circle.
        alike: The least mean similarity of units of a family, 0 to 1.

    Returns:
        Families of two units or more, largest first. Units that respond alike to all directions are
        in none.

    Raises:
        UsageError: Without scikit-learn.

    Example:
        >>> bump = np.exp(np.cos(np.radians(np.arange(0, 360, 10))))
        >>> heat = np.stack([np.roll(bump, k) for k in (0, 9, 27, 18)], -1)[None]
        >>> rotated_alike(heat, range(4))
        [RotatedUnits(units=(0, 1, 3, 2), degrees=(0.0, 90.0, 180.0, 270.0))]
    """
    most = np.abs(heat).max((0, 1))
    spread = np.ptp(heat, axis=1).max(0)
    directed = [unit for unit in units if most[unit] and spread[unit] >= DIRECTED * most[unit]]
    maps = np.moveaxis(heat[..., directed].astype(np.float64), -1, 0)
    maps -= maps.mean(-1, keepdims=True)  # what does not depend on the angle
    maps /= np.sqrt((maps**2).sum((1, 2), keepdims=True))
    similarity, shifts = _correlated(maps, maps)
    return _clusters(directed, similarity, shifts * period / maps.shape[-1], period, alike)


def rotated_together(joint: Sequence[JointTuning], alike: float = ALIKE) -> list[RotatedUnits]:
    """Cluster units by how they respond to each other's photos, turned.

    Two units are alike if turning the photos of one excites the other as much as its own photos do,
    with a curve of the same form.

    Args:
        joint: The joint tuning of all units by the photos of each of them.
        alike: The least mean similarity of units of a family, 0 to 1.

    Returns:
        As :func:`rotated_alike`.
    """
    own_curves = [each.curves[each.units.index(each.unit)] for each in joint]
    most = [float(np.abs(curve).max()) for curve in own_curves]
    spread = [float(np.ptp(curve)) for curve in own_curves]
    directed = [n for n in range(len(joint)) if most[n] and spread[n] >= DIRECTED * most[n]]
    joint = [joint[n] for n in directed]
    if not joint:
        return []
    units = [each.unit for each in joint]
    columns = [joint[0].units.index(unit) for unit in units]
    curves = np.stack([each.curves[columns] for each in joint])  # photos of, recorded, degrees
    own = np.arange(len(joint))
    peaks = curves.max(-1)
    reached = np.clip(peaks / np.maximum(peaks[own, own], 1e-12), 0, 1)
    centred = curves - curves.mean(-1, keepdims=True)
    norms = np.sqrt((centred**2).sum(-1, keepdims=True))
    centred /= np.where(norms > 0, norms, 1)
    similarity = np.zeros(peaks.shape)
    shifts = np.zeros(peaks.shape)
    for number in own:
        rows = centred[number][:, None]
        found, ahead = _correlated(rows[[number]], rows)
        similarity[number], shifts[number] = found[0], ahead[0]
    similarity *= reached
    degrees = shifts * TURN / curves.shape[-1]
    return _clusters(units, (similarity + similarity.T) / 2, degrees, TURN, alike)


def _correlated(first: Array, second: Array) -> tuple[Array, Array]:
    """Return the largest circular correlations of maps [units, rows, N], and where they are.

    Both are [units of the first, units of the second]; places are columns by which the second is
    ahead.
    """
    spectra = [np.fft.rfft(maps, axis=-1) for maps in (first, second)]
    product = np.einsum("urk,vrk->uvk", spectra[0].conj(), spectra[1])
    whole = np.fft.irfft(product, first.shape[-1], axis=-1)
    return whole.max(-1), whole.argmax(-1).astype(np.float64)


def _clusters(
    units: Sequence[int], similarity: Array, degrees: Array, period: float, alike: float
) -> list[RotatedUnits]:
    """Return the clusters by average linkage; ``degrees`` [u, v] is how far v is ahead of u."""
    if len(units) < 2:
        return []
    clustering = sklearn_module("cluster").AgglomerativeClustering(
        n_clusters=None, metric="precomputed", linkage="average", distance_threshold=1 - alike
    )
    labels = clustering.fit_predict(np.clip(1 - similarity, 0, None))
    families = []
    for label in np.unique(labels):
        members = np.flatnonzero(labels == label)
        if len(members) < 2:
            continue
        first = min((int(n) for n in members), key=lambda n: units[n])
        turns = {int(n): float(degrees[first, n] % period) for n in members}
        order = sorted(turns, key=lambda n: (turns[n], units[n]))
        families.append(
            RotatedUnits(
                tuple(int(units[n]) for n in order),
                tuple(rounded(turns[n], 4) for n in order),
            )
        )
    return sorted(families, key=lambda family: (-len(family.units), family.units))
