"""Objectives: what a picture is optimized for, as plain data with algebra.

An objective is a weighted sum of terms. It knows taps and units by name, computes nothing, and
round-trips through JSON; ``scoring`` turns rows of objectives into tensors.
"""

from __future__ import annotations

from collections.abc import Iterable, Mapping, Sequence
from dataclasses import asdict, dataclass, replace
from typing import Any

import numpy as np

from kerasviz.errors import UsageError

__all__ = [
    "Objective",
    "Term",
    "alignment",
    "blur",
    "channel",
    "direction",
    "diversity",
    "interpolation",
    "l1",
    "layer",
    "logit",
    "neuron",
    "probability",
    "random_direction",
    "total_variation",
]

#: Terms of the image itself, which is not transformed.
PENALTIES = ("l1", "total_variation", "blur")
#: Terms that couple the pictures which are optimized together.
COUPLINGS = ("diversity", "alignment")
KINDS = (
    *("channel", "neuron", "direction", "layer", "logit", "probability"),
    *COUPLINGS,
    *PENALTIES,
)
FADES = ("", "in", "out")


@dataclass(frozen=True)
class Term:
    """One weighted term: ``kind`` at ``tap``, for a ``unit``, a ``vector`` and a ``position``.

    ``tap`` is empty for ``logit`` and ``probability``: the network knows where its logits are; and
    for penalties, which are about the image. ``position`` is (y, x); ``None`` for a neuron means
    the centre (h // 2, w // 2). Among pictures that are optimized together a term with a ``fade``
    grows (``"in"``) from 0 to its weight along the row of pictures, or shrinks (``"out"``) to 0.
    """

    kind: str
    tap: str = ""
    unit: int | None = None
    vector: tuple[float, ...] = ()
    position: tuple[int, int] | None = None
    weight: float = 1.0
    fade: str = ""

    def __post_init__(self) -> None:
        if self.fade not in FADES:
            raise UsageError(f"unknown fade {self.fade!r}; choose from 'in' and 'out'")
        if self.kind not in KINDS:
            raise UsageError(f"unknown objective {self.kind!r}; choose from {', '.join(KINDS)}")


@dataclass(frozen=True)
class Objective:
    """A weighted sum of terms, to be maximized; ``+``, ``-``, unary ``-`` and ``*`` compose.

    >>> a, b = channel("mixed4a", 10), channel("mixed4a", 11)
    >>> [term.weight for term in (a - 0.5 * b).terms]
    [1.0, -0.5]
    """

    terms: tuple[Term, ...]

    def __add__(self, other: Objective) -> Objective:
        return Objective(self.terms + other.terms)

    def __radd__(self, other: int) -> Objective:  # so that sum([...]) works
        if other != 0:
            return NotImplemented
        return self

    def __mul__(self, factor: float) -> Objective:
        return Objective(tuple(replace(t, weight=t.weight * float(factor)) for t in self.terms))

    __rmul__ = __mul__

    def __neg__(self) -> Objective:
        return self * -1.0

    def __sub__(self, other: Objective) -> Objective:
        return self + (-other)

    @property
    def couples_rows(self) -> bool:
        """Whether the score of a picture depends on the pictures optimized with it."""
        return any(term.kind in COUPLINGS for term in self.terms)

    def fading(self, fade: str) -> Objective:
        """The same objective, growing (``"in"``) or shrinking (``"out"``) along the pictures."""
        return Objective(tuple(replace(term, fade=fade) for term in self.terms))

    def at(self, row: int, rows: int) -> Objective:
        """What it is for picture ``row`` of ``rows``: the fades become weights.

        >>> faded = channel("a", 1).fading("out") + channel("b", 2).fading("in")
        >>> [[t.weight for t in faded.at(k, 3).terms] for k in range(3)]
        [[1.0, 0.0], [0.5, 0.5], [0.0, 1.0]]
        """
        share = row / (rows - 1) if rows > 1 else 0.0
        factor = {"": 1.0, "in": share, "out": 1.0 - share}
        return Objective(
            tuple(replace(t, weight=t.weight * factor[t.fade], fade="") for t in self.terms)
        )

    def to_json(self) -> list[dict[str, Any]]:
        """The terms as plain data, defaults left out."""
        empty = asdict(Term("channel"))
        return [
            {k: v for k, v in asdict(t).items() if k in ("kind", "weight") or v != empty[k]}
            for t in self.terms
        ]

    @classmethod
    def from_json(cls, data: Iterable[Mapping[str, Any]]) -> Objective:
        """Make an objective from plain data."""
        tupled: list[dict[str, Any]] = [
            {k: tuple(v) if isinstance(v, list) else v for k, v in term.items()} for term in data
        ]
        return cls(tuple(Term(**term) for term in tupled))


