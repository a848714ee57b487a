"""Optimize small pictures of many directions of a layer, which share parts of a few groups."""

from __future__ import annotations

from typing import Any

import numpy as np
import tensorflow as tf

from kerasviz.network.network import Network
from kerasviz.optvis.optimization.kernels import fast_kernels
from kerasviz.optvis.optimization.loop import compiled_function
from kerasviz.optvis.optimization.optimizers import UPDATES
from kerasviz.optvis.parameterizations.colour import to_rgb
from kerasviz.optvis.parameterizations.fourier import Fourier
from kerasviz.optvis.recipes import recipe
from kerasviz.types import Array, Tensor

#: What a picture has of its own and of the groups (lucid, ``AdversarialActivationGrid``).
OWN = 0.7
SHARED = 0.5
#: Pictures that take part in a step, at random (as ``OWN``).
AT_ONCE = 64
#: The learning rate of Adam.
RATE = 0.05


def shared_icons(
    net: Network, tap: str, vectors: Array, shares: Array, *, side: int, steps: int, seed: int = 0
) -> Array:
    """Optimize a picture for each direction of a layer; those of a group share a picture.

    The values of picture i, before colours, are 0.7 own_i + 0.5 (sum over j of share_ij group_j),
    all of them Fourier images. So similar vectors look alike.

    Args:
        net: A network that takes images of any size.
        tap: The name of a layer of C channels.
        vectors: [P, C].
        shares: [P, K] in [0, 1].
        side: The pictures' height and width in pixels.
        steps: The number of updates; 64 pictures take part in each.
        seed: The seed of the pictures and of the draws.

    Returns:
        [P, side, side, channels] in [0, 1].

    Example:
        >>> shares = np.array([[1.0], [0.5]])
        >>> shared_icons(net, "stem", np.eye(2, 8), shares, side=16, steps=2).shape
        (2, 16, 16, 3)

    Reference:
        Olah et al., "The Building Blocks of Interpretability" (Distill 2018): activation grids.
    """
    own = Fourier()
    transform, kernels = recipe("fast").transform, fast_kernels("float32")

    def pictures(unique: Any, common: Any, parts: Tensor) -> Tensor:
        values = OWN * own.values(unique, side, side)
        values += SHARED * tf.einsum("pk,khwc->phwc", parts, own.values(common, side, side))
        return to_rgb(values, own.decorrelate, own.root)

    def climb(
        unique: Any, common: Any, parts: Tensor, aims: Tensor, seeds: Tensor, step: Tensor
    ) -> Any:
        with tf.GradientTape(watch_accessed_variables=False) as tape:
            tape.watch((unique, common))
            seen = transform.apply(pictures(unique, common, parts), seeds, step)
            a = net.activations(seen, [tap], kernels=kernels)[tap]
            mean = tf.reduce_mean(tf.reshape(a, [a.shape[0], -1, a.shape[-1]]), 1)
            score = tf.reduce_sum(mean * aims)
        return tape.gradient(score, (unique, common))

    climbing, shown = compiled_function(climb), compiled_function(pictures)
    count, groups = shares.shape
    draw = np.random.default_rng(seed)
    states = [
        _started(own.init(tf.range(n, dtype=tf.int32) + first, side, side, net.channels))
        for n, first in ((count, seed), (groups, seed + count))
    ]
    taken = np.zeros(count, np.int32)
    parts = shares.astype(np.float32)
    for step in range(steps):
        rows = draw.permutation(count)[:AT_ONCE]
        unique = [[half[rows] for half in part] for part in states[0]]
        gradients = climbing(
            tuple(map(tf.constant, unique[0])),
            tuple(map(tf.constant, states[1][0])),
            tf.constant(parts[rows]),
            tf.constant(vectors[rows], tf.float32),
            tf.constant(rows + seed, tf.int32),
            tf.constant(step),
        )
        for part, new in zip(states[0], _moved(unique, gradients[0], taken[rows]), strict=True):
            for half, values in zip(part, new, strict=True):
                half[rows] = values
        states[1] = _moved(states[1], gradients[1], np.full(groups, step, np.int32))
        taken[rows] += 1
    found = []
    for first in range(0, count, AT_ONCE):
        some = tuple(tf.constant(half[first : first + AT_ONCE]) for half in states[0][0])
        common = tuple(map(tf.constant, states[1][0]))
        found.append(shown(some, common, tf.constant(parts[first : first + AT_ONCE])).numpy())
    return np.concatenate(found)


def _started(spectra: Any) -> list[list[Array]]:
    """Return parameters and the two moments of Adam, as arrays that can be changed."""
    params = [np.array(half) for half in spectra]
    return [params, *([np.zeros_like(half) for half in params] for _ in range(2))]


def _moved(state: list[list[Array]], gradient: Any, step: Array) -> list[list[Array]]:
    """Return a state after one step of Adam."""
    params, *moments = (tuple(map(tf.constant, part)) for part in state)
    new = UPDATES["adam"](RATE, params, moments, gradient, tf.constant(step))
    return [[np.array(half) for half in part] for part in new]
