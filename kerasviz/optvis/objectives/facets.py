"""Steer a picture towards one kind of what its unit responds to, by linear probes of layers."""

from __future__ import annotations

import math
from collections.abc import Mapping, Sequence
from typing import TYPE_CHECKING, Any

import numpy as np

from kerasviz.errors import ModelError, UsageError
from kerasviz.optvis.held_array import HeldArray
from kerasviz.optvis.objectives.term import Objective, Term
from kerasviz.types import Array, Size, Tensor

if TYPE_CHECKING:
    from kerasviz.network.network import Network

#: The weight of a facet (that of the authors). With 1 its term is about as large as the score of
#: the target where the probe agrees with all that raises it.
WEIGHT = 5.0
#: The weights of a row of pictures that shows what steering does (those of the authors' figures).
ROW = tuple(round(0.1 + 4.9 * k / 8, 4) for k in range(9))


def facet(
    taps: str | Sequence[str],
    probes: Any,
    weight: float = WEIGHT,
    name: str = "facet",
    grid: Sequence[tuple[int, int]] = (),
) -> Objective:
    """Steer the other terms of a sum towards what linear probes of earlier layers tell apart.

    With t for the sum of the other terms, it is the mean over layers of the sum over positions and
    channels of w A relu(dt/dA), where w is the probe divided by its largest weight, and the
    gradient dt/dA is held fixed. So a layer counts as far as it raises the target.

    Args:
        taps: The layers, before that of the target.
        probes: For each layer the weights of its channels and then the bias, one after the other;
            :func:`kerasviz.render` makes them of folders of photos.
        weight: The strength.
        name: What the probes tell apart, for people.
        grid: For each layer the (height, width) of a probe [height, width, C] that has weights of
            its own at every position; they are resized bilinearly to those of the layer.

    Example:
        >>> facet("mixed4b", np.ones(513), name="grass").terms[0].probe.name
        'grass'

    Reference:
        Goh et al., "Multimodal Neurons in Artificial Neural Networks" (Distill 2021), on faceted
        feature visualization; the ReLU is that of the authors' program.
    """
    names = (taps,) if isinstance(taps, str) else tuple(taps)
    array = np.array(probes, np.float32).reshape(-1)
    if not names or not np.isfinite(array).all():
        raise UsageError("facet: expected names of layers, and finite numbers as probes")
    sides = tuple(int(side) for cell in grid for side in cell)
    if len(sides) not in (0, 2 * len(names)) or min(sides, default=1) < 1:
        raise UsageError(f"facet: grid {grid!r}; expected a (height, width) for each layer")
    held = HeldArray.of(array, name)
    return Objective((Term("facet", weight=weight, taps=names, probe=held, grid=sides),))


def probe_parts(term: Term, net: Network) -> list[tuple[Array, float]]:
    """Return the weights and the bias of the probe of every layer of a facet.

    The weights are [C], or [height, width, C] for a probe with a grid.

    Raises :class:`UsageError` for probes that do not fit the layers.
    """
    channels = [net.taps[tap].channels for tap in term.taps]
    if any(count is None for count in channels):
        raise UsageError(f"facet: {', '.join(term.taps)}: a layer has no fixed number of channels")
    cells = zip(term.grid[::2], term.grid[1::2], strict=True)
    shapes: list[tuple[int, ...]] = [(int(count or 0),) for count in channels]
    if term.grid:
        shapes = [(*cell, *shape) for cell, shape in zip(cells, shapes, strict=True)]
    lengths = [math.prod(shape) + 1 for shape in shapes]
    array = np.zeros(0) if term.probe is None else term.probe.numbers
    if len(array) != sum(lengths):
        raise UsageError(
            f"facet of {len(array)} numbers: {', '.join(term.taps)} take {sum(lengths)}, for each "
            f"channel {'and position ' if term.grid else ''}one, and a bias for each layer"
        )
    parts = np.split(array, np.cumsum(lengths)[:-1])
    return [
        (part[:-1].reshape(shape), float(part[-1]))
        for part, shape in zip(parts, shapes, strict=True)
    ]


def pack_facets(terms: Sequence[Term], net: Network, size: Size | None = None) -> dict[str, Array]:
    """Fill the tensors of one facet of each row: ``vector`` [B, N], ``weight`` [B].

    N is the number of channels of all layers, or that of all their numbers in images of ``size``
    where a probe has a grid. Every layer's weights are divided by the largest of them.
    """
    spread = any(term.grid for term in terms)
    vectors = []
    for term in terms:
        parts = [_scaled(weights) for weights, _ in probe_parts(term, net)]
        if spread:
            maps = [_extent(tap, net, size) for tap in term.taps]
            parts = [_at_positions(w, extent) for w, extent in zip(parts, maps, strict=True)]
        vectors.append(np.concatenate([part.reshape(-1) for part in parts]))
    return {
        "vector": np.array(vectors, np.float32),
        "weight": np.array([term.weight for term in terms], np.float32),
    }


def _scaled(weights: Array) -> Array:
    largest = np.abs(weights).max(initial=0.0)
    return weights / largest if largest else weights


def _extent(tap: str, net: Network, size: Size | None) -> Size:
    """Return the (height, width) of a layer in images of a size."""
    from kerasviz.network.positions import positions_of

    extent = positions_of(net, tap, size).extent if size is not None else ()
    if len(extent) != 2 or None in extent:
        raise UsageError(
            f"facet: probes with a grid are of layers with positions (y, x), which {tap} has not "
            "in images of this size; leave out the grid"
        )
    return int(extent[0] or 0), int(extent[1] or 0)


def _at_positions(weights: Array, extent: Size) -> Array:
    """Return weights [C] or [h, w, C] at every position [H, W, C], resized bilinearly.

    Centres of cells lie on those of the pixels that they cover.
    """
    if weights.ndim == 1:
        return np.broadcast_to(weights, (*extent, len(weights)))
    for axis, count in enumerate(extent):
        cells = weights.shape[axis]
        at = np.clip((np.arange(count) + 0.5) * cells / count - 0.5, 0, cells - 1)
        share = np.maximum(1 - np.abs(at[:, None] - np.arange(cells)), 0)
        weights = np.moveaxis(np.tensordot(share, weights, (1, axis)), 0, axis)
    return weights


def facet_scores(target: Tensor, layers: Mapping[str, Tensor], vector: Tensor) -> Tensor:
    """Compute the unweighted scores [B] of a facet beside a ``target`` [B] in a graph.

    ``layers`` are activations [B, ..., C] by tap, from which the target is computed; ``vector`` [B,
    N], of N channels or numbers of all layers, comes from :func:`pack_facets`. Raises
    :class:`ModelError` where the target is not computed from a layer.
    """
    import tensorflow as tf  # the command line reads this module before

    slopes = tf.gradients(target, list(layers.values()))
    spread = vector.shape[-1] != sum(a.shape[-1] for a in layers.values())
    total, first = 0.0, 0
    for (tap, a), slope in zip(layers.items(), slopes, strict=True):
        if slope is None:
            raise ModelError(
                f"facet: the target has no gradient at {tap}; name a layer before it, and render "
                "with precision float32 and the batch that the network requires"
            )
        places = a.shape[1:-1] if spread else [1] * (a.shape.rank - 2)
        count = math.prod(places) * a.shape[-1]
        weights = tf.reshape(vector[:, first : first + count], [-1, *places, a.shape[-1]])
        first += count
        rising = tf.nn.relu(tf.stop_gradient(slope))
        axes = list(range(1, a.shape.rank))
        total += tf.reduce_sum(weights * a * rising, axis=axes)
    return total / len(layers)