def channel(tap: str, unit: int) -> Objective:
    """The mean of a channel over all positions (paper: ``layer_n[:,:,z]``)."""
    return Objective((Term("channel", tap, unit),))


def neuron(tap: str, unit: int, position: tuple[int, int] | None = None) -> Objective:
    """One unit at one (y, x), by default the centre (h // 2, w // 2) (``layer_n[x,y,z]``)."""
    return Objective((Term("neuron", tap, unit, position=position),))


def direction(tap: str, vector: Sequence[float]) -> Objective:
    """The mean over positions of the dot product of activations and ``vector`` [C]."""
    return Objective((Term("direction", tap, vector=tuple(float(v) for v in vector)),))


def layer(tap: str) -> Objective:
    """DeepDream: the mean of the squared activations of a layer (``layer_n[:,:,:]^2``)."""
    return Objective((Term("layer", tap),))


def logit(unit: int) -> Objective:
    """The logit of a class (``pre_softmax[k]``)."""
    return Objective((Term("logit", unit=unit),))


def probability(unit: int) -> Objective:
    """The probability of a class, the softmax of the logits (``softmax[k]``)."""
    return Objective((Term("probability", unit=unit),))


def diversity(tap: str, weight: float = 0.1) -> Objective:
    """Push the pictures that are optimized together apart (paper: C_diversity).

    For picture a: minus the sum over the others b of the cosine of their Gram matrices at
    ``tap``, times ``weight`` times the size of a's own other terms (a number without gradient):
    100 beside an activation of 1000, as the authors' notebook has it, is a weight of 0.1 here, and
    means the same on networks whose activations have other sizes.
    """
    return Objective((Term("diversity", tap, weight=weight),))


def alignment(tap: str, weight: float = 0.1) -> Objective:
    """Keep neighbours among the pictures that are optimized together alike at ``tap``.

    For picture i: minus the sum over d = 1 to 4 of mean((A_i - A_{i+d})^2) / 5^d, times ``weight``
    (paper, footnote on interpolation; decay of the authors' notebook ``aligned_interpolation``).
    """
    return Objective((Term("alignment", tap, weight=weight),))


def interpolation(first: Objective, last: Objective, taps: Sequence[str] = ()) -> Objective:
    """A row of pictures from one objective to another, aligned at ``taps``.

    Picture k of n is for (1 - w) ``first`` + w ``last`` with w = k / (n - 1) (lucid,
    ``channel_interpolate``).

    >>> interpolation(channel("a", 1), channel("b", 2)).at(1, 6).terms[1].weight
    0.2
    """
    faded = first.fading("out") + last.fading("in")
    return sum((alignment(tap) for tap in taps), faded)


def l1(weight: float = -0.05) -> Objective:
    """The sum over the image of |x - 0.5|; a negative ``weight`` keeps it grey (lucid, ``L1``)."""
    return Objective((Term("l1", weight=weight),))


def total_variation(weight: float = -0.25) -> Objective:
    """The sum of absolute differences of neighbours; a negative ``weight`` smooths the image.

    Vertical and horizontal neighbours in all channels (lucid, ``total_variation``).
    """
    return Objective((Term("total_variation", weight=weight),))


def blur(weight: float = -1.0) -> Objective:
    """0.5 times the sum of (x - blurred x)^2, where the blurred image is held fixed.

    The blur is a mean of 3 x 3 pixels with weights 1 in the middle and 0.5 around it, of those
    inside the image (lucid, ``blur_input_each_step``). A negative ``weight`` pulls every pixel
    towards its neighbours.
    """
    return Objective((Term("blur", weight=weight),))


def random_direction(tap: str, channels: int, seed: int) -> Objective:
    """The direction of ``channels`` standard normal numbers that ``seed`` stands for.

    The same numbers everywhere: NumPy's PCG64. Source: the authors' notebook
    ``neuron_interaction``.
    """
    vector = np.random.Generator(np.random.PCG64(seed)).standard_normal(channels)
    return direction(tap, [float(f"{number:.6g}") for number in vector])
