"""Factorize the weights of units into a few spatial patterns of directions, by one-sided NMF."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass
from itertools import permutations

import numpy as np

from kerasviz.errors import UsageError
from kerasviz.optvis.objectives.probes import fitted, sklearn_module
from kerasviz.types import Array

#: Iterations of the factorization; small matrices need fewer.
ITERATIONS = 400


@dataclass(frozen=True, eq=False)
class UnitFactors:
    """Hold the weights of a unit as a sum of spatial patterns times directions of the source.

    Args:
        patterns: [height, width, factors], at least 0.
        directions: [factors, channels of the source]; above 0 a channel excites the unit.
        explained: The share of the squares of the weights that the sum explains.

    Reference:
        Petrov et al., "Weight Banding" (Distill 2021); Voss et al., "Visualizing Weights" (2021).
    """

    patterns: Array
    directions: Array
    explained: float


@dataclass(frozen=True, eq=False)
class FamilyFactors:
    """Hold the weights of several units as signed spatial patterns times shared directions.

    Args:
        patterns: [units, height, width, factors], with signs.
        directions: [factors, channels of the source], at least 0.
        explained: The share of the squares of the weights that the sum explains.
    """

    patterns: Array
    directions: Array
    explained: float


def factorize_unit(weights: Array, count: int = 3, seed: int = 0) -> UnitFactors:
    """Factorize the weights of one unit: signs belong to the directions.

    Args:
        weights: [height, width, channels of the source].
        count: The number of factors.
        seed: The seed of the factorization.

    Raises:
        UsageError: For more factors than positions, weights that are all 0, and without
            scikit-learn.

    Example:
        >>> pattern, direction = np.eye(3)[..., None], np.array([[2.0, 0.0, -1.0, 3.0]])
        >>> factorize_unit(pattern @ direction, 1).directions.round(2)
        array([[ 2.,  0., -1.,  3.]])
    """
    height, width, channels = weights.shape
    flat = weights.reshape(-1, channels).astype(np.float64)
    halves = np.concatenate([np.maximum(flat, 0), np.maximum(-flat, 0)], 1)
    amounts, parts, explained = _nmf(halves, count, seed)
    directions = parts[:, :channels] - parts[:, channels:]
    return UnitFactors(amounts.reshape(height, width, -1), directions, explained)


def factorize_family(weights: Array, count: int = 2, seed: int = 0) -> FamilyFactors:
    """Factorize the weights of several units: signs belong to their patterns.

    Args:
        weights: [units, height, width, channels of the source].
        count: The number of factors.
        seed: The seed of the factorization.

    Raises:
        UsageError: As for :func:`factorize_unit`.

    Example:
        >>> pattern = np.array([[[1.0]], [[-2.0]]])[..., None]
        >>> factors = factorize_family(pattern * np.array([1.0, 0.0, 3.0]), 1)
        >>> (factors.patterns / factors.patterns[0]).ravel()
        array([ 1., -2.])
    """
    units, height, width, channels = weights.shape
    flat = weights.reshape(-1, channels).astype(np.float64)
    flat /= abs(flat).max() or 1.0
    halves = np.concatenate([np.maximum(flat, 0), np.maximum(-flat, 0)])
    amounts, directions, explained = _nmf(halves, count, seed)
    signed = amounts[: len(flat)] - amounts[len(flat) :]
    return FamilyFactors(signed.reshape(units, height, width, -1), directions, explained)


def _nmf(matrix: Array, count: int, seed: int) -> tuple[Array, Array, float]:
    """Return amounts [rows, count] up to 1, parts [count, columns], and what they explain."""
    most = min(matrix.shape)
    if not 1 <= count <= most:
        raise UsageError(f"factors {count}: these weights have 1 to {most}")
    total = float((matrix**2).sum())
    if total == 0:
        raise UsageError("all weights are 0; there is nothing to factorize")
    model = sklearn_module("decomposition").NMF(
        count, init="nndsvd", solver="cd", max_iter=ITERATIONS, tol=1e-6, random_state=seed
    )
    amounts = fitted(model.fit_transform, matrix)
    parts = model.components_
    order = np.argsort(-amounts.sum(0) * np.linalg.norm(parts, axis=1), kind="stable")
    amounts, parts = amounts[:, order], parts[order]
    largest = amounts.max(0)
    scale = np.where(largest > 0, largest, 1)
    explained = 1 - float(((matrix - amounts @ parts) ** 2).sum()) / total
    return amounts / scale, parts * scale[:, None], explained


def in_matched_order(factors: Sequence[UnitFactors]) -> list[UnitFactors]:
    """Order the factors of every unit so that alike ones have the same number.

    Of all orders the one is taken whose directions have the largest cosines with the running mean
    of the units before.

    Args:
        factors: Factors of units over the same source, equally many for each.
    """
    if not factors:
        return []
    mean = np.zeros_like(factors[0].directions)
    matched = []
    for found in factors:
        own = _unit_rows(found.directions)
        orders = list(permutations(range(len(own))))
        likeness = _unit_rows(mean) @ own.T
        best = max(orders, key=lambda order: sum(likeness[k, n] for k, n in enumerate(order)))
        chosen = list(best)
        mean = mean + own[chosen]
        matched.append(
            UnitFactors(found.patterns[..., chosen], found.directions[chosen], found.explained)
        )
    return matched


def _unit_rows(rows: Array) -> Array:
    lengths = np.linalg.norm(rows, axis=1, keepdims=True)
    scaled: Array = rows / np.where(lengths > 0, lengths, 1)
    return scaled


def band_score(weights: Array) -> float:
    """Return how far the weights of a unit lie in horizontal bands, from 0 to 1.

    It is the variance of the means of rows over the variance of the norms at all positions.

    Args:
        weights: [height, width, channels of the source].

    Example:
        >>> band_score(np.array([[1.0, 1.0], [3.0, 3.0]])[..., None])
        1.0
    """
    norms = np.linalg.norm(weights.astype(np.float64), axis=-1)
    variance = float(norms.var())
    return float(norms.mean(1).var() / variance) if variance > 0 else 0.0


def pattern_bands(patterns: Array) -> float:
    """Return how far the factors of a unit lie in horizontal bands, from 0 to 1.

    It is the variance of the means of rows over that at all positions, of all factors together. In
    bands of equal strength the weights differ in what they are, which sizes alone do not tell.

    Args:
        patterns: [height, width, factors] How strong each factor is at every position.

    Example:
        >>> pattern_bands(np.array([[[1.0, 0.0], [1.0, 0.0]], [[0.0, 1.0], [0.0, 1.0]]]))
        1.0
    """
    variance = float(patterns.var((0, 1)).sum())
    return float(patterns.mean(1).var(0).sum() / variance) if variance > 0 else 0.0
