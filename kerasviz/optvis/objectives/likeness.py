"""Objectives that compare the activations of a picture with those of a photo."""

from __future__ import annotations

from collections.abc import Mapping, Sequence

import numpy as np

from kerasviz.errors import UsageError
from kerasviz.optvis.objectives.term import Objective, Term
from kerasviz.types import Array, Tensor

#: Added to a sum of squares, by which others are divided.
TINY = 1e-12


def caricature(tap: str, cosine: float = 0.0) -> Objective:
    """Maximize what a photo activates in a layer, which exaggerates what the layer saw in it.

    With A of the picture, P of the photo, over all positions and channels, and d = A . P / |P|^2 it
    is d max(0.1, A . P / (|A| |P| + 1e-6))^p for p = ``cosine``. The photo itself has the score 1,
    and goes through the same random transform as the picture.

    Args:
        tap: The name of a layer.
        cosine: The power p: 0 exaggerates most, with 1 or 2 the picture stays nearer to the photo.

    Example:
        >>> caricature("mixed4a", cosine=2).terms[0].cosine
        2.0

    Reference:
        lucid, ``recipes/caricature.py``, whose cosine is not divided by |P|.
    """
    return Objective((Term("caricature", tap, cosine=float(cosine)),))


def attributed(tap: str, of: Objective) -> Objective:
    """Maximize what of a photo in a layer contributes to a score: a caricature of a decision.

    With A of the picture, P of the photo, and w = P (ds/dP) for the score s of ``of``, divided by
    the largest |w|, it is the sum of A w over all positions and channels. The gradient of
    max-pooling is smoothed. What speaks against the score has a negative weight.

    Args:
        tap: The name of a layer, before that of ``of``.
        of: What is scored, such as a class.

    Example:
        >>> class_7 = Objective((Term("logit", unit=7),))
        >>> attributed("mixed4a", class_7).terms[0].of[0].unit
        7

    Reference:
        Olah et al., "The Building Blocks of Interpretability" (Distill 2018).
    """
    return Objective((Term("attributed", tap, of=of.terms),))


def inversion(tap: str) -> Objective:
    """Reproduce the activations of a photo in a layer: the picture shows what the layer knows.

    It is -|A - P|^2 / |P|^2 over all positions and channels: 0 where nothing is lost.

    Args:
        tap: The name of a layer.

    Example:
        >>> inversion("mixed4a").terms[0].kind
        'inversion'

    Reference:
        Mahendran & Vedaldi, "Understanding Deep Image Representations by Inverting Them" (2015).
    """
    return Objective((Term("inversion", tap),))


def likeness(tap: str, weight: float = -1.0) -> Objective:
    """Penalize the distance from the photo in an early layer, |A - P| as mean over positions.

    In the optimization it is multiplied by a number that makes its slope as steep as that of the
    score, measured once near the photo.

    Args:
        tap: The name of a layer.
        weight: The factor; a negative one keeps the picture near the photo.

    Example:
        >>> likeness("conv2").terms[0].weight
        -1.0

    Reference:
        Hamblin et al., "Feature Accentuation" (2024).
    """
    return Objective((Term("likeness", tap, weight=float(weight)),))


def pack_comparison(terms: Sequence[Term]) -> dict[str, Array]:
    """Fill the tensors [B] of one term of each row."""
    return {
        "weight": np.array([term.weight for term in terms], np.float32),
        "power": np.array([term.cosine for term in terms], np.float32),
    }


def pack_attributed(terms: Sequence[Term]) -> dict[str, Array]:
    """Fill the tensors of one term of each row: ``vector`` [B, numbers of the layer], ``weight``.

    Raises :class:`UsageError` where nothing was computed from a photo.
    """
    missing = [term.tap for term in terms if term.probe is None]
    if missing:
        raise UsageError(
            f"caricature of a target at {missing[0]}: of a photo; give --from PHOTO (in Python: "
            "from_=)"
        )
    vectors = [term.probe.numbers.reshape(-1) for term in terms if term.probe is not None]
    return {
        "vector": np.stack(vectors).astype(np.float32),
        "weight": np.array([term.weight for term in terms], np.float32),
    }


def attributed_scores(tap: str, a: Tensor, vector: Tensor, weight: Tensor) -> Tensor:
    """Compute the weighted sums [B] of activations A [B, ..., C] times weights [B, N].

    Raises :class:`UsageError` where the image is seen in another size than the photo was.
    """
    import tensorflow as tf

    flat = tf.reshape(a, [a.shape[0] or tf.shape(a)[0], -1])
    if flat.shape[1] != vector.shape[1]:
        raise UsageError(
            f"caricature of a target at {tap}: {flat.shape[1]} numbers in a picture and "
            f"{vector.shape[1]} in the photo; choose a recipe that keeps the size, such as fast"
        )
    return weight * tf.reduce_sum(flat * vector, axis=1)


def compare(kind: str, a: Tensor, photo: Tensor, data: Mapping[str, Tensor]) -> Tensor:
    """Compute the weighted scores [B] of activations A [B, ..., C] and those of the photos."""
    import tensorflow as tf  # the command line reads this module before

    from kerasviz.optvis.objectives.projections import EPSILON, LEAST_COSINE

    if kind == "likeness":
        squares = tf.reduce_sum(tf.square(a - photo), axis=-1)
        rows = tf.reshape(_root(squares), [a.shape[0] or tf.shape(a)[0], -1])
        return data["weight"] * tf.reduce_mean(rows, axis=1)
    count = a.shape[0] or tf.shape(a)[0]
    a, photo = tf.reshape(a, [count, -1]), tf.reshape(photo, [count, -1])
    square = tf.reduce_sum(photo * photo, axis=1) + TINY
    if kind == "inversion":
        return -data["weight"] * tf.reduce_sum(tf.square(a - photo), axis=1) / square
    along = tf.reduce_sum(a * photo, axis=1)
    norms = _root(tf.reduce_sum(a * a, axis=1)) * _root(square)
    cosine = tf.maximum(along / (norms + EPSILON), LEAST_COSINE)
    return data["weight"] * along / square * tf.pow(cosine, data["power"])


def _root(squares: Tensor) -> Tensor:
    """Return the square root, whose gradient is 0 at 0."""
    import tensorflow as tf

    return tf.sqrt(tf.maximum(squares, 1e-24))
