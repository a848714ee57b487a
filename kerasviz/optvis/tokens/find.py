"""Find the tokens that raise the scores of rows: the search in place of the optimization loop."""

from __future__ import annotations

import math
from collections.abc import Callable, Sequence
from dataclasses import dataclass, field, replace

import numpy as np

from kerasviz.errors import UsageError
from kerasviz.network.network import Network
from kerasviz.optvis.objectives.special_tokens import left_out
from kerasviz.optvis.objectives.structure import Structure, taps_in
from kerasviz.optvis.optimization.compile_cache import compiled
from kerasviz.optvis.optimization.run import LoopInputs, LoopProgress, Run
from kerasviz.optvis.recipe import Recipe
from kerasviz.optvis.tokens.members import Members, SearchSpace
from kerasviz.optvis.tokens.methods import METHODS
from kerasviz.optvis.tokens.replacements import Replacement, replacements
from kerasviz.optvis.tokens.scorer import Row, TokenScorer
from kerasviz.optvis.tokens.search import TokenSearch
from kerasviz.optvis.tokens.sequence import Archive, TokenSequence, pareto
from kerasviz.types import Array


@dataclass(frozen=True)
class TokenResult:
    """The result of a search.

    ``front`` are the sequences that no other beats in both value and fluency, by falling value:
    the first is the one of the largest. Their numbers are those of each sequence computed alone.
    ``history`` [steps] is the largest value so far, ``evaluated`` the number of sequences that the
    network computed, which has ``vocabulary`` ids, and ``replacements`` say how sharp each choice
    is.
    """

    front: tuple[TokenSequence, ...]
    history: Array
    evaluated: int
    vocabulary: int
    replacements: tuple[Replacement, ...] = field(default=())

    @property
    def best(self) -> TokenSequence:
        """The sequence of the largest value."""
        return self.front[0]


#: Where the file names a number of sequences, the compiled graph has the network this many times at
#: most.
COPIES = 8
#: Random sequences whose values are measured.
MEASURED = 64

#: Called after each step with its number and the largest value so far.
OnStep = Callable[[int, float], None]


def scorer_of(net: Network, structure: Structure, recipe: Recipe) -> TokenScorer:
    """Return the scorer of a structure, compiled once and kept with the network."""
    search = recipe.search or TokenSearch()
    net = net.focused(taps_in(structure))
    fluent, named = search.fluency[1] > 0, net.image_input.batch
    rows = search.rows if named is None else min(search.rows, COPIES * named)
    special = left_out(net, recipe.special_tokens, taps_in(structure))
    key = (TokenScorer, structure, rows, fluent, recipe.special_tokens, recipe.rivals)

    def make(net: Network) -> TokenScorer:
        return TokenScorer(
            net, structure, rows, fluent=fluent, special=special, rivals=recipe.rivals
        )

    return compiled(net, key, make)


def find_tokens(
    scorer: TokenScorer,
    row: Row,
    search: TokenSearch,
    size: tuple[int, int],
    seed: int,
    on_step: OnStep = lambda step, best: None,
    cutoff: float = math.inf,
) -> TokenResult:
    """Search for the tokens that raise the score of one row.

    Args:
        scorer: The compiled functions of the row's structure.
        row: The tensors of the row, see :func:`pack_objectives`, each with one row.
        search: How to search.
        size: The numbers of steps and of tokens.
        seed: All draws of a step follow from it and the number of the step.
        on_step: Called after each step.
        cutoff: The value from which on a sequence is good enough.
    """
    steps, length = size
    method, before = METHODS[search.method], scorer.evaluated
    space, members = _begin(scorer, row, search, length, seed)
    archive = Archive(scorer.head is not None)
    archive.add(*vars(members).values())
    history = np.zeros(steps, np.float32)
    for step in range(steps):
        generator = np.random.default_rng([seed, step + 1])
        if search.restart and step and step % search.restart == 0:
            members = method.restarted(space, members, generator)
            archive.add(*vars(members).values())
        for _ in range(method.rounds(space)):
            children = space.scored(method.children(space, members, generator))
            archive.add(*vars(children).values())
            members = method.selected(space, members, children, generator)
            archive.add(*vars(members).values())
        history[step] = archive.best
        on_step(step + 1, archive.best)
        if archive.best >= cutoff:
            history = history[: step + 1]
            break
    evaluated = scorer.evaluated - before
    front = exact_front(scorer, row, archive.front)
    changes = replacements(space, np.array(front[0].ids, np.int32), search.searched or length)
    return TokenResult(tuple(front), history, evaluated, scorer.vocabulary, changes)


