"""The sequences that a search changes, and how they are changed."""

from __future__ import annotations

from abc import ABC, abstractmethod
from dataclasses import dataclass
from typing import Any

import numpy as np

from kerasviz.optvis.tokens.scorer import Row, TokenScorer
from kerasviz.optvis.tokens.search import TokenSearch
from kerasviz.types import Array

#: Of a small vocabulary one of ``SHARE`` tokens is a candidate, but ``LEAST`` at least: with all
#: of them the gradient would say nothing.
SHARE = 16
LEAST = 16


@dataclass(frozen=True)
class Members:
    """Hold sequences [M, T] with their values [M] and cross-entropies [M]."""

    ids: Array
    values: Array
    entropies: Array

    def at(self, places: Array) -> Members:
        """Return some of the sequences, in the order of ``places``."""
        return Members(self.ids[places], self.values[places], self.entropies[places])

    def with_others(self, others: Members) -> Members:
        """Return these sequences and others behind them."""
        pairs = zip(vars(self).values(), vars(others).values(), strict=True)
        return Members(*(np.concatenate(pair) for pair in pairs))

    def scores(self, weights: Array) -> Array:
        """Return value - weight * cross-entropy for each weight, [weights, M]."""
        scores: Array = self.values - np.asarray(weights)[:, None] * self.entropies
        return scores


@dataclass(frozen=True)
class SearchSpace:
    """Hold what a search is about: the scorer, the objective's tensors, settings, allowed ids.

    ``weights`` are those of fluency for each member, 0 without a language head; ``unit`` is the
    value that a weight of 1 trades for a nat of cross-entropy.
    """

    scorer: TokenScorer
    row: Row
    settings: TokenSearch
    allowed: Array
    weights: Array
    unit: float = 1.0

    def scored(self, ids: Array) -> Members:
        """Compute sequences [N, T]."""
        return Members(ids, *self.scorer.evaluate(ids, self.row))

    def random(self, generator: np.random.Generator, count: int, like: Array) -> Array:
        """Draw ``count`` sequences of allowed tokens; what is not searched stays as in ``like``."""
        searched = self.settings.searched or len(like)
        ids = np.repeat(like[None], count, axis=0)
        shape = (count, searched)
        ids[:, :searched] = generator.choice(np.flatnonzero(self.allowed), shape)
        return ids

    def candidates(self, members: Members, generator: np.random.Generator) -> tuple[Array, Array]:
        """Return the tokens of the largest gradient for each position [M, T, k], and their gains.

        Where the gradient says nothing, as of a unit that is off, they are drawn.
        """
        share = max(LEAST, self.scorer.vocabulary // SHARE)
        count = min(self.settings.candidates, share)
        tokens, gains = self.scorer.candidates(
            members.ids, self.row, self.weights, self.allowed, count
        )
        flat = gains[..., 0] == gains[..., -1]
        if tokens.shape[-1] > 1 and flat.any():
            tokens = tokens.copy()
            choices = np.flatnonzero(self.allowed)
            tokens[flat] = generator.choice(choices, (int(flat.sum()), tokens.shape[-1]))
        return tokens, gains

    def swapped(self, members: Members, tokens: Array, gains: Array) -> Array:
        """Return members, each with the one candidate of the largest gain."""
        length = self.settings.searched or members.ids.shape[1]
        places = gains[:, :length, 0].argmax(axis=1)
        ids, rows = members.ids.copy(), np.arange(len(members.ids))
        ids[rows, places] = tokens[rows, places, 0]
        return ids

    def mutated(
        self,
        members: Members,
        tokens: Array,
        generator: np.random.Generator,
        count: int | None = None,
    ) -> Array:
        """Return ``count`` changed copies of each member [M * count, T], each member's together.

        A copy has, at one random position, one of the ``tokens`` of the position, drawn uniformly.
        Bold copies have others at several positions, of which the first are the likelier. They
        bring far in few steps where tokens hardly depend on each other.
        """
        copies, choices = count or self.settings.children, tokens.shape[-1]
        length = self.settings.searched or members.ids.shape[1]
        ids = np.repeat(members.ids, copies, axis=0)
        bold = round(self.settings.bold * copies)
        for child in range(len(ids)):
            member, number = divmod(child, copies)
            several = _likelier_few(generator, length) if number < bold else 1
            places = generator.permutation(length)[:several]
            picks = generator.integers(choices, size=several)
            if number < bold:
                picks = _likelier_few(generator, choices, several) - 1
            ids[child, places] = tokens[member, places, picks]
        return ids


def _likelier_few(generator: np.random.Generator, most: int, size: int | None = None) -> Any:
    """Draw whole numbers from 1 to ``most``: as often 1 as 2 to 3, as 4 to 7 and so on."""
    drawn = np.exp2(generator.uniform(0, np.log2(most + 1), size))
    return np.clip(drawn.astype(int), 1, most)


class Search(ABC):
    """Search for members: what every method does unless it says otherwise."""

    def rounds(self, space: SearchSpace) -> int:
        """Return how often members are changed in a step."""
        return 1

    def restarted(
        self, space: SearchSpace, members: Members, generator: np.random.Generator
    ) -> Members:
        """Return the members that the search continues with after some steps: the same."""
        return members

    def children(
        self, space: SearchSpace, members: Members, generator: np.random.Generator
    ) -> Array:
        """Return changed sequences [N, T]: copies of the members, changed by the gradient."""
        tokens, _ = space.candidates(members, generator)
        return space.mutated(members, tokens, generator)

    @abstractmethod
    def selected(
        self,
        space: SearchSpace,
        members: Members,
        children: Members,
        generator: np.random.Generator,
    ) -> Members:
        """Return the members of the next step."""
