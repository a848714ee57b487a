"""Objectives: what a picture is optimized for, as plain data with algebra.

An objective is a weighted sum of terms. It knows taps and units by name, computes nothing, and
round-trips through JSON; :mod:`kerasviz.scoring` turns rows of objectives into tensors.
"""

from __future__ import annotations

from collections.abc import Iterable, Mapping, Sequence
from dataclasses import asdict, dataclass, replace
from typing import Any

from kerasviz.errors import UsageError

__all__ = [
    "Objective",
    "Term",
    "channel",
    "direction",
    "diversity",
    "layer",
    "logit",
    "neuron",
    "probability",
]

KINDS = ("channel", "neuron", "direction", "layer", "logit", "probability", "diversity")


@dataclass(frozen=True)
class Term:
    """One weighted term: ``kind`` at ``tap``, for a ``unit``, a ``vector`` and a ``position``.

    ``tap`` is empty for ``logit`` and ``probability``: the network knows where its logits are.
    ``position`` is (y, x); ``None`` for a neuron means the centre (h // 2, w // 2).
    """

    kind: str
    tap: str = ""
    unit: int | None = None
    vector: tuple[float, ...] = ()
    position: tuple[int, int] | None = None
    weight: float = 1.0

    def __post_init__(self) -> None:
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
        return any(term.kind == "diversity" for term in self.terms)

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
