"""Compute the weights between two taps, through all that is between them."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass, replace

import numpy as np
import tensorflow as tf

from kerasviz.analysis.linearization import linearize
from kerasviz.analysis.offsets import Offsets
from kerasviz.errors import UsageError
from kerasviz.network.network import Network
from kerasviz.network.positions import positions_of
from kerasviz.network.program import Edit
from kerasviz.network.size import USUAL
from kerasviz.types import Array, Size


@dataclass(frozen=True, eq=False)
class Connections:
    """Hold the weights from all units of one tap to some units of a later one.

    Args:
        source: The name of the earlier tap.
        target: The name of the later tap.
        units: The numbers of the units of the later tap.
        weights: [units, height, width, channels of the source]: how much the unit at its position
            grows with the source at the positions around it. For rows of tokens
            [units, tokens, channels], for vectors [units, channels].
        corner: The position in the source of the first weight; () for vectors.
        held: The gates, attention and statistics on the way that were held at the image.
        curved: The normalizations on the way that are not linear.
        skipped: The activation functions on the way that were left out.

    Reference:
        Voss et al., "Visualizing Weights" (Distill 2021).
    """

    source: str
    target: str
    units: tuple[int, ...]
    weights: Array
    corner: tuple[int, ...]
    held: tuple[str, ...] = ()
    curved: tuple[str, ...] = ()
    skipped: tuple[str, ...] = ()

    @property
    def strengths(self) -> Array:
        """The norms of the weights, [units, channels of the source]."""
        axes = tuple(range(1, self.weights.ndim - 1))
        norms: Array = np.sqrt((self.weights.astype(np.float64) ** 2).sum(axes))
        return norms

    @property
    def sums(self) -> Array:
        """The sums of the weights over the positions, [units, channels of the source].

        Above 0 the source excites the unit where it fills what the unit sees, below it inhibits.
        """
        sums: Array = self.weights.sum(tuple(range(1, self.weights.ndim - 1)), dtype=np.float64)
        return sums

    def partners(self, unit: int, count: int = 10) -> list[int]:
        """Return the units of the source with the strongest weights to a unit, strongest first."""
        row = self.strengths[self.units.index(unit)]
        return [int(n) for n in np.argsort(-row, kind="stable")[:count]]


def connections(
    net: Network,
    source: str,
    target: str,
    units: Sequence[int],
    *,
    position: tuple[int, ...] | None = None,
    image: Array | None = None,
    size: Size | None = None,
) -> Connections:
    """Compute the expanded weights from a tap to units of a later tap.

    They are the derivatives of the units by the earlier tap in the linearized network, see
    :func:`kerasviz.analysis.linearization.linearize`. Between neighbouring convolutions they are
    the kernel; through more layers all paths are summed.

    Args:
        net: The network.
        source: The name of the earlier tap. Of a pool take the output, not the input.
        target: The name of the later tap, before or behind its activation function alike.
        units: Numbers of units of the later tap.
        position: Where the units are taken: (y, x) or (token,). The centre by default.
        image: [H, W, C] in [0, 1], for networks with gates or attention, which are held at their
            values for it. Grey by default.
        size: (height, width) in pixels of the grey image, by default the network's own.

    Raises:
        UsageError: If nothing leads from one tap to the other, or for a position outside.

    Example:
        >>> found = connections(net, "stem", "block3b", [7], size=(16, 16))
        >>> found.weights.shape, len(found.partners(7, 3))
        ((1, 3, 3, 8), 3)
    """
    net = net.focused([source, target])
    image = blank_image(net, size) if image is None else image
    place = positions_of(net, target, image.shape[:2])
    point = place.centre if position is None else place.index(position, unit=units[0])
    linear = linearize(net, source, target)
    with tf.GradientTape(persistent=True, watch_accessed_variables=False) as tape:
        offsets = Offsets(net, [source], tape, linear.kernels)
        images = tf.constant(image, tf.float32)[None]
        values = net.activations(images, [source, target], kernels=offsets.kernels)[target]
        _check_units(net, target, units, values.shape[-1])
        row = values[(0, *point)]
    ones = tf.one_hot(list(units), row.shape[-1], dtype=row.dtype)
    parts = [offsets.derivatives(row, upstream=one)[source].numpy()[:1] for one in ones]
    whole: Array = np.concatenate(parts)
    if not whole.any():
        raise _nothing(net, source, target)
    weights, corner = cropped(whole)
    return Connections(
        source=source,
        target=target,
        units=tuple(units),
        weights=weights,
        corner=corner,
        held=linear.held,
        curved=linear.curved,
        skipped=linear.skipped,
    )


def _check_units(net: Network, tap: str, units: Sequence[int], channels: int) -> None:
    for unit in units:
        if not 0 <= unit < channels:
            raise UsageError(f"{net.name}: {tap} has the units 0 to {channels - 1}, given {unit}")


def cropped(weights: Array) -> tuple[Array, tuple[int, ...]]:
    """Cut weights [units, ..., channels] to the positions that are not all 0, and say where.

    >>> box, corner = cropped(np.pad(np.ones((1, 1, 2, 3)), [(0, 0), (2, 0), (1, 1), (0, 0)]))
    >>> box.shape, corner
    ((1, 1, 2, 3), (2, 1))
    """
    used = (weights != 0).any(axis=(0, weights.ndim - 1))
    box = []
    for axis in range(used.ndim):
        rest = tuple(k for k in range(used.ndim) if k != axis)
        lines = np.flatnonzero(used.any(rest))
        box.append((int(lines[0]), int(lines[-1]) + 1))
    cut = weights[(slice(None), *(slice(first, last) for first, last in box))]
    return cut, tuple(first for first, _ in box)


def connections_onward(
    net: Network,
    source: str,
    unit: int,
    target: str,
    *,
    position: tuple[int, ...] | None = None,
    image: Array | None = None,
    size: Size | None = None,
) -> Connections:
    """Compute the expanded weights from one unit to all units of a later tap.

    Args:
        net: The network.
        source: The name of the earlier tap.
        unit: The number of its unit.
        target: The name of the later tap.
        position: Where the unit is taken; the centre by default.
        image: As for :func:`connections`.
        size: As for :func:`connections`.

    Returns:
        Weights with one channel: [units of the target, height, width, 1], how much each of them
        grows at the positions around the unit. ``corner`` is a position of the target.

    Raises:
        UsageError: If nothing leads from one tap to the other.

    Example:
        >>> connections_onward(net, "stem", 7, "block3b", size=(16, 16)).weights.shape
        (8, 3, 3, 1)
    """
    net = net.focused([source, target])
    image = blank_image(net, size) if image is None else image
    place = positions_of(net, source, image.shape[:2])
    point = place.centre if position is None else place.index(position, unit=unit)
    linear = linearize(net, source, target)
    images = tf.constant(image, tf.float32)[None]
    first = net.activations(images, [source])[source]
    _check_units(net, source, [unit], first.shape[-1])
    tangent = np.zeros(first.shape, np.float32)
    tangent[(0, *point, unit)] = 1
    zeros = tf.zeros_like(first)
    parts = net.taps[source].parts
    ends = np.cumsum([0, *(net.taps[part].channels or first.shape[-1] for part in parts)])

    def shifted(k: int) -> Edit:
        return lambda value, read: value + zeros[..., ends[k] : ends[k + 1]]

    edits = {**linear.kernels.edits, **{part: shifted(k) for k, part in enumerate(parts)}}
    kernels = replace(linear.kernels, edits=edits)
    with tf.autodiff.ForwardAccumulator(zeros, tf.constant(tangent)) as forward:
        values = net.activations(images, [target], kernels=kernels)[target]
    found = forward.jvp(values)
    if found is None or not tf.reduce_any(found != 0):
        raise _nothing(net, source, target)
    grown = np.moveaxis(found.numpy()[0], -1, 0)[..., None]
    weights, corner = cropped(grown)
    return Connections(
        source=source,
        target=target,
        units=tuple(range(len(weights))),
        weights=weights,
        corner=corner,
        held=linear.held,
        curved=linear.curved,
        skipped=linear.skipped,
    )


def blank_image(net: Network, size: Size | None = None) -> Array:
    """Return a grey image [H, W, C] of the network's size."""
    height, width = net.fitting_size(size or net.trained_size or USUAL)
    return np.full((height, width, net.channels), 0.5, np.float32)


def _nothing(net: Network, source: str, target: str) -> UsageError:
    return UsageError(
        f"{net.name}: nothing of {source} reaches {target}; name a tap before it "
        "(kerasviz taps lists them in order)"
    )
