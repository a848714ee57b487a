"""Compute gradients of an objective by an image: steepest directions, magnitudes, attribution.

The article shows them without any optimization, by one backward pass on a photo.
"""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from typing import Any

import numpy as np
import tensorflow as tf

from kerasviz.errors import UsageError, near
from kerasviz.network.network import Network
from kerasviz.optvis.objectives.objective import Objective
from kerasviz.optvis.objectives.packing import pack_objectives
from kerasviz.optvis.objectives.scoring import scores
from kerasviz.optvis.objectives.structure import IMAGE, Structure, structure_of, taps_in
from kerasviz.optvis.optimization.compile_cache import compiled
from kerasviz.optvis.parameterizations import Fourier
from kerasviz.optvis.parameterizations.colour import ROOTS
from kerasviz.types import Array, PreActivation, Tensor

#: The metrics of the article's figure on steepest descent.
METRICS = ("linf", "l2", "decorrelated")
#: The lower limit of high frequencies in cycles per pixel: half of the highest along an axis.
HIGH = 0.25


def gradients(
    net: Network,
    objective: Objective,
    images: Array,
    taps: Sequence[str] = (),
    *,
    pre_activation: PreActivation = True,
) -> tuple[Array, dict[str, Array], dict[str, Array]]:
    """Compute the scores [B] of images, their gradients and the activations, by tap.

    ``images`` [B, H, W, C] in [0, 1]. Both mappings have an entry for the image under ``IMAGE`` and
    one for each of ``taps``: its activations, and the derivative of the score by them (0 where the
    score does not depend on them).

    >>> _, slopes, activations = gradients(net, channel("mixed4a", 1), photo)  # doctest: +SKIP
    >>> slopes[IMAGE].shape == photo.shape                                     # doctest: +SKIP
    True
    """
    structure = structure_of(objective, net, pre_activation)
    height, width = images.shape[1:3]
    data = pack_objectives(
        structure, [objective] * len(images), net, pre_activation, (height, width)
    )
    function = _compiled(net, structure, tuple(dict.fromkeys(taps)))
    totals, slopes, activations = function(tf.convert_to_tensor(images, tf.float32), data)
    return totals.numpy(), _arrays(slopes), _arrays(activations)


def _compiled(net: Network, structure: Structure, taps: tuple[str, ...]) -> Any:
    """Return scores, gradients and activations as a graph that is traced once per image size."""
    key = ("gradients", structure, taps)
    names = dict.fromkeys([*taps, *taps_in(structure)])

    def make(net: Network) -> Any:
        def compute(x: Tensor, data: Mapping[str, Tensor]) -> Any:
            with tf.GradientTape(watch_accessed_variables=False) as tape:
                tape.watch(x)
                activations = {**net.activations(x, list(names)), IMAGE: x}
                totals = scores(structure, activations, data, tf.range(x.shape[0]))
            sources = {name: activations[name] for name in (IMAGE, *taps)}
            zero = tf.UnconnectedGradients.ZERO
            return totals, tape.gradient(totals, sources, unconnected_gradients=zero), sources

        return tf.function(compute, autograph=False)

    return compiled(net, key, make)


def _arrays(tensors: Mapping[str, Tensor]) -> dict[str, Array]:
    return {name: tensor.numpy() for name, tensor in tensors.items()}


def steepest(metric: str, slope: Array, images: Array) -> Array:
    """Return the direction of steepest ascent for a gradient [B, H, W, 3] under a metric.

    ``l2`` is the gradient, ``linf`` its sign. For ``decorrelated`` the parameters z of a Fourier
    image move by their gradient: with image = sigmoid(A z) the image moves by s A A^T s g, where
    s = image (1 - image). Source: paper, "Preconditioning and Parameterization". Raises
    :class:`UsageError` for another metric.
    """
    if metric == "l2":
        return slope
    if metric == "linf":
        return np.sign(slope)
    if metric != "decorrelated":
        raise UsageError(f"unknown metric {metric!r}; near: {near(metric, METRICS)}")
    space = Fourier()
    height, width = images.shape[1:3]
    squash = (images * (1 - images)).astype(np.float32)
    mixing = tf.constant(ROOTS[space.root].T, tf.float32)

    def values(z: Any) -> Tensor:
        colours = space.values(z, height, width)
        return tf.matmul(colours, mixing) if images.shape[-1] == 3 else colours

    seeds = tf.zeros([len(images)], tf.int32)
    start = space.init(seeds, height, width, images.shape[-1])
    zeros = tf.nest.map_structure(tf.zeros_like, start)
    with tf.GradientTape() as tape:
        tape.watch(zeros)
        product = tf.reduce_sum(values(zeros) * (squash * slope))
    ascent: Array = squash * values(tape.gradient(product, zeros)).numpy()
    return ascent


