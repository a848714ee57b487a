"""The search finds what is known to be best, repeats itself, and reports what it computed."""

from __future__ import annotations

import itertools
from collections.abc import Callable
from functools import cache
from pathlib import Path
from tempfile import TemporaryDirectory

import numpy as np
import pytest
import tensorflow as tf
from support import words

from kerasviz.errors import UsageError
from kerasviz.optvis.objectives.packing import pack_objectives
from kerasviz.optvis.objectives.structure import structure_of
from kerasviz.optvis.objectives.targets import parse_target
from kerasviz.optvis.optimization.run import LoopInputs, LoopProgress
from kerasviz.optvis.recipes import RECIPES
from kerasviz.optvis.tokens.find import TokenResult, find_tokens, search_rows
from kerasviz.optvis.tokens.scorer import Row, TokenScorer
from kerasviz.optvis.tokens.search import SEARCHES, TokenSearch

#: A search of a few steps that small networks need.
SMALL = TokenSearch(population=4, children=16, restart=10, rows=32)


Build = Callable[[Path], Path]


@cache
def scorer_of(build: Build, rows: int, length: int) -> tuple[TokenScorer, Row]:
    """Compiling takes longer than searching: tests share it."""
    with TemporaryDirectory() as folder:
        net = words.load(build(Path(folder)))
    return words.scorer_and_row(net, "units:2", rows, length)


@cache
def found(build: Build, search: TokenSearch, steps: int, length: int, seed: int = 0) -> TokenResult:
    return find_tokens(*scorer_of(build, search.rows, length), search, (steps, length), seed)


@pytest.mark.parametrize("method", ["epo", "gcg", "greedy"])
def test_the_known_best_token_is_found_at_every_position(method: str) -> None:
    search = SEARCHES[method].replace(rows=32)
    result = found(words.bag, search, 40, 4)
    best = int(words.bag_units(np.arange(words.VOCABULARY))[:, 2].argmax())
    assert result.best.ids == (best,) * 4


def test_a_forbidden_best_token_is_never_chosen() -> None:
    order = np.argsort(-words.bag_units(np.arange(words.VOCABULARY))[:, 2])
    search = SMALL.replace(forbidden=str(order[0]))
    assert found(words.bag, search, 40, 4).best.ids == (int(order[1]),) * 4


@pytest.mark.parametrize("seed", range(3))
def test_the_best_of_all_sequences_is_found(seed: int) -> None:
    every = np.array(list(itertools.product(range(words.VOCABULARY), repeat=3)))
    values = words.mixer_units(every)[:, 2]
    result = found(words.mixer, SEARCHES["epo"].replace(rows=32), 60, 3, seed)
    assert result.best.value == pytest.approx(values.max(), abs=1e-5)
    assert result.best.ids == tuple(every[values.argmax()])


def test_what_is_reported_is_what_the_printed_ids_give() -> None:
    result = found(words.language, SMALL, 20, 4)
    net = scorer_of(words.language, SMALL.rows, 4)[0].net
    assert len(result.front) > 1
    for each in result.front:
        ids = np.array([each.ids])
        computed = net.activations(words.pictures(ids), ["units"])["units"]
        assert each.value == float(tf.reduce_mean(computed, axis=1)[0, 2])
        assert each.cross_entropy == pytest.approx(words.cross_entropies(ids)[0], rel=1e-4)


def test_the_front_rises_in_value_only_for_less_fluency() -> None:
    front = found(words.language, SMALL, 20, 4).front
    values = [each.value for each in front]
    entropies = [each.cross_entropy or 0 for each in front]
    assert values == sorted(values, reverse=True) and entropies == sorted(entropies, reverse=True)


@pytest.mark.parametrize("method", ["epo", "gcg", "greedy", "random"])
def test_the_best_value_never_falls(method: str) -> None:
    search = SEARCHES[method].replace(restart=5 if method == "epo" else 0, rows=32)
    result = found(words.language, search, 12, 4)
    assert (np.diff(result.history) >= 0).all()
    assert result.history[-1] == pytest.approx(result.best.value, rel=1e-5)


def test_the_same_is_found_at_every_batch_size() -> None:
    results = [found(words.language, SMALL.replace(rows=rows), 20, 4) for rows in (5, 32)]
    assert len({result.best.ids for result in results}) == 1
    assert len({tuple(each.ids for each in result.front) for result in results}) == 1


def test_equal_seeds_give_equal_results_and_others_do_not() -> None:
    scorer, row = scorer_of(words.language, SMALL.rows, 4)
    first, again, other = (find_tokens(scorer, row, SMALL, (3, 4), seed) for seed in (4, 4, 5))
    assert first.front == again.front and np.array_equal(first.history, again.history)
    assert first.best.ids != other.best.ids


def test_what_is_not_searched_stays() -> None:
    search = SMALL.replace(searched=2, padding=9)
    result = found(words.bag, search, 20, 4)
    assert result.best.ids[2:] == (9, 9) and len(result.replacements) == 2


def test_replacements_say_how_sharp_each_choice_is() -> None:
    result = found(words.bag, SMALL, 40, 4)
    values = words.bag_units(np.arange(words.VOCABULARY))[:, 2]
    order = np.argsort(-values)
    for each in result.replacements:
        assert each.smallest == pytest.approx((values[order[0]] - values[order[1]]) / 4, abs=1e-5)
        assert each.largest == pytest.approx((values[order[0]] - values[order[-1]]) / 4, abs=1e-5)
        assert [token for token, _ in each.best] == list(order[1:4])


@pytest.mark.parametrize(
    ("search", "line"),
    [
        (SMALL.replace(searched=9), "tokens 9: .* takes sequences of 4 tokens"),
        (SMALL.replace(padding=50), "padding 50: the network has the ids 0 to 49"),
    ],
)
def test_impossible_lengths_are_refused(search: TokenSearch, line: str) -> None:
    with pytest.raises(UsageError, match=line):
        found(words.bag, search, 1, 4)


def test_rows_of_a_batch_are_searched_by_themselves(tmp_path: Path) -> None:
    net = words.load(words.language(tmp_path))
    recipe = RECIPES["words"].replace(steps=4, size=(1, 5), search=SMALL)
    objectives = [parse_target(t, net)[0].objective for t in ("units:0", "units:2", "units:2")]
    structure = structure_of(objectives[0], net, False)

    def run(places: list[int]) -> tuple[np.ndarray, list[TokenResult], list[LoopProgress]]:
        data = pack_objectives(structure, [objectives[k] for k in places], net, False, (1, 5))
        seeds = np.array([7, 8, 8], np.int32)[places]
        steps: list[LoopProgress] = []
        inputs = LoopInputs(structure, data, seeds, np.arange(len(places)))
        made, results = search_rows(net, recipe, inputs, steps.append)
        return made.images, results, steps

    images, results, steps = run([0, 1, 2])
    assert images.shape == (3, 1, 5, 1) and images[1].tolist() == images[2].tolist()
    assert results[1] is results[2] and [p.step for p in steps] == [0, 0, 1, 1, 1, 2, 2, 2]
    alone, _, _ = run([1])
    assert np.array_equal(alone[0], images[1])
    assert tuple(images[0, 0, :, 0].astype(int)) == results[0].best.ids
