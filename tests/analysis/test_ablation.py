"""The effect of an edit: counted like by hand."""

from __future__ import annotations

import numpy as np
import pytest

from kerasviz.analysis.ablation import EffectTally


def test_accuracies_and_changes_against_sorting():
    draw = np.random.default_rng(0)
    before, after = draw.normal(size=(2, 37, 12))
    truths = [None if k % 5 == 0 else int(k) for k in draw.integers(0, 12, 37)]
    tally = EffectTally()
    for rows in (slice(0, 20), slice(20, 37)):  # in batches
        names = [f"{k}.png" for k in range(37)][rows]
        tally.add(names, truths[rows], before[rows], after[rows])
    known = [k for k, truth in enumerate(truths) if truth is not None]
    for guesses in (1, 5):
        best = [np.argsort(-logits, 1)[:, :guesses] for logits in (before, after)]
        expected = [np.mean([truths[k] in rows[k] for k in known]) for rows in best]
        assert tally.accuracy(guesses) == pytest.approx(tuple(expected))
    np.testing.assert_allclose(tally.mean_change, (after - before).mean(0))
    assert tally.mean_size == pytest.approx(abs(after - before).mean())
    assert tally.switched == (before.argmax(1) != after.argmax(1)).sum()
    answer = tally.answers[3]
    assert answer.change == pytest.approx(after[3, answer.before] - before[3, answer.before])
    fall, rise = tally.classes(2)
    order = list(np.argsort((after - before).mean(0)))
    assert (fall, rise) == (order[:2], order[:-3:-1])


def test_images_of_unknown_classes_have_no_accuracy():
    tally = EffectTally()
    tally.add(["a"], [None], np.ones((1, 3)), np.ones((1, 3)))
    assert tally.accuracy(1) is None
    assert (tally.classes(), tally.switched, tally.mean_size) == (([], []), 0, 0.0)
