"""Say how sharp the choice of each token is, by what other tokens would give in its place."""

from __future__ import annotations

from dataclasses import asdict, dataclass
from typing import Any

import numpy as np

from kerasviz.optvis.tokens.members import SearchSpace
from kerasviz.types import Array

#: Other tokens that are tried at each position (Thompson et al. 2024).
TRIED = 64
#: Those that are named.
NAMED = 3
#: Sequences that are computed for all positions together, at most.
MOST = 4096
#: Fewer tokens at a position say nothing: long sequences have no replacements.
LEAST = 8


@dataclass(frozen=True)
class Replacement:
    """What the score loses if another token stands at a position.

    ``largest`` and ``smallest`` are the losses of the worst and the best of the tokens tried, and
    ``best`` those tokens that lose least, with the values that they give. A negative loss is a
    gain.
    """

    largest: float
    smallest: float
    best: tuple[tuple[int, float], ...]

    def to_json(self) -> dict[str, Any]:
        """Return plain data."""
        return {**asdict(self), "best": [list(pair) for pair in self.best]}


def replacements(space: SearchSpace, ids: Array, searched: int) -> tuple[Replacement, ...]:
    """Try other tokens at the first ``searched`` positions of a sequence [T], alone.

    They are those that the gradient of the value promises most of. Of sequences that are too long
    to try enough of them there are none.
    """
    tried = min(TRIED, MOST // searched)
    if tried < LEAST:
        return ()
    none = np.zeros(1, np.float32)
    tokens, _ = space.scorer.candidates(ids[None], space.row, none, space.allowed, tried)
    tokens = tokens[0, :searched]
    tried = tokens.shape[1]
    changed = np.repeat(ids[None], searched * tried, axis=0)
    places = np.repeat(np.arange(searched), tried)
    changed[np.arange(len(changed)), places] = tokens.reshape(-1)
    values = space.scored(changed).values.reshape(searched, tried)
    present = space.scored(ids[None]).values[0]
    found = []
    for row, choices in zip(values, tokens, strict=True):
        order = np.argsort(-row, kind="stable")
        best = tuple((int(choices[k]), float(row[k])) for k in order[:NAMED])
        found.append(Replacement(float(present - row.min()), float(present - row.max()), best))
    return tuple(found)
