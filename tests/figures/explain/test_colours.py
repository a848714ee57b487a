"""Mixtures of colours."""

from __future__ import annotations

import numpy as np

from kerasviz.figures.explain.colours import GROUPS, mixed, rgb


def test_shares_mix_colours_and_their_sum_is_the_opacity():
    shares = np.array([[[1.0, 0.0, 0.0], [0.0, 0.0, 0.0], [1.0, 1.0, 2.0]]])
    colours, opacities = mixed(shares, GROUPS)
    assert colours[0, 0].tolist() == list(rgb(GROUPS[0]))
    by_hand = np.mean([rgb(GROUPS[0]), rgb(GROUPS[1]), rgb(GROUPS[2]), rgb(GROUPS[2])], axis=0)
    np.testing.assert_allclose(colours[0, 2], by_hand, atol=0.5)
    assert opacities.tolist() == [[0.25, 0.0, 1.0]]
