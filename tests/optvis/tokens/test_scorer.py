"""Values, cross-entropies and gradients of sequences of tokens, against numpy."""

from __future__ import annotations

from pathlib import Path

import numpy as np
import pytest
import tensorflow as tf
from support import words
from support.rows import assert_same_rows

from kerasviz.errors import ModelError

IDS = np.random.default_rng(5).integers(0, words.VOCABULARY, (11, 5)).astype(np.int32)


def test_values_are_those_of_numpy_at_every_batch_size(tmp_path: Path) -> None:
    net = words.load(words.language(tmp_path))
    units, _ = words.language_numbers(IDS)
    for rows in (1, 4, 64):
        scorer, row = words.scorer_and_row(net, "units:2", rows)
        values, entropies = scorer.evaluate(IDS, row)
        assert np.allclose(values, units[..., 2].mean(1), atol=1e-5)
        assert np.allclose(entropies, words.cross_entropies(IDS), rtol=1e-5)
    last, row = words.scorer_and_row(net, "units:2@-1")
    assert np.allclose(last.evaluate(IDS, row)[0], units[:, -1, 2], atol=1e-5)


def test_a_row_does_not_depend_on_its_neighbours(tmp_path: Path) -> None:
    scorer, row = words.scorer_and_row(words.load(words.language(tmp_path)), "units:1")
    together = scorer.evaluate(IDS, row)[0]
    shuffled = np.random.default_rng(0).permutation(len(IDS))
    assert_same_rows(scorer.evaluate(IDS[shuffled], row)[0], together[shuffled])
    assert_same_rows(scorer.evaluate(IDS[3:5], row)[0], together[3:5])
    assert scorer.evaluated == 2 * len(IDS) + 2


def test_one_sequence_alone_has_the_numbers_that_everybody_computes(tmp_path: Path) -> None:
    net = words.load(words.language(tmp_path))
    scorer, row = words.scorer_and_row(net, "units:1")
    value, entropy = scorer.exact(IDS[0], row)
    computed = net.activations(words.pictures(IDS[:1]), ["units"])["units"]
    assert value == float(tf.reduce_mean(computed, axis=1)[0, 1])
    assert entropy == pytest.approx(words.cross_entropies(IDS[:1])[0], rel=1e-5)


def test_only_a_network_that_does_not_look_ahead_has_a_language_head(tmp_path: Path) -> None:
    causal, _ = words.scorer_and_row(words.load(words.language(tmp_path)), "units:1")
    masked, row = words.scorer_and_row(
        words.load(words.language(tmp_path, causal=False)), "units:1"
    )
    assert causal.head == "logits" and masked.head is None
    assert not masked.evaluate(IDS, row)[1].any() and masked.exact(IDS[0], row)[1] is None
    without, _ = words.scorer_and_row(words.load(words.language(tmp_path)), "units:1", fluent=False)
    assert without.head is None


@pytest.mark.parametrize("weight", [0.0, 0.7])
def test_the_one_hot_gradient_is_that_of_finite_differences(tmp_path: Path, weight: float) -> None:
    """A token between two has a vector between theirs, and is in part the label of each."""
    net = words.load(words.language(tmp_path))
    scorer, row = words.scorer_and_row(net, "units:2")
    gradient = scorer.one_hot_gradient(IDS[:2], row, np.array([weight, weight], np.float32))
    w, rate = words.weights(2), 1e-3

    def score(share: float, place: int, token: int) -> float:
        hot = np.eye(words.VOCABULARY)[IDS[1]]
        hot[place] += share * (np.eye(words.VOCABULARY)[token] - hot[place])
        rows = hot @ w["table"].astype(float) + w["places"][: len(hot)]
        hidden = np.tanh(rows.cumsum(0) @ w["mix"])
        logits = hidden @ w["head"]
        logs = logits - np.log(np.exp(logits).sum(-1, keepdims=True))
        entropy = -(hot[1:] * logs[:-1]).sum(-1).mean()
        return float((hidden @ w["read"])[:, 2].mean() - weight * entropy)

    for place, token in ((0, 3), (2, 41), (4, 17)):
        numeric = (score(rate, place, token) - score(-rate, place, token)) / (2 * rate)
        analytic = gradient[1, place, token] - gradient[1, place, IDS[1, place]]
        assert analytic == pytest.approx(numeric, rel=1e-3, abs=1e-4)


def test_candidates_are_the_allowed_tokens_of_the_largest_gradient(tmp_path: Path) -> None:
    scorer, row = words.scorer_and_row(words.load(words.language(tmp_path)), "units:0")
    weights, allowed = np.array([0.1, 3.0], np.float32), np.arange(words.VOCABULARY) % 2 == 0
    tokens, gains = scorer.candidates(IDS[:2], row, weights, allowed, 7)
    gradient = scorer.one_hot_gradient(IDS[:2], row, weights)
    for m in range(2):
        for t in range(IDS.shape[1]):
            entries = gradient[m, t] - gradient[m, t, IDS[m, t]]
            entries[~allowed], entries[IDS[m, t]] = -np.inf, -np.inf
            assert np.allclose(gains[m, t], np.sort(entries)[::-1][:7], rtol=1e-4, atol=1e-6)
            assert allowed[tokens[m, t]].all() and IDS[m, t] not in tokens[m, t]


def test_a_file_of_a_fixed_number_of_sequences_gives_the_same(tmp_path: Path) -> None:
    free, row = words.scorer_and_row(words.load(words.bag(tmp_path)), "units:3", 8)
    fixed, _ = words.scorer_and_row(
        words.load(words.bag(tmp_path, batch=2, length=5)), "units:3", 8
    )
    assert np.allclose(free.evaluate(IDS, row)[0], fixed.evaluate(IDS, row)[0], atol=1e-6)
    for scorer in (free, fixed):
        found = scorer.one_hot_gradient(IDS[:3], row, np.zeros(3, np.float32))
        w = words.weights()
        wanted = (w["table"] @ w["direct"][:, 3]) / IDS.shape[1]
        assert np.allclose(found - found[..., :1], (wanted - wanted[0])[None, None], atol=1e-6)


def test_numbers_that_are_none_are_reported_in_one_line(tmp_path: Path) -> None:
    w = words.weights()
    nodes = [
        words.node("Gather", "table ids", "rows"),
        words.node("Log", "rows", "logs"),
        words.node("MatMul", "logs direct", "units"),
    ]
    arrays = {n: w[n] for n in ("table", "direct")}
    net = words.load(words.save(tmp_path / "nan.onnx", nodes, arrays, ["units"]))
    scorer, row = words.scorer_and_row(net, "units:0")
    with pytest.raises(ModelError, match=r"scores of tokens are not finite"):
        scorer.evaluate(IDS, row)


def test_sequences_that_are_too_long_are_reported_in_one_line(tmp_path: Path) -> None:
    net = words.load(words.language(tmp_path))  # it has vectors of 16 positions
    scorer, row = words.scorer_and_row(net, "units:0", length=16)
    with pytest.raises(ModelError, match=r"sequences of 17 tokens cannot be computed") as caught:
        scorer.evaluate(np.zeros((1, 17), np.int32), row)
    assert "\n" not in str(caught.value)
