"""The comparison of searches: as many sequences each, and values that come back."""

from __future__ import annotations

from pathlib import Path

import compare_searches
import pytest
from support import words

from kerasviz.optvis.objectives.targets import parse_target
from kerasviz.optvis.tokens.find import find_tokens
from kerasviz.optvis.tokens.search import SEARCHES


def test_searches_compute_at_least_as_many_sequences(tmp_path: Path) -> None:
    net = words.load(words.language(tmp_path))
    (target,) = parse_target("units:2", net)
    scorer, row = compare_searches.row_of(net, target, 4)
    first = find_tokens(scorer, row, SEARCHES["epo"], (2, 4), 0)
    for name, (search, steps) in compare_searches.searches(first.evaluated, 4).items():
        result = find_tokens(scorer, row, search, (steps, 4), 0)
        assert first.evaluated <= result.evaluated <= 2 * first.evaluated, name


def test_values_come_back_here_and_in_onnxruntime(tmp_path: Path) -> None:
    path = words.language(tmp_path)
    net = words.load(path)
    (target,) = parse_target("units:2", net)
    scorer, row = compare_searches.row_of(net, target, 4)
    result = find_tokens(scorer, row, SEARCHES["epo"], (2, 4), 0)
    exact, gap = compare_searches.check(net, path, target, result)
    assert exact and gap == pytest.approx(0, abs=1e-5)


def test_the_evolutionary_search_beats_a_greedy_swap_and_random_sequences(tmp_path: Path) -> None:
    net = words.load(words.language(tmp_path))
    (target,) = parse_target("units:2", net)
    scorer, row = compare_searches.row_of(net, target, 4)
    first = find_tokens(scorer, row, SEARCHES["epo"], (8, 4), 0)
    others = {
        name: find_tokens(scorer, row, search, (steps, 4), 0).best.value
        for name, (search, steps) in compare_searches.searches(first.evaluated, 4).items()
    }
    assert first.best.value > max(others["greedy swap"], others["random"]), others
