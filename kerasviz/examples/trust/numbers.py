"""Compute the numbers that say how far a picture can be trusted, from arrays alone."""

from __future__ import annotations

from dataclasses import dataclass

import numpy as np

from kerasviz.types import Array

#: The range of a unit's activations below which it is constant (Zimmermann et al. 2024).
CONSTANT = 1e-8
#: The least lead of photos of one kind over others, in correlation, that is a scale for a picture.
LEAST_LEAD = 0.01
#: The most that photos of one kind may differ, in units of that lead.
MOST_SPREAD = 1.0
#: The inputs of a unit that are compared, those that contribute most.
INPUTS = 10
#: The lowest frequency of a spectrum's slope, in cycles per picture: below it photos differ most.
LOWEST = 2


def mean_cosine(vectors: Array) -> float | None:
    """Return the mean cosine of every two of some vectors [N, C]; ``None`` where one is 0.

    >>> mean_cosine(np.array([[1.0, 0.0], [0.0, 2.0]]))
    0.0
    """
    unit = _unit(vectors)
    if unit is None or len(unit) < 2:
        return None
    products = unit @ unit.T
    return float(products[np.triu_indices(len(unit), 1)].mean())


def cross_cosine(vectors: Array, others: Array) -> float | None:
    """Return the mean cosine of vectors [N, C] with others [M, C]; ``None`` where one is 0."""
    unit, far = _unit(vectors), _unit(others)
    if unit is None or far is None or not len(unit) or not len(far):
        return None
    return float((unit @ far.T).mean())


def _unit(vectors: Array) -> Array | None:
    vectors = np.asarray(vectors, np.float64)
    norms = np.linalg.norm(vectors, axis=1, keepdims=True)
    return vectors / norms if norms.all() else None


def standard_ranks(values: Array) -> Array:
    """Return the ranks of numbers [N], of mean 0 and length 1; zeros for equal numbers.

    Equal numbers share the mean of their ranks. The product of the ranks of two arrays is their
    Spearman correlation.

    >>> a, b = standard_ranks(np.array([1.0, 2, 5])), standard_ranks(np.array([0.0, 9, 10]))
    >>> round(float(a @ b), 6)
    1.0
    """
    _, place, counts = np.unique(values, return_inverse=True, return_counts=True)
    last = np.cumsum(counts)
    ranks = ((last - counts + last - 1) / 2)[place.reshape(-1)]
    ranks -= ranks.mean()
    norm = np.linalg.norm(ranks)
    return ranks / norm if norm > 0 else np.zeros_like(ranks)


@dataclass(frozen=True)
class PathSimilarity:
    """Tell how a layer sees a picture: 0 as an unrelated photo, 1 as a photo of its kind.

    Args:
        value: (r - r_other) / (r_same - r_other), ``None`` where the layer is constant, and where
            photos of the kind are hardly more alike than others, or differ by more than that lead.
        r: The mean Spearman correlation of the picture with photos of its kind.
        r_same: That of every two photos of the kind.
        r_other: That of photos of the kind with others.
        spread: The standard deviation of ``value`` for single photos of the kind, whose mean is 1.

    Reference:
        Geirhos et al., "Don't trust your eyes: on the (un)reliability of feature visualizations"
        (2023), section 4.
    """

    value: float | None
    r: float
    r_same: float
    r_other: float
    spread: float | None


def path_similarity(picture: Array, same: Array, other: Array) -> PathSimilarity:
    """Compare the ranks of a picture [D] with those of photos of its kind [N, D] and others [M, D].

    All are :func:`standard_ranks` of the activations of one layer; N is at least 2.
    """
    count = len(same)
    products = same @ same.T
    r_same = float(products[np.triu_indices(count, 1)].mean())
    r_other = float((same @ other.T).mean())
    r = float((same @ picture).mean())
    lead = r_same - r_other
    if not picture.any() or lead <= LEAST_LEAD:
        return PathSimilarity(None, r, r_same, r_other, None)
    singles = (products.sum(axis=1) - products.diagonal()) / (count - 1)
    spread = float(np.std(singles / lead))
    value = (r - r_other) / lead if spread <= MOST_SPREAD else None
    return PathSimilarity(value, r, r_same, r_other, spread)


@dataclass(frozen=True)
class InputOverlap:
    """Tell whether a picture excites its unit through the same inputs as photos do.

    Args:
        units: The number k of inputs that are compared: those that contribute most.
        share: The mean share of them that the picture has in common with a strong photo.
        photos: That of every two strong photos.
        unrelated: That of strong photos with others.
        chance: That of k inputs drawn at random.
    """

    units: int
    share: float
    photos: float
    unrelated: float
    chance: float


