"""Objectives (lucid; paper, "Optimization Objectives") of one image's activations.

``a`` [h, w, C] are the activations of one image, or [C] of a layer without positions.
"""

from __future__ import annotations

import numpy as np


def channel(a, unit):
    return np.mean(a[..., unit])


def neuron(a, unit, position=None):
    y, x = position or (a.shape[0] // 2, a.shape[1] // 2)
    return a[y, x, unit]


def token(a, unit, number):
    """A unit [T, C] at one token."""
    return a[number][unit]


def head(a, number, heads):
    """The mean of the squares of an equal slice of the channels of [T, C]."""
    width = a.shape[-1] // heads
    return np.mean([row[number * width : (number + 1) * width] ** 2 for row in a])


def class_share(a, unit, before=0):
    """The mean over positions of the softmax of the channels after the first ``before``."""
    rows = a.reshape(-1, a.shape[-1])[:, before:]
    return np.mean([probability(row, unit) for row in rows])


def direction(a, vector):
    return np.mean([a[place] @ np.asarray(vector) for place in np.ndindex(a.shape[:-1])])


def cosine(a, vector, power):
    """The mean of d max(0.1, d / (|a| |v| + 1e-6))^p over positions."""
    vector = np.asarray(vector)
    parts = []
    for place in np.ndindex(a.shape[:-1]):
        d = a[place] @ vector
        share = d / (np.linalg.norm(a[place]) * np.linalg.norm(vector) + 1e-6)
        parts.append(d * max(0.1, share) ** power)
    return np.mean(parts)


def whole(a, vector, power):
    """The same of a whole layer, as one position of many numbers."""
    return cosine(a.reshape(1, -1), np.asarray(vector).ravel(), power)


def latent(a, column, bias, normalize=""):
    """The mean of norm(a) . column + bias over positions, with torch's deviation (of N - 1)."""
    parts = []
    for place in np.ndindex(a.shape[:-1]):
        x = a[place]
        if normalize == "layer_norm":
            x = (x - x.mean()) / (x.std(ddof=1) + 1e-5)
        elif normalize:
            x = x * np.sqrt(len(x)) / np.linalg.norm(x)
        parts.append(x @ np.asarray(column) + bias)
    return np.mean(parts)


def layer(a):
    return np.mean(a**2)


def logit(logits, unit):
    return logits[unit]


def probability(logits, unit):
    powers = np.exp(logits - logits.max())
    return powers[unit] / powers.sum()


def gram(a):
    """The sums over positions of products of channels, divided by their Frobenius norm."""
    vectors = a.reshape(-1, a.shape[-1])
    products = np.zeros((a.shape[-1],) * 2)
    for vector in vectors:
        products += np.outer(vector, vector)
    return products / np.sqrt((products**2).sum() + 1e-10)


def likeness(own, others):
    """The sum of the cosines of one image's Gram matrix with those of others."""
    return sum((gram(own) * gram(other)).sum() for other in others)
