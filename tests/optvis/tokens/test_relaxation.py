"""Mixtures of tokens promise more than the tokens that are left of them give."""

from __future__ import annotations

from pathlib import Path

import numpy as np
import pytest
import tensorflow as tf
from support import words

from kerasviz.optvis.tokens.relaxation import relax


def test_a_bag_of_tokens_loses_nothing(tmp_path: Path) -> None:
    """The best mixture for a linear network is the best token."""
    scorer, row = words.scorer_and_row(words.load(words.bag(tmp_path)), "units:2", length=3)
    result = relax(scorer, row, (250, 3), 0, np.ones(words.VOCABULARY, bool))
    values = words.bag_units(np.arange(words.VOCABULARY))[:, 2]
    assert result.ids == (int(values.argmax()),) * 3
    assert result.snapped == pytest.approx(values.max(), rel=1e-5)
    assert result.soft == pytest.approx(result.snapped, rel=0.05)


def test_the_snapped_value_is_that_of_its_ids_and_forbidden_tokens_are_left_out(
    tmp_path: Path,
) -> None:
    net = words.load(words.mixer(tmp_path))
    scorer, row = words.scorer_and_row(net, "units:2", length=3)
    allowed = np.arange(words.VOCABULARY) >= 20
    result = relax(scorer, row, (40, 3), 1, allowed)
    ids = np.array([result.ids])
    assert result.snapped == float(net.activations(words.pictures(ids), ["units"])["units"][0, 2])
    assert min(result.ids) >= 20


def test_a_mixture_of_one_token_has_its_value(tmp_path: Path) -> None:
    from kerasviz.optvis.tokens.relaxation import _Ascent

    scorer, row = words.scorer_and_row(words.load(words.mixer(tmp_path)), "units:1", length=3)
    ids = np.array([4, 31, 8])
    ascent = _Ascent(scorer, row, tf.zeros([words.VOCABULARY]))
    value = ascent._value(tf.one_hot(ids, words.VOCABULARY))
    assert float(value) == pytest.approx(float(words.mixer_units(ids)[1]), rel=1e-4)