def decorrelated_colours(slope: Array, root: str = "svd") -> Array:
    """Decorrelate the colours of a gradient [..., 3]: C^(-1/2) g at every pixel, C = M M^T.

    C is the covariance of the colours of photos, up to its scale. A gradient whose colours vary
    together as those of photos becomes white. Of all maps W with W C W^T = 1 this is the symmetric
    one: it changes only the strength of colours, and the direction still ascends. Source: paper,
    footnote on equal energy.

    >>> grey, blue = decorrelated_colours(np.array([[1.0, 1.0, 1.0], [-0.5, -0.5, 1.0]]))
    >>> bool(np.abs(blue).max() > 3 * np.abs(grey).max())
    True
    """
    mixing = ROOTS[root]
    values, vectors = np.linalg.eigh(mixing @ mixing.T)
    whitening = (vectors / np.sqrt(values)) @ vectors.T
    mixed: Array = slope @ whitening
    return mixed.astype(slope.dtype)


def grid_pattern(magnitudes: Array) -> Array:
    """Return the pattern [p, p] that repeats in maps of magnitudes [B, h, w], around 1.

    Every position is divided by the mean of the p x p ones around it, so that what is in the image
    drops out, then all blocks of p x p are averaged. p is 8, 4 or 2, the largest that fits 7 times
    into the shorter side; maps that are smaller than 14 give the pattern [[1.0]].

    >>> stripes = np.tile([1.0, 3.0], (1, 16, 60))
    >>> grid_pattern(stripes).round(1)  # the first column has only part of a mean around it
    array([[0.5, 1.5],
           [0.5, 1.5]])
    """
    _, height, width = magnitudes.shape
    period = next((p for p in (8, 4, 2) if min(height, width) >= 7 * p), 1)
    if period == 1:
        return np.ones((1, 1))
    before = period // 2
    edges = (before, period - 1 - before)
    padded = np.pad(magnitudes.astype(np.float64), ((0, 0), edges, edges), mode="symmetric")
    windows = np.lib.stride_tricks.sliding_window_view(padded, (period, period), axis=(1, 2))
    around = windows.mean((-2, -1))
    shares = magnitudes / np.where(around > 0, around, 1)
    rows, columns = height // period, width // period
    whole = shares[:, : rows * period, : columns * period]
    pattern: Array = whole.reshape(-1, rows, period, columns, period).mean((0, 1, 3))
    return pattern


def colour_share(images: Array) -> Array:
    """Return the energy of the colours of images [B, H, W, 3] over that of their brightness: [B].

    Brightness is the mean of the three channels, colour the difference from it. Directions are
    around 0, photos around 0.5.

    >>> colour_share(np.array([1.0, 1.0, 1.0, 1.0, -0.5, -0.5]).reshape(2, 1, 1, 3)).tolist()
    [0.0, inf]
    """
    brightness = images.mean(-1, keepdims=True, dtype=np.float64)
    colour = ((images - brightness) ** 2).sum((1, 2, 3))
    with np.errstate(divide="ignore"):
        share: Array = colour / (images.shape[-1] * (brightness**2).sum((1, 2, 3)))
    return share


def attribution(net: Network, objective: Objective, images: Array, tap: str) -> Array:
    """Attribute the score to the positions of a layer, to first order: maps [B, h, w].

    The sum over channels of activation times gradient (the linear approximation of lucid's
    building blocks; also known as gradient x activation). Negative where a position lowers it.
    """
    _, slopes, activations = gradients(net, objective, images, [tap])
    if slopes[tap].ndim != 4:
        raise UsageError(f"attribution at {tap!r}: the layer has no positions")
    summed: Array = (slopes[tap] * activations[tap]).sum(-1)
    return summed


def high_frequency_share(images: Array) -> Array:
    """Return the share of the energy of images [B, H, W, C] in frequencies above 1/4: [B].

    The mean of each image does not count.

    >>> checkerboard = np.indices((8, 8)).sum(0)[None, :, :, None] % 2
    >>> high_frequency_share(checkerboard).tolist()
    [1.0]
    """
    height, width = images.shape[1:3]
    spectrum = np.abs(np.fft.fft2(np.asarray(images, np.float64), axes=(1, 2))) ** 2
    frequency = np.hypot(np.fft.fftfreq(height)[:, None], np.fft.fftfreq(width)[None, :])
    spectrum[:, 0, 0] = 0
    total = spectrum.sum((1, 2, 3))
    share: Array = (spectrum * (frequency > HIGH)[None, :, :, None]).sum((1, 2, 3)) / total
    return share