def exact_front(
    scorer: TokenScorer, row: Row, front: Sequence[TokenSequence]
) -> list[TokenSequence]:
    """Return the front with the numbers of each sequence computed alone.

    A batch rounds differently, and a sequence that is checked is computed alone.
    """
    exact = [
        TokenSequence(each.ids, *scorer.exact(np.array(each.ids, np.int32), row)) for each in front
    ]
    return pareto(exact)


def _begin(
    scorer: TokenScorer, row: Row, search: TokenSearch, length: int, seed: int
) -> tuple[SearchSpace, Members]:
    """Return what is searched, and random members.

    With a language head more of them are drawn, whose spread is the unit of the weights: the same
    weights suit targets of any scale.
    """
    allowed = search.allowed(scorer.vocabulary)
    if search.searched > length:
        raise UsageError(
            f"tokens {search.searched}: {scorer.net.name} takes sequences of {length} tokens"
        )
    if search.padding >= scorer.vocabulary:
        raise UsageError(
            f"padding {search.padding}: the network has the ids 0 to {scorer.vocabulary - 1}"
        )
    fluent = scorer.head is not None and search.fluency[1] > 0
    space = SearchSpace(scorer, row, search, allowed, np.zeros(search.population))
    padded = np.full(length, search.padding, np.int32)
    count = max(search.population, MEASURED) if fluent else search.population
    drawn = space.scored(space.random(np.random.default_rng([seed, 0]), count, padded))
    if fluent:
        unit = float(drawn.values.std())
        space = replace(space, weights=search.weights * unit, unit=unit)
    return space, drawn.at(np.arange(search.population))


def search_rows(
    net: Network,
    recipe: Recipe,
    batch: LoopInputs,
    progress: Callable[[LoopProgress], None] | None = None,
) -> tuple[Run, list[TokenResult]]:
    """Search for the tokens of all rows of a batch, one row after the other.

    A row depends on the network, its objective, the recipe and its seed only. Equal rows, such as
    those that fill a batch, are searched once.
    """
    assert recipe.search is not None
    scorer = scorer_of(net, batch.structure, recipe)
    found: dict[tuple[bytes, ...], TokenResult] = {}
    results = []
    for number in range(batch.size):
        key = _key(batch, number)
        if key not in found:
            data, _, _ = batch.tensors(slice(number, number + 1))

            def on_step(step: int, best: float, before: int = number * recipe.steps) -> None:
                if progress is not None:  # rows follow each other: all together take the steps
                    progress(LoopProgress((before + step) // batch.size, recipe.steps, best))

            size, seed = (recipe.steps, recipe.size[1]), int(batch.seeds[number])
            end = math.inf if recipe.cutoff is None else recipe.cutoff
            found[key] = find_tokens(scorer, data, recipe.search, size, seed, on_step, end)
        results.append(found[key])
    return _run(recipe, results), results


def _key(batch: LoopInputs, number: int) -> tuple[bytes, ...]:
    arrays = (array[number].tobytes() for _, array in sorted(batch.data.items()))
    return (*arrays, batch.seeds[number].tobytes())


def _run(recipe: Recipe, results: Sequence[TokenResult]) -> Run:
    """Return results as a run of pictures of ids."""
    ids = np.array([result.best.ids for result in results], np.float32)
    values = np.array([result.best.value for result in results], np.float32)
    taken = np.array([len(result.history) for result in results])
    history = np.full((recipe.steps, len(results)), np.nan, np.float32)
    for number, result in enumerate(results):
        history[: taken[number], number] = result.history
    return Run(
        images=ids[:, None, :, None],
        snapshots={},
        scores=values,
        terms=np.zeros((len(results), 0), np.float32),
        history=history,
        taken=taken,
        complete=np.ones(len(results), bool),
    )
