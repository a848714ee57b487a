"""Find the weights between two neighbouring layers, and apply them as a convolution."""

from __future__ import annotations

from collections.abc import Callable, Sequence
from dataclasses import dataclass, replace

import numpy as np
import tensorflow as tf

from kerasviz.analysis.connections import blank_image, connections, cropped
from kerasviz.analysis.linearization import linearize
from kerasviz.analysis.offsets import Offsets
from kerasviz.errors import UsageError
from kerasviz.network.network import Network
from kerasviz.network.positions import positions_of
from kerasviz.network.program import Edit, Kernels
from kerasviz.types import Array, Size, Tensor

#: How far the weights may be from the layer itself, relative to its largest value.
TOLERANCE = 1e-3


@dataclass(frozen=True, eq=False)
class LayerWeights:
    """Hold the weights of all units of a layer, the same at every position.

    Args:
        kernel: [kh, kw, inputs, outputs].
        strides: The positions of the source between two neighbours of the target, (y, x).
        first: The position in the source of the first weight of the unit at (0, 0); it may lie
            outside, where the source counts as 0.
    """

    kernel: Array
    strides: tuple[int, int]
    first: tuple[int, int]

    @property
    def outputs(self) -> int:
        """The number of units of the later layer."""
        return int(self.kernel.shape[-1])

    def of_sign(self, sign: str) -> LayerWeights:
        """Return the weights of a sign, "positive", "negative" or "all", and 0 for the others."""
        if sign == "all":
            return self
        least = np.maximum if sign == "positive" else np.minimum
        return replace(self, kernel=least(self.kernel, 0))

    def only(self, start: int, end: int) -> LayerWeights:
        """Return the weights of some of the units."""
        return replace(self, kernel=self.kernel[..., start:end])

    def apply(self, inputs: Tensor, shape: Sequence[int]) -> Tensor:
        """Compute what the weights contribute to the later layer.

        Args:
            inputs: The earlier layer: [B, h, w, C], [B, tokens, C] or [B, C].
            shape: The shape of the later layer.
        """
        sides = [*inputs.shape[1:-1]]
        lengths = list(shape[1:-1])
        x = tf.reshape(inputs, [tf.shape(inputs)[0], *_two(sides), inputs.shape[-1]])
        pads, cuts = [], []
        wanted = zip(
            _two(sides), _two(lengths), self.kernel.shape[:2], self.strides, self.first, strict=True
        )
        for side, length, window, stride, first in wanted:
            last = first + stride * (length - 1) + window
            pads.append((max(0, -first), max(0, last - side)))
            start = max(0, first)
            cuts.append(slice(start, start + last - first))
        x = tf.pad(x, [(0, 0), *pads, (0, 0)])[:, cuts[0], cuts[1]]
        kernel = tf.cast(self.kernel, x.dtype)
        made = tf.nn.conv2d(x, kernel, [1, *self.strides, 1], "VALID")
        return tf.reshape(made, [tf.shape(made)[0], *lengths, self.outputs])


def _two(lengths: Sequence[int]) -> tuple[int, int]:
    """Return the lengths of two axes: a row is one line, a vector one position."""
    return _at(lengths, 1)


def layer_weights(net: Network, source: str, target: str, size: Size | None = None) -> LayerWeights:
    """Compute the weights between two layers with nothing but a linear way between.

    Args:
        net: The network.
        source: The name of the earlier tap.
        target: The name of the later tap, before its activation function.
        size: (height, width) of the image at which they are computed and compared.

    Raises:
        UsageError: If the weights do not explain the later layer of a random image, because
            the way between has activation functions, maxima or gates.

    Example:
        >>> layer_weights(net, "stem", "block3b_pre_relu").kernel.shape
        (3, 3, 8, 8)
    """
    net = net.focused([source, target])
    shape = blank_image(net, size).shape
    noise: Array = np.random.default_rng(0).random(tuple(shape), np.float32)
    before, after = net.activations(noise[None], [source, target]).values()
    if max(len(before.shape), len(after.shape)) > 4:
        raise UsageError(f"{net.name}: {source} to {target}: too many axes; name other taps")
    found = connections(net, source, target, range(after.shape[-1]), image=noise)
    grown = found.weights.reshape(len(found.units), *_two(found.weights.shape[1:-1]), -1)
    strides, first = _geometry(net, source, target, noise)
    weights = LayerWeights(np.moveaxis(grown, 0, -1), strides, first)
    silent = net.activations(noise[None], [target], kernels=_zeroed(net, source))[target]
    off = abs(after - silent - weights.apply(before, after.shape))
    if float(tf.reduce_max(off)) > TOLERANCE * float(tf.reduce_max(abs(after - silent))):
        between = ", ".join(found.skipped[-2:])
        raise UsageError(
            f"{net.name}: the way from {source} to {target} is not linear"
            f"{f' ({between} on it)' if between else ''}; name a layer and what it is computed from"
        )
    return weights


def _zeroed(net: Network, tap: str) -> Kernels:
    """Return how to compute a network in which a tap is 0."""

    def zero(value: Tensor, read: Callable[[str], Tensor]) -> Tensor:
        return tf.zeros_like(value)

    edits: dict[str, Edit] = dict.fromkeys(net.taps[tap].parts, zero)
    return Kernels(edits=edits)


def _geometry(
    net: Network, source: str, target: str, image: Array
) -> tuple[tuple[int, int], tuple[int, int]]:
    """Return the strides, and where the weights of the first position begin.

    Both are seen at the middle and beside it, where no border cuts weights off.
    """
    linear = linearize(net, source, target)
    with tf.GradientTape(persistent=True, watch_accessed_variables=False) as tape:
        offsets = Offsets(net, [source], tape, linear.kernels)
        images = tf.constant(image, tf.float32)[None]
        values = net.activations(images, [source, target], kernels=offsets.kernels)[target]
    lengths = values.shape[1:-1]
    mixed = np.random.default_rng(1).normal(size=values.shape[-1])

    def corner(point: Sequence[int]) -> tuple[int, ...]:
        upstream = np.zeros(values.shape, np.float32)
        upstream[(0, *point)] = mixed
        found = offsets.derivatives(values, upstream=tf.constant(upstream, values.dtype))[source]
        return cropped(found.numpy()[:1])[1]

    centre = positions_of(net, target, image.shape[:2]).centre
    here = corner(centre)
    if len(here) != len(centre):
        return (1, 1), _at(here, 0)
    beside = corner([min(k + 1, n - 1) for k, n in zip(centre, lengths, strict=True)])
    steps = [max(1, b - a) for a, b in zip(here, beside, strict=True)]
    first = [a - step * k for a, step, k in zip(here, steps, centre, strict=True)]
    return _at(steps, 1), _at(first, 0)


def _at(numbers: Sequence[int], otherwise: int) -> tuple[int, int]:
    """Return the numbers of two axes, of which a row or a vector lacks the first."""
    height, width = ([otherwise, otherwise, *numbers])[-2:]
    return height, width
