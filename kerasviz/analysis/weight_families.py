"""Suggest families of units whose weights are the same but for a turn, a flip or the sign."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass

import numpy as np
import tensorflow as tf

from kerasviz.analysis.connections import blank_image, cropped
from kerasviz.analysis.families import Family
from kerasviz.analysis.linearization import linearize
from kerasviz.errors import UsageError
from kerasviz.network.network import Network
from kerasviz.network.positions import positions_of
from kerasviz.optvis.objectives.probes import sklearn_module
from kerasviz.types import Array, Size

#: The least cosine of the weights of two units of a family.
ALIKE = 0.8
#: The largest side, in pixels, at which weights are compared.
SIDE = 40


@dataclass(frozen=True)
class Turn:
    """Describe a change of an image: first a flip, then a turn, then the sign.

    Args:
        degrees: 0, 90, 180 or 270, to the left.
        flipped: Whether left and right are exchanged before.
        negative: Whether dark and light are exchanged.
    """

    degrees: int = 0
    flipped: bool = False
    negative: bool = False

    def apply(self, weights: Array) -> Array:
        """Change weights [..., h, w, channels] of a square.

        >>> Turn(90).apply(np.array([[[1], [2]], [[3], [4]]]))[..., 0]
        array([[2, 4],
               [1, 3]])
        """
        turned = weights[..., ::-1, :] if self.flipped else weights
        turned = np.rot90(turned, self.degrees // 90, axes=(-3, -2))
        return -turned if self.negative else turned

    def __str__(self) -> str:
        parts = [f"{self.degrees}°"]
        parts += ["flipped"] if self.flipped else []
        return " ".join([*parts, "negative"] if self.negative else parts)


#: All turns, simple ones first.
TURNS = tuple(
    Turn(degrees, flipped, negative)
    for negative in (False, True)
    for flipped in (False, True)
    for degrees in (0, 90, 180, 270)
)


def pixel_weights(
    net: Network, tap: str, units: Sequence[int], *, size: Size | None = None
) -> Array:
    """Return the expanded weights from the pixels to units, [units, side, side, colours].

    They are the derivatives of the units, at the middle of their layer, in the linearized network,
    cut to the square that the units see. Large squares are scaled to 40 pixels.

    Args:
        net: The network.
        tap: The name of the layer, before or behind its activation function alike.
        units: Numbers of units.
        size: (height, width) of the image, by default the network's own.

    Raises:
        UsageError: If the pixels do not reach the units.

    Example:
        >>> pixel_weights(net, "stem", [0, 3], size=(16, 16)).shape
        (2, 3, 3, 3)
    """
    net = net.focused([tap])
    image = blank_image(net, size)
    linear = linearize(net, None, tap)
    point = positions_of(net, tap, image.shape[:2]).centre
    images = tf.constant(image, tf.float32)[None]
    with tf.GradientTape(persistent=True, watch_accessed_variables=False) as tape:
        tape.watch(images)
        row = net.activations(images, [tap], kernels=linear.kernels)[tap][(0, *point)]
    ones = tf.one_hot(list(units), row.shape[-1], dtype=row.dtype)
    parts = [tape.gradient(row, images, output_gradients=one) for one in ones]
    if any(part is None for part in parts) or not np.any(parts):
        raise UsageError(f"{net.name}: the pixels do not reach {tap}")
    box = cropped(np.concatenate([part.numpy() for part in parts]))[0]
    side = max(box.shape[1:3])
    pads = [((side - n) // 2, side - n - (side - n) // 2) for n in box.shape[1:3]]
    square: Array = np.pad(box, [(0, 0), *pads, (0, 0)])
    if side > SIDE:
        square = tf.image.resize(square, (SIDE, SIDE), "area").numpy()
    return square


def likeness(weights: Array, turns: Sequence[Turn] = TURNS) -> tuple[Array, Array]:
    """Compare the weights of all units with those of all others, turned.

    Args:
        weights: [units, side, side, channels].
        turns: What may be different.

    Returns:
        The largest cosine of each pair, [units, units], and the number of the turn: the weights of
        unit v are those of unit u after ``turns[best[u, v]]``.
    """
    flat = _normed(weights)
    cosines = np.stack([_normed(turn.apply(weights)) @ flat.T for turn in turns])
    best = cosines.argmax(0)
    return np.take_along_axis(cosines, best[None], 0)[0], best


def _normed(weights: Array) -> Array:
    flat = weights.reshape(len(weights), -1).astype(np.float64)
    lengths = np.linalg.norm(flat, axis=1, keepdims=True)
    normed: Array = flat / np.where(lengths > 0, lengths, 1)
    return normed


def suggest_families(
    weights: Array,
    tap: str,
    units: Sequence[int],
    *,
    alike: float = ALIKE,
    turns: Sequence[Turn] = TURNS,
) -> list[Family]:
    """Suggest families: units whose weights are alike after a turn, a flip or a change of sign.

    Args:
        weights: [units, side, side, channels], such as :func:`pixel_weights` returns.
        tap: The name of the layer.
        units: The numbers of the units.
        alike: The least mean cosine of the units of a family.
        turns: What may be different.

    Returns:
        Families of two units or more, largest first. Their units are in the order of the turns,
        which the comment says, from the one with the lowest number on.

    Raises:
        UsageError: Without scikit-learn.

    Example:
        >>> kernel = np.arange(9.0).reshape(1, 3, 3, 1) ** 2
        >>> kernels = np.concatenate([np.rot90(kernel, k, (1, 2)) for k in (0, 2, 1)])
        >>> suggest_families(kernels, "stem", [4, 5, 6])
        [Family(tap='stem', name='family 1', units=(4, 6, 5), comment='0°, 90°, 180°')]
    """
    if len(units) < 2:
        return []
    cosines, best = likeness(weights, turns)
    distances = np.clip(1 - np.maximum(cosines, cosines.T), 0, None)
    np.fill_diagonal(distances, 0)
    clusters = sklearn_module("cluster").AgglomerativeClustering(
        n_clusters=None, distance_threshold=1 - alike, metric="precomputed", linkage="average"
    )
    labels = clusters.fit_predict(distances)
    groups = [np.flatnonzero(labels == label).tolist() for label in range(labels.max() + 1)]
    groups = sorted((g for g in groups if len(g) > 1), key=lambda g: (-len(g), units[g[0]]))
    families = []
    for number, group in enumerate(groups, 1):
        first = group[0]
        order = sorted(group, key=lambda n: (best[first, n] if n != first else 0, units[n]))
        found = [turns[best[first, n]] if n != first else Turn() for n in order]
        comment = ", ".join(map(str, found))
        members = tuple(int(units[n]) for n in order)
        families.append(Family(tap, f"family {number}", members, comment))
    return families


def equivariance_rank(
    net: Network, tap: str, unit: int, images: Array, turn: Turn
) -> tuple[int, float]:
    """Say which place a unit takes among all units of its layer on turned images of another.

    Args:
        net: The network.
        tap: The name of the layer.
        unit: The number of the unit that should respond after the turn.
        images: [B, side, side, C] in [0, 1], to which the other unit responds: its pictures, or
            examples of it.
        turn: What is done to the images.

    Returns:
        The place, from 0 for the unit with the largest mean response, and that mean.

    Example:
        >>> place, response = equivariance_rank(net, "stem", 3, images, Turn(90))
        >>> 0 <= place < 8
        True
    """
    turned = np.ascontiguousarray(turn.apply(images - 0.5) + 0.5).astype(np.float32)
    values = net.activations(tf.constant(turned), [tap])[tap]
    means = tf.reduce_mean(values, list(range(values.shape.rank - 1))).numpy()
    return int((means > means[unit]).sum()), float(means[unit])
