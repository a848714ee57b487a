"""Sequences of tokens with their scores, and the best of them."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass, field
from typing import Any

import numpy as np

from kerasviz.types import Array

#: Sequences of a front that are kept, those of the largest values first.
MOST = 64


@dataclass(frozen=True)
class TokenSequence:
    """A sequence with its value, and its cross-entropy under the network's own language head."""

    ids: tuple[int, ...]
    value: float
    cross_entropy: float | None = None

    def to_json(self) -> dict[str, Any]:
        """Return plain data; the cross-entropy is left out where there is none."""
        data: dict[str, Any] = {"ids": list(self.ids), "value": self.value}
        if self.cross_entropy is not None:
            data["cross_entropy"] = self.cross_entropy
        return data


def pareto(sequences: Sequence[TokenSequence]) -> list[TokenSequence]:
    """Return the sequences that no other beats in both value and fluency, by falling value.

    >>> a, b, c = (TokenSequence((k,), v, e) for k, v, e in ((0, 3, 5), (1, 2, 2), (2, 1, 4)))
    >>> [s.ids for s in pareto([c, b, a])]
    [(0,), (1,)]
    """
    front: list[TokenSequence] = []
    for each in sorted(sequences, key=lambda s: (-s.value, s.cross_entropy or 0.0, s.ids)):
        if not front or _fluency(each) < _fluency(front[-1]):
            front.append(each)
    return front


def _fluency(sequence: TokenSequence) -> float:
    return 0.0 if sequence.cross_entropy is None else sequence.cross_entropy


@dataclass
class Archive:
    """Collect the Pareto front of all sequences that a search computes.

    Without cross-entropies the front is the best sequence.
    """

    has_entropies: bool
    front: list[TokenSequence] = field(default_factory=list)

    def add(self, ids: Array, values: Array, entropies: Array) -> None:
        """Add sequences [N, T] with values [N] and cross-entropies [N]."""
        order = np.lexsort((entropies, -values))
        least = np.minimum.accumulate(entropies[order])
        fresh = np.r_[True, entropies[order][1:] < least[:-1]]
        chosen = order[fresh] if self.has_entropies else order[:1]
        new = [
            TokenSequence(
                tuple(map(int, ids[k])),
                float(values[k]),
                float(entropies[k]) if self.has_entropies else None,
            )
            for k in chosen
        ]
        self.front = pareto([*self.front, *new])[:MOST]

    @property
    def best(self) -> float:
        """The largest value so far."""
        return self.front[0].value
