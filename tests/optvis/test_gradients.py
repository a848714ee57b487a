from __future__ import annotations

import numpy as np
import pytest
from support.tiny import network

from kerasviz.errors import UsageError
from kerasviz.optvis.gradients import (
    attribution,
    colour_share,
    decorrelated_colours,
    gradients,
    high_frequency_share,
    steepest,
)
from kerasviz.optvis.objectives.objective import channel, logit, total_variation
from kerasviz.optvis.objectives.structure import IMAGE
from kerasviz.optvis.optimization.compile_cache import cache_of
from reference.colour import CHOLESKY, M
from reference.fourier import values

NET = network()
IMAGES = np.random.default_rng(0).uniform(0.2, 0.8, (2, 15, 18, 3)).astype(np.float32)


def score(images, objective, **settings):
    return gradients(NET, objective, images.astype(np.float32), **settings)[0]


def test_the_gradient_by_the_image_against_finite_differences():
    objective = channel("joined", 2) + 0.01 * total_variation(1.0)
    _, slopes, found = gradients(NET, objective, IMAGES)
    np.testing.assert_array_equal(found[IMAGE], IMAGES)
    way = np.random.default_rng(1).normal(size=IMAGES.shape).astype(np.float32)
    ends = [score(IMAGES + sign * 1e-3 * way, objective) for sign in (1, -1)]
    expected = (slopes[IMAGE] * way).sum((1, 2, 3))
    scale = np.linalg.norm(slopes[IMAGE].reshape(2, -1), axis=1)  # what a random way changes
    assert (np.abs((ends[0] - ends[1]) / 2e-3 - expected) < 0.02 * scale).all()


def test_the_gradient_by_a_layer_is_what_the_rest_of_the_network_makes_of_it():
    """The logit is linear in ``joined``: its gradient is the dense weight over the positions."""
    _, slopes, found = gradients(NET, logit(3), IMAGES, ["joined"])
    positions = np.prod(found["joined"].shape[1:3])
    expected = NET.program.weights["dense"][:, 3] / positions
    np.testing.assert_allclose(slopes["joined"], np.broadcast_to(expected, found["joined"].shape))


def test_a_layer_after_the_objective_has_no_gradient():
    _, slopes, _ = gradients(NET, channel("relu1", 2), IMAGES, ["joined"])
    assert not slopes["joined"].any()


def matrix(height, width):
    """The explicit matrix of z -> M irfft2(scale z) / 4 of one image, column by column."""
    shape = (1, 3, height, width // 2 + 1 + width % 2)
    columns = []
    for part in range(2):
        for place in np.ndindex(shape):
            z = [np.zeros(shape), np.zeros(shape)]
            z[part][place] = 1
            columns.append((values(*z, height, width) @ M.T).ravel())
    return np.array(columns).T


def test_the_decorrelated_direction_is_that_of_the_explicit_matrix():
    image = IMAGES[:1, :5, :4].astype(np.float64)
    slope = np.random.default_rng(2).normal(size=image.shape)
    a = matrix(5, 4)
    s = (image * (1 - image)).ravel()
    expected = s * (a @ (a.T @ (s * slope.ravel())))
    found = steepest("decorrelated", slope.astype(np.float32), image)
    np.testing.assert_allclose(
        found.ravel(), expected, rtol=2e-3, atol=np.abs(expected).max() * 1e-4
    )


def test_metrics_order_the_share_of_high_frequencies():
    _, slopes, _ = gradients(NET, channel("joined", 2), IMAGES)
    shares = {
        metric: high_frequency_share(steepest(metric, slopes[IMAGE], IMAGES)).mean()
        for metric in ("decorrelated", "l2", "linf")
    }
    assert shares["decorrelated"] < 0.3 * shares["l2"]
    np.testing.assert_array_equal(steepest("linf", slopes[IMAGE], IMAGES), np.sign(slopes[IMAGE]))
    with pytest.raises(UsageError, match="unknown metric 'l3'"):
        steepest("l3", slopes[IMAGE], IMAGES)


def test_every_direction_ascends():
    objective = channel("joined", 2)
    before, slopes, _ = gradients(NET, objective, IMAGES)
    for metric in ("decorrelated", "l2", "linf"):
        way = steepest(metric, slopes[IMAGE], IMAGES)
        step = 1e-3 * way / np.abs(way).max((1, 2, 3), keepdims=True)
        assert (score(IMAGES + step, objective) > before).all()


def test_decorrelated_colours_whiten_what_has_the_colours_of_photos():
    draw = np.random.default_rng(3)
    scaled = CHOLESKY / np.linalg.norm(CHOLESKY, axis=0).max()
    alike = draw.normal(size=(2, 90, 101, 3)) @ scaled.T
    white = decorrelated_colours(alike, "cholesky").reshape(-1, 3)
    np.testing.assert_allclose(np.cov(white.T), np.eye(3), atol=0.03)
    slope = draw.normal(size=(2, 4, 5, 3))
    twice = decorrelated_colours(decorrelated_colours(slope, "cholesky"), "cholesky")
    expected = np.einsum("ij,bhwj->bhwi", np.linalg.inv(scaled @ scaled.T), slope)
    np.testing.assert_allclose(twice, expected, rtol=1e-9)


def test_a_gradient_at_photos_is_far_more_colourful_with_decorrelated_colours():
    """The article's two pictures, by the energy of colour over that of brightness."""
    _, slopes, _ = gradients(NET, channel("joined", 2), IMAGES)
    before = colour_share(slopes[IMAGE])
    assert (colour_share(decorrelated_colours(slopes[IMAGE])) > 10 * before).all()
    assert (np.sum(decorrelated_colours(slopes[IMAGE]) * slopes[IMAGE], (1, 2, 3)) > 0).all()


def test_the_share_of_colour():
    grey = np.repeat(np.random.default_rng(4).normal(size=(1, 5, 7, 1)), 3, -1)
    assert colour_share(grey)[0] < 1e-30
    red = np.array([2.0, 0.0, 0.0]).reshape(1, 1, 1, 3)  # grey (2/3, 2/3, 2/3) + the rest
    np.testing.assert_allclose(colour_share(red), (16 + 4 + 4) / 12)


def test_gradients_are_traced_once_for_a_size():
    net = network()
    for unit in (1, 2):
        gradients(net, channel("joined", unit), IMAGES[:1], ["relu1"])
    gradients(net, channel("joined", 2), IMAGES[1:2], ["relu1"])
    (compiled,) = [f for key, f in cache_of(net).items() if key[0] == "gradients"]
    assert compiled.experimental_get_tracing_count() == 1


def test_attribution_adds_up_to_what_is_linear():
    """The logit is linear in ``joined``, so that its attributions sum to it (there is no bias)."""
    maps = attribution(NET, logit(1), IMAGES, "joined")
    np.testing.assert_allclose(maps.sum((1, 2)), score(IMAGES, logit(1)), rtol=1e-4)
    with pytest.raises(UsageError, match="no positions"):
        attribution(NET, logit(1), IMAGES, "pooled")


def test_the_share_of_high_frequencies():
    y, x = np.mgrid[:16, :20]
    slow = np.cos(2 * np.pi * x / 20) + 0 * y
    fast = np.cos(np.pi * x) * np.cos(np.pi * y)
    both = (slow + fast + 7)[np.newaxis, :, :, np.newaxis]
    energy = (fast**2).sum() / ((fast**2).sum() + (slow**2).sum())
    assert np.isclose(high_frequency_share(both)[0], energy)