def input_overlap(picture: Array, strong: Array, others: Array) -> InputOverlap | None:
    """Compare the contributions [C] of inputs in a picture with those in photos [N, C], [M, C].

    The ten largest count, at most half of all, and only those above 0. N is at least 2. ``None``
    for a unit of one input.
    """
    units = min(INPUTS, len(picture) // 2)
    if not units:
        return None
    own, same, far = (_largest_inputs(c, units) for c in (picture[None], strong, others))
    pairs = same @ same.T
    return InputOverlap(
        units,
        float((own @ same.T).mean() / units),
        float(pairs[np.triu_indices(len(same), 1)].mean() / units),
        float((same @ far.T).mean() / units),
        units / len(picture),
    )


def _largest_inputs(contributions: Array, units: int) -> Array:
    """Return which contributions [N, C] are among the largest of their row and above 0."""
    chosen = np.zeros(contributions.shape)
    order = np.argsort(-contributions, axis=1, kind="stable")[:, :units]
    np.put_along_axis(chosen, order, 1.0, axis=1)
    return chosen * (contributions > 0)


def spectrum_slope(image: Array) -> float | None:
    """Return the slope of the logarithms of amplitude and frequency of an image [H, W, C].

    The amplitude is that of the mean of the channels, averaged over rings of whole cycles per
    picture from 2 to half the shorter side. Photos have about -1, white noise 0. ``None`` for a
    picture of one colour, and one of fewer than 16 pixels.
    """
    grey = np.asarray(image, np.float64).mean(axis=-1)
    height, width = grey.shape
    if min(height, width) < 16 or np.ptp(grey) == 0:
        return None
    window = np.hanning(height)[:, None] * np.hanning(width)
    amplitude = np.abs(np.fft.fft2((grey - grey.mean()) * window))
    down, across = np.fft.fftfreq(height), np.fft.fftfreq(width)
    radius = np.hypot(down[:, None], across) * min(height, width)
    ring = np.rint(radius).astype(int).reshape(-1)
    highest = min(height, width) // 2
    sums = np.bincount(ring, amplitude.reshape(-1))[LOWEST : highest + 1]
    counts = np.bincount(ring)[LOWEST : highest + 1]
    means = sums / counts
    if not (means > 0).all():
        return None
    frequency = np.log(np.arange(LOWEST, highest + 1))
    return float(np.polyfit(frequency, np.log(means), 1)[0])


class NaturalValues:
    """Gather the activations of photos for R pictures, and both ends of them, in constant memory.

    Args:
        values: [R] The activations of the pictures.
        remembered: The number of strongest and of weakest photos to remember for each picture.

    ``best`` and ``worst`` [R, remembered] are their activations, those of the strongest and of the
    weakest photo first, ``numbers`` and ``weakest`` the photos.
    """

    def __init__(self, values: Array, remembered: int):
        self.values = np.asarray(values, np.float64)
        rows = len(self.values)
        self.count = 0
        self.below, self.total = np.zeros(rows), np.zeros(rows)
        self.best = np.full((rows, remembered), -np.inf)
        self.numbers = np.full((rows, remembered), -1, np.int64)
        self.worst, self.weakest = -self.best, self.numbers

    def add(self, numbers: Array, activations: Array) -> None:
        """Add photos by number [N] with their activations [N, R]."""
        activations = np.asarray(activations, np.float64)
        if not len(numbers):
            return
        self.count += len(numbers)
        self.total += activations.sum(axis=0)
        self.below += (activations < self.values).sum(axis=0)
        self.below += 0.5 * (activations == self.values).sum(axis=0)
        self.best, self.numbers = _largest(self.best, self.numbers, activations.T, numbers)
        worst, self.weakest = _largest(-self.worst, self.weakest, -activations.T, numbers)
        self.worst = -worst

    def constant(self, row: int) -> bool:
        """Return whether all photos give the same activation."""
        return not self.count or bool(self.best[row, 0] - self.worst[row, 0] < CONSTANT)

    def percentile(self, row: int) -> float | None:
        """Return the share of photos below the picture in percent, ``None`` for a constant."""
        return None if self.constant(row) else float(100 * self.below[row] / self.count)

    def ratio(self, row: int) -> float | None:
        """Return the picture's activation over the largest of the photos.

        ``None`` where no photo has a positive one, and for a constant.
        """
        largest = self.best[row, 0]
        return None if self.constant(row) or largest <= 0 else float(self.values[row] / largest)

    def average_ratio(self, row: int) -> float | None:
        """Return the mean activation of the photos over the largest, as :meth:`ratio`."""
        largest = self.best[row, 0]
        if self.constant(row) or largest <= 0:
            return None
        return float(self.total[row] / self.count / largest)


def _largest(kept: Array, numbers: Array, values: Array, more: Array) -> tuple[Array, Array]:
    """Return the largest of values kept [R, K] and others [R, N], and their photos, in order."""
    both = np.concatenate([kept, values], axis=1)
    known = np.concatenate([numbers, np.broadcast_to(more, values.shape)], axis=1)
    order = np.argsort(-both, axis=1, kind="stable")[:, : kept.shape[1]]
    return np.take_along_axis(both, order, 1), np.take_along_axis(known, order, 1)
