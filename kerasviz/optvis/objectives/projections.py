"""Project activations on directions: by their cosine, over whole layers, and as latents."""

from __future__ import annotations

import math
from collections.abc import Sequence

import numpy as np
import tensorflow as tf

from kerasviz.errors import UsageError
from kerasviz.network.network import Network
from kerasviz.network.positions import positions_of
from kerasviz.optvis.objectives.term import NORMALIZATIONS, Term
from kerasviz.types import Array, Size, Tensor

#: The reductions of a tap by the terms that are projected, and not only averaged.
PROJECTIONS = ("cosine", "whole", *(f"latent {name}".strip() for name in NORMALIZATIONS))
#: The tensors of each.
TENSORS = ("vector", "weight", "power", "bias")
#: The least cosine that counts, and what is added to the product of the norms.
LEAST_COSINE, EPSILON = 0.1, 1e-6
#: What is added to a standard deviation (SAELens).
LAYER_NORM_EPSILON = 1e-5


def projection_of(term: Term) -> str | None:
    """Return the projection of a term, ``None`` for one that is reduced otherwise."""
    if term.kind == "latent":
        return f"latent {term.normalize}".strip()
    if term.kind == "direction" and term.shape:
        return "whole"
    return "cosine" if term.kind == "direction" and term.cosine else None


def pack_projection(
    terms: Sequence[Term], net: Network, tap: str, size: Size | None
) -> dict[str, Array]:
    """Fill the tensors of one term of each row: ``vector`` [B, N], the others [B].

    Raises :class:`UsageError` for vectors that do not fit the tap in images of ``size``.
    """
    for term in terms:
        _check_fits(term, net, tap, size)
    return {
        "vector": np.array([term.vector for term in terms], np.float32),
        "weight": np.array([term.weight for term in terms], np.float32),
        "power": np.array([term.cosine for term in terms], np.float32),
        "bias": np.array([term.bias for term in terms], np.float32),
    }


def _check_fits(term: Term, net: Network, tap: str, size: Size | None) -> None:
    channels = net.taps[tap].channels
    if not term.shape:
        if len(term.vector) != channels:
            what = "latent" if term.kind == "latent" else "direction"
            raise UsageError(
                f"{what} of {len(term.vector)} numbers: {term.tap} has {channels} channels"
            )
        return
    extent = positions_of(net, tap, size).extent
    if None not in extent and (*extent, channels) != term.shape:
        given, has = ("x".join(map(str, shape)) for shape in (term.shape, (*extent, channels)))
        within = "" if size is None else f" in images of {size[0]}x{size[1]}"
        raise UsageError(f"direction of {given} numbers: {term.tap} has {has}{within}")


def project(reduction: str, a: Tensor, data: dict[str, Tensor]) -> Tensor:
    """Compute the weighted scores [B] of activations A [B, ..., C].

    With d = A . v it is the mean over positions of d max(0.1, d / (|A| |v| + 1e-6))^p. Over a whole
    layer A has one position, of H W C numbers. A latent is norm(A) . v + bias, before its gate.
    Sources: lucid, ``optvis/objectives.py``: ``direction``; SAELens, ``saes/sae.py``.
    """
    count = a.shape[0] or tf.shape(a)[0]
    vector = data["vector"]
    width = vector.shape[-1] if reduction == "whole" else a.shape[-1]
    a = tf.reshape(a, [count, -1, width])
    if reduction.startswith("latent"):
        a = normalized(a, reduction.removeprefix("latent").strip())
        along = tf.linalg.matvec(a, vector) + data["bias"][:, None]
    else:
        along = tf.linalg.matvec(a, vector)
        norms = _norm(a) * _norm(vector)[:, None]
        cosine = tf.maximum(along / (norms + EPSILON), LEAST_COSINE)
        along *= tf.pow(cosine, data["power"][:, None])
    return data["weight"] * tf.reduce_mean(along, axis=1)


def normalized(a: Tensor, normalization: str) -> Tensor:
    """Normalize activations [..., C] as the input of a sparse autoencoder."""
    if normalization == "layer_norm":
        a = a - tf.reduce_mean(a, axis=-1, keepdims=True)
        deviation = _norm(a)[..., None] / math.sqrt(max(1, a.shape[-1] - 1))
        return a / (deviation + LAYER_NORM_EPSILON)
    if normalization == "constant_norm_rescale":
        return a * math.sqrt(a.shape[-1]) / (_norm(a)[..., None] + EPSILON)
    return a


def _norm(a: Tensor) -> Tensor:
    """Return the Euclidean norm of the last axis, whose gradient is 0 at 0."""
    return tf.sqrt(tf.maximum(tf.reduce_sum(a * a, axis=-1), 1e-24))
