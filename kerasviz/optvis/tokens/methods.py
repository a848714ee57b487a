"""The methods of searches for tokens, each in the words of its paper."""

from __future__ import annotations

from collections.abc import Mapping

import numpy as np

from kerasviz.optvis.tokens.members import Members, Search, SearchSpace
from kerasviz.types import Array

#: The weight of fluency at a restart is this many times a number drawn from a third to 3.
RESTART_WEIGHT = 2.0
SPREAD = 3.0
#: The rounds of a step of evolutionary prompts without a language head.
ROUNDS = 4


class EvolutionaryPrompts(Search):
    """Keep, for each weight of fluency, the best of all members and children.

    Gradients are those of a member's own weight. At a restart all become copies of the best for a
    drawn weight. Without a language head weights say nothing, and members would soon be copies of
    one: then one half are the best of all, the others the best of their own children, and at a
    restart the worse half is drawn anew. A step then has four rounds of a quarter of the children,
    one of which has the swap that the gradient promises most: many gradients find more than many
    children of one.

    Reference: Thompson, Straznickas, Sklar, "Fluent dreaming for language models" (2024). Its
    program draws the weight of a restart but then takes 2, restarts before the first step, and
    keeps gradients of another weight.
    """

    def rounds(self, space: SearchSpace) -> int:
        """Return 4 without a language head, as far as there are children for them."""
        return 1 if space.weights.any() else min(ROUNDS, space.settings.children)

    def children(
        self, space: SearchSpace, members: Members, generator: np.random.Generator
    ) -> Array:
        """Return changed copies of the members."""
        if space.weights.any():
            return super().children(space, members, generator)
        count = space.settings.children // self.rounds(space)
        tokens, gains = space.candidates(members, generator)
        ids = space.mutated(members, tokens, generator, count)
        ids[count - 1 :: count] = space.swapped(members, tokens, gains)
        return ids

    def restarted(
        self, space: SearchSpace, members: Members, generator: np.random.Generator
    ) -> Members:
        """Return copies of one member, or members of which the worse half is new."""
        count = len(members.ids)
        if not space.weights.any():
            kept = np.argsort(-members.values, kind="stable")[: (count + 1) // 2]
            fresh = space.random(generator, count - len(kept), members.ids[0])
            return members.at(kept).with_others(space.scored(fresh)) if len(fresh) else members
        weight = space.unit * RESTART_WEIGHT * generator.uniform(1 / SPREAD, SPREAD)
        best = int(members.scores(np.array([weight]))[0].argmax())
        return members.at(np.full(count, best))

    def selected(
        self,
        space: SearchSpace,
        members: Members,
        children: Members,
        generator: np.random.Generator,
    ) -> Members:
        """Return the best for each weight, or of all and of each member's own."""
        pool, count = members.with_others(children), len(members.ids)
        if space.weights.any():
            return pool.at(pool.scores(space.weights).argmax(axis=1))
        by_member = np.arange(len(children.ids)).reshape(count, -1)
        family = np.c_[np.arange(count), count + by_member]
        own = family[np.arange(count), pool.values[family].argmax(axis=1)]
        _, different = np.unique(pool.ids, axis=0, return_index=True)
        best = different[np.argsort(-pool.values[different], kind="stable")][: count // 2]
        apart = own[np.argsort(-pool.values[own], kind="stable")][: count - len(best)]
        return pool.at(np.r_[best, apart])


class GreedyCoordinates(Search):
    """Continue with the best child of each member, even if the member was better.

    Reference: Zou et al., "Universal and Transferable Adversarial Attacks on Aligned Language
    Models" (2023), GCG.
    """

    def selected(
        self,
        space: SearchSpace,
        members: Members,
        children: Members,
        generator: np.random.Generator,
    ) -> Members:
        """Return the best child of each member."""
        count = len(members.ids)
        by_member = np.arange(len(children.ids)).reshape(count, -1)
        scores = children.values - np.repeat(space.weights, by_member.shape[1]) * children.entropies
        best = scores[by_member].argmax(axis=1)
        return children.at(by_member[np.arange(count), best])


class GreedySwap(Search):
    """Make the one swap that the gradient promises most; start again where it does not raise.

    Reference: Ebrahimi et al., "HotFlip: White-Box Adversarial Examples for Text Classification"
    (2018).
    """

    def children(
        self, space: SearchSpace, members: Members, generator: np.random.Generator
    ) -> Array:
        """Return each member with its best swap."""
        return space.swapped(members, *space.candidates(members, generator))

    def selected(
        self,
        space: SearchSpace,
        members: Members,
        children: Members,
        generator: np.random.Generator,
    ) -> Members:
        """Return the children that are better, and new sequences for the members they are of."""
        better = children.values > members.values
        pool, lost = children, np.flatnonzero(~better)
        if not len(lost):
            return pool
        fresh = space.scored(space.random(generator, len(lost), members.ids[0]))
        places = np.arange(len(children.ids))
        places[lost] = len(children.ids) + np.arange(len(lost))
        return pool.with_others(fresh).at(places)


class RandomSequences(Search):
    """Draw sequences: what every other method has to beat."""

    def children(
        self, space: SearchSpace, members: Members, generator: np.random.Generator
    ) -> Array:
        """Return random sequences."""
        return space.random(generator, space.settings.children, members.ids[0])

    def selected(
        self,
        space: SearchSpace,
        members: Members,
        children: Members,
        generator: np.random.Generator,
    ) -> Members:
        """Return the members, which nothing is made of."""
        return members


METHODS: Mapping[str, Search] = {
    "epo": EvolutionaryPrompts(),
    "gcg": GreedyCoordinates(),
    "greedy": GreedySwap(),
    "random": RandomSequences(),
}
