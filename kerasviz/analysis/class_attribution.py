"""Attribute the logits of all classes to single positions of a layer, many photos at once."""

from __future__ import annotations

import tensorflow as tf

from kerasviz.analysis.offsets import Offsets
from kerasviz.network.network import Network
from kerasviz.network.positions import Positions
from kerasviz.types import Tensor


def attributed_positions(
    net: Network, images: Tensor, positions: Positions, numbers: Tensor
) -> tuple[Tensor, Tensor]:
    """Compute a layer at some positions, and what each contributes to all classes.

    The contribution of a position with activations h to a class is the sum over channels of h times
    the derivative of the logit by h. For all classes that is the derivative of the logits along h,
    which two gradients give: the gradient of a weighted sum of logits is differentiated again, by
    the weights.

    Args:
        net: The network, which has logits.
        images: [B, H, W, C] in [0, 1].
        positions: The positions of the layer.
        numbers: [B, K] Positions on its map, counted row by row without special tokens.

    Returns:
        Activations [B, K, C], and contributions [B, K, classes], both float32.

    Raises:
        LookupError: Where the network after the layer has an operation without a second derivative.

    Reference:
        Olah et al., "The Building Blocks of Interpretability" (Distill 2018): linear attribution.
    """
    tap, logits = positions.tap, net.require_logits().name
    first = net.classes.first
    count = numbers.shape[1]
    with tf.GradientTape(persistent=True, watch_accessed_variables=False) as outer:
        with tf.GradientTape(watch_accessed_variables=False) as inner:
            offsets = Offsets(net, [tap], inner)
            values = net.activations(images, [logits, tap], kernels=offsets.kernels)
            of_class = tf.cast(values[logits], tf.float32)[..., first:]
            if of_class.shape.rank > 2:  # a head with positions
                of_class = tf.reduce_mean(of_class, list(range(1, of_class.shape.rank - 1)))
            weights = tf.zeros_like(of_class)
            outer.watch(weights)
            weighted = tf.reduce_sum(weights * of_class)
        layer = tf.cast(offsets.values[tap], tf.float32)
        slopes = offsets.derivatives(weighted)[tap]
        chosen = activations_at(positions, layer, numbers)
        of_position = tf.cast(activations_at(positions, slopes, numbers), tf.float32)
        along = [tf.reduce_sum(of_position[:, k] * chosen[:, k]) for k in range(count)]
    zero = tf.UnconnectedGradients.ZERO
    shares = [outer.gradient(part, weights, unconnected_gradients=zero) for part in along]
    return chosen, tf.stack(shares, 1)


def activations_at(positions: Positions, layer: Tensor, numbers: Tensor) -> Tensor:
    """Take some positions [B, K] of the map of a layer [B, ..., C]: [B, K, C]."""
    maps = positions.on_map(layer)
    shape = tf.shape(maps)
    rows = tf.reshape(maps, [shape[0], shape[1] * shape[2], maps.shape[-1]])
    return tf.gather(rows, numbers, batch_dims=1)
