"""Map which classes each position of a layer speaks for, in one photo."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import dataclass

import numpy as np
import tensorflow as tf

from kerasviz.analysis.photo_pass import PhotoPass, Score
from kerasviz.errors import UsageError
from kerasviz.network.positions import positions_of
from kerasviz.optvis.objectives.probes import fitted, sklearn_module
from kerasviz.types import Array, Tensor

#: Classes with the largest logits that are mapped.
CLASSES = 16
#: Groups of classes, each of which has a colour.
COLOURS = 3


@dataclass(frozen=True, eq=False)
class ClassMap:
    """Hold what each position of a layer contributes to the logits of classes.

    Args:
        tap: The name of the layer.
        classes: [K] The numbers of the classes, that with the largest logit first.
        logits: [K] Their logits.
        contributions: [h, w, K] Activation times gradient, summed over the units.
        sizes: [h, w] in [0, 1] The length of the activations, over the largest.
        missing: [K] What the contributions of a class lack of its logit less that where the layer
            is 0, special tokens among them.
        special: [K] The contributions of special tokens, which are not on the map.

    Reference:
        Olah et al., "The Building Blocks of Interpretability" (Distill 2018): spatial attribution.
    """

    tap: str
    classes: tuple[int, ...]
    logits: Array
    contributions: Array
    sizes: Array
    missing: Array
    special: Array

    def top(self, count: int = 4) -> Array:
        """Return the places among ``classes`` of the most raised ones, [h, w, count]."""
        order: Array = np.argsort(-self.contributions, -1, kind="stable")[..., :count]
        return order

    def mixture(self, count: int = COLOURS) -> tuple[Array, Array]:
        """Return how much of each of ``count`` groups of classes a position has, and the groups.

        Returns:
            [h, w, count] in [0, 1], and [count, K], whose rows sum to 1. Only what raises a class
            counts (non-negative matrix factorization).
        """
        height, width, classes = self.contributions.shape
        rows = self.contributions.clip(0).reshape(-1, classes).astype(np.float64)
        count = min(count, *rows.shape)
        if not rows.any():
            return np.zeros((height, width, count)), np.zeros((count, classes))
        nmf = sklearn_module("decomposition").NMF
        model = nmf(count, init="nndsvda", random_state=0, max_iter=1000)
        shares = fitted(model.fit_transform, rows) * model.components_.sum(1)
        groups = model.components_ / np.maximum(model.components_.sum(1, keepdims=True), 1e-12)
        return (shares / max(shares.max(), 1e-12)).reshape(height, width, count), groups


def map_classes(
    run: PhotoPass, tap: str, classes: Sequence[int] = (), count: int = CLASSES
) -> ClassMap:
    """Attribute the logits of classes to the positions of a layer, by the linear approximation.

    Args:
        run: A pass of the photo with the layer and the tap of the logits.
        tap: A layer with positions.
        classes: The numbers of the classes; by default those with the largest logits.
        count: The number of classes, if none are named.

    Raises:
        UsageError: For a network without classes, a layer without positions, and one that the
            classes do not depend on.

    Example:
        >>> photo = np.ones((16, 16, 3), np.float32) / 2
        >>> run = PhotoPass(net, photo, ["block3b"], [net.require_logits().name])
        >>> found = map_classes(run, "block3b", count=2)
        >>> found.contributions.shape, len(found.classes)
        ((12, 12, 2), 2)
    """
    net = run.net
    logits = net.require_logits().name
    place = positions_of(net, tap, run.size)
    if place.map is None or np.prod(place.map) < 2:
        raise UsageError(f"{place.describe()}, so no map of classes; name a layer that has a map")
    values = class_logits(run)
    chosen = [int(n) for n in (classes or np.argsort(-values, kind="stable")[:count])]
    score = _class_score(logits, [net.classes.first + n for n in chosen])
    activations = run.values(tap)
    channels = activations.shape[-1]
    _, slopes = run.derivatives(tap, score, np.ones(len(chosen)))
    if not slopes.any():
        raise UsageError(f"{net.name}: the classes do not depend on {tap}; name a layer before")
    nothing, _ = run.derivatives(tap, score, np.zeros(len(chosen)))
    rows = activations.reshape(-1, channels)
    shares = np.einsum("pc,kpc->pk", rows, slopes.reshape(len(chosen), -1, channels))
    own = shares[place.special :].reshape(*place.map, -1)
    norms = np.linalg.norm(rows[place.special :], axis=-1).reshape(place.map)
    return ClassMap(
        tap=tap,
        classes=tuple(chosen),
        logits=values[chosen],
        contributions=own,
        sizes=norms / max(norms.max(), 1e-12),
        missing=values[chosen] - nothing - shares.sum(0),
        special=shares[: place.special].sum(0),
    )


def class_logits(run: PhotoPass) -> Array:
    """Return the logits of a photo, [classes], the mean over positions of a head that has them."""
    tap = run.net.require_logits().name
    values = run.values(tap)
    mean: Array = values.reshape(-1, values.shape[-1]).mean(0)[run.net.classes.first :]
    return mean


def _class_score(logits: str, channels: Sequence[int]) -> Score:
    """Return the score whose row k is the logit at channel k of a list."""

    def of(found: Mapping[str, Tensor], rows: Tensor) -> Tensor:
        a = found[logits]
        mean = tf.reduce_mean(tf.reshape(a, [a.shape[0], -1, a.shape[-1]]), 1)
        return tf.gather(mean, tf.gather(tf.constant(channels), rows), axis=1, batch_dims=1)

    return Score((logits,), of)
