"""Steer a picture towards one kind of what its unit responds to, by linear probes of layers."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from typing import TYPE_CHECKING, Any

import numpy as np

from kerasviz.errors import ModelError, UsageError
from kerasviz.optvis.held_array import HeldArray
from kerasviz.optvis.objectives.term import Objective, Term
from kerasviz.types import Array, Tensor

if TYPE_CHECKING:
    from kerasviz.network.network import Network

#: The weight of a facet (that of the authors). With 1 its term is about as large as the score of
#: the target where the probe agrees with all that raises it.
WEIGHT = 5.0


def facet(
    taps: str | Sequence[str], probes: Any, weight: float = WEIGHT, name: str = "facet"
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
    return Objective((Term("facet", weight=weight, taps=names, probe=HeldArray.of(array, name)),))


def probe_parts(term: Term, net: Network) -> list[tuple[Array, float]]:
    """Return the weights [C] and the bias of the probe of every layer of a facet.

    Raises :class:`UsageError` for probes that do not fit the layers.
    """
    channels = [net.taps[tap].channels for tap in term.taps]
    if any(count is None for count in channels):
        raise UsageError(f"facet: {', '.join(term.taps)}: a layer has no fixed number of channels")
    lengths = [int(count or 0) + 1 for count in channels]
    array = np.zeros(0) if term.probe is None else term.probe.numbers
    if len(array) != sum(lengths):
        raise UsageError(
            f"facet of {len(array)} numbers: {', '.join(term.taps)} take {sum(lengths)}, for each "
            "channel one, and a bias for each layer"
        )
    parts = np.split(array, np.cumsum(lengths)[:-1])
    return [(part[:-1], float(part[-1])) for part in parts]


def pack_facets(terms: Sequence[Term], net: Network) -> dict[str, Array]:
    """Fill the tensors of one facet of each row: ``vector`` [B, C of all layers], ``weight`` [B].

    Every layer's weights are divided by the largest of them.
    """
    vectors = [
        np.concatenate([_scaled(weights) for weights, _ in probe_parts(term, net)])
        for term in terms
    ]
    return {
        "vector": np.array(vectors, np.float32),
        "weight": np.array([term.weight for term in terms], np.float32),
    }


def _scaled(weights: Array) -> Array:
    largest = np.abs(weights).max(initial=0.0)
    return weights / largest if largest else weights


def facet_scores(target: Tensor, layers: Mapping[str, Tensor], vector: Tensor) -> Tensor:
    """Compute the unweighted scores [B] of a facet beside a ``target`` [B] in a graph.

    ``layers`` are activations [B, ..., C] by tap, from which the target is computed; ``vector`` [B,
    C of all layers] comes from :func:`pack_facets`. Raises :class:`ModelError` where the target is
    not computed from a layer.
    """
    import tensorflow as tf  # the command line reads this module before

    slopes = tf.gradients(target, list(layers.values()))
    total, first = 0.0, 0
    for (tap, a), slope in zip(layers.items(), slopes, strict=True):
        if slope is None:
            raise ModelError(
                f"facet: the target has no gradient at {tap}; name a layer before it, and render "
                "with precision float32 and the batch that the network requires"
            )
        weights = vector[:, first : first + a.shape[-1]]
        first += a.shape[-1]
        weights = tf.reshape(weights, [-1, *[1] * (a.shape.rank - 2), a.shape[-1]])
        rising = tf.nn.relu(tf.stop_gradient(slope))
        axes = list(range(1, a.shape.rank))
        total += tf.reduce_sum(weights * a * rising, axis=axes)
    return total / len(layers)
