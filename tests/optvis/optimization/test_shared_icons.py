"""Icons with shared parts: they raise their own score, and those of a group look alike."""

from __future__ import annotations

import numpy as np
import pytest
from support.analysed import of_keras

from kerasviz.optvis.optimization.shared_icons import shared_icons


@pytest.fixture(scope="module")
def net():
    return of_keras()


def scores(net, icons, vectors):
    mean = net.activations(icons, ["second"])["second"].numpy().mean((1, 2))
    return (mean * vectors).sum(1)


def test_each_icon_raises_the_score_of_its_own_vector(net):
    draw = np.random.default_rng(0)
    vectors, shares = draw.uniform(size=(70, 5)), draw.uniform(size=(70, 2))
    start = shared_icons(net, "second", vectors, shares, side=15, steps=0)
    made = shared_icons(net, "second", vectors, shares, side=15, steps=12)
    assert made.shape == (70, 15, 15, 3) and made.min() >= 0 and made.max() <= 1
    better = scores(net, made, vectors) > scores(net, start, vectors)
    assert better.all()  # also the 6 that do not take part in a step
    again = shared_icons(net, "second", vectors, shares, side=15, steps=12)
    np.testing.assert_array_equal(made, again)


def test_icons_of_a_group_look_alike(net):
    vectors = np.random.default_rng(1).normal(size=(4, 5))
    apart, alike = (
        shared_icons(net, "second", vectors, shares, side=15, steps=12, seed=3)
        for shares in (np.eye(4), np.ones((4, 1)))
    )

    def distance(icons):
        return np.abs(icons[:, None] - icons[None]).mean()

    assert distance(alike) < 0.8 * distance(apart)
