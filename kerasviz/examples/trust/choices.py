"""Let embeddings of pictures choose between two photos: machine psychophysics."""

from __future__ import annotations

from dataclasses import dataclass

import numpy as np

from kerasviz.types import Array

#: The choices, each between a photo that excites the unit much and one that excites it little.
PAIRS = 20
#: The pictures on a side, of what excites the unit and of what does the opposite.
EXAMPLES = 9
#: The difference of mean cosines, over both photos, at which the choice has the odds e to 1.
TEMPERATURE = 0.16


@dataclass(frozen=True)
class Choices:
    """Hold how well pictures tell photos apart.

    Args:
        probability: The mean probability of the right choice; 0.5 is chance.
        right: The number of pairs in which the right choice is the likelier one.
        pairs: The number of pairs of photos.
    """

    probability: float
    right: int
    pairs: int


def choose(strong: Array, weak: Array, excited: Array, opposite: Array) -> Choices:
    """Let two sets of pictures choose, in pairs of photos, the one that excites a unit more.

    With s(q, E) for the mean cosine of a photo q with the pictures E, and d(q) = s(q, excited) -
    s(q, opposite), the right choice has the probability sigmoid((d(strong) - d(weak)) / 0.16).
    Cosines are about the mean of all photos of the pairs: behind a ReLU all images are alike.

    Args:
        strong: [Q, D] Embeddings of photos that excite the unit.
        weak: [Q, D] Those of photos that do not, each in a pair with the strong one of its place.
        excited: [N, D] Those of pictures that excite the unit.
        opposite: [M, D] Those of pictures of the opposite.

    Example:
        >>> choose(np.eye(2)[:1], np.eye(2)[1:], np.eye(2)[:1], np.eye(2)[1:]).probability > 0.99
        True

    Reference:
        Zimmermann et al., "Measuring Per-Unit Interpretability at Scale Without Humans" (2024),
        whose cosines are those of DreamSim. Taken as a factor, their 0.16 would leave the
        probability between 0.35 and 0.65, so it divides here.
    """
    centre = np.concatenate([strong, weak]).mean(axis=0, dtype=np.float64)
    strong, weak, excited, opposite = (
        _unit(np.asarray(each, np.float64) - centre) for each in (strong, weak, excited, opposite)
    )
    towards = excited.mean(axis=0) - opposite.mean(axis=0)
    difference = (strong - weak) @ towards
    probabilities = 1 / (1 + np.exp(-difference / TEMPERATURE))
    return Choices(float(probabilities.mean()), int((difference > 0).sum()), len(difference))


def places(photos: int) -> tuple[int, int]:
    """Return the numbers of pairs and of examples on a side for a number of photos.

    Twice their sum is at most that of photos; both are 0 where there are too few.

    >>> places(1000), places(30), places(7)
    ((20, 9), (11, 4), (0, 0))
    """
    side = photos // 2
    if side < 4:
        return 0, 0
    examples = min(EXAMPLES, side * EXAMPLES // (PAIRS + EXAMPLES))
    return min(PAIRS, side - examples), examples


def _unit(vectors: Array) -> Array:
    """Return vectors [N, D] of length 1; 0 for those of length 0."""
    norms = np.linalg.norm(vectors, axis=1, keepdims=True)
    unit: Array = vectors / np.maximum(norms, 1e-30)
    return unit
