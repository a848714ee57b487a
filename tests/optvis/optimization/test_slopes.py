"""The opacity of a picture: where the score depended on it."""

from __future__ import annotations

from typing import Any

import numpy as np
import tensorflow as tf
from support.tiny import network

from kerasviz.optvis.objectives.objective import channel
from kerasviz.optvis.optimization.slopes import OPAQUE, REACH, SMOOTH, opacity_of
from kerasviz.optvis.parameterizations import Pixel
from kerasviz.optvis.recipe import Recipe
from kerasviz.optvis.transforms.transform import FoldedTransform
from kerasviz.rendering.batching import Batch
from kerasviz.rendering.render import render_batch
from kerasviz.rendering.request import Request

STILL = Recipe(
    "still",
    steps=3,
    size=(16, 20),
    parameterization=Pixel(sd=0.5),
    transform=FoldedTransform(()),
    opacity=True,
)


def rendered(recipe: Recipe, net: Any = None, unit: int = 1, **settings: Any) -> Any:
    net = net or network()
    request = Request(f"joined:{unit}", channel("joined", unit), recipe, **settings)
    return render_batch(net, Batch.of(net, [request], settings.get("rows", 1)))[0]


def smoothed(sums: np.ndarray) -> np.ndarray:
    """The sums [H, W] weighted by a Gaussian, pixel by pixel."""
    deviation = SMOOTH * max(sums.shape)
    found = np.zeros(sums.shape)
    for place in np.ndindex(*sums.shape):
        down, right = (np.arange(n) - at for n, at in zip(sums.shape, place, strict=True))
        far = np.maximum(abs(down)[:, None], abs(right)[None, :])
        weights = np.exp(-(down[:, None] ** 2 + right[None, :] ** 2) / 2 / deviation**2)
        weights *= far <= int(REACH * deviation)
        found[place] = (weights * sums).sum() / weights.sum()
    return found


def test_the_opacity_is_the_sum_of_the_gradients_sizes_over_all_steps() -> None:
    net = network()
    picture = rendered(STILL, net, snapshots=(0, 1, 2))
    sums = np.zeros((16, 20))
    for step in (0, 1, 2):
        image = tf.constant(picture.snapshots[step][None])
        with tf.GradientTape() as tape:
            tape.watch(image)
            # Before the ReLU, as the recipe has it.
            score = tf.reduce_mean(net.activations(image, ["left"])["left"][..., 1])
        sums += np.abs(tape.gradient(score, image)[0]).mean(-1)
    expected = np.clip(sums / np.percentile(sums, OPAQUE), 0, 1)
    np.testing.assert_allclose(picture.opacity, expected, atol=1e-3)
    assert picture.opacity.max() == 1 and 0.15 < (picture.opacity == 1).mean() < 0.25
    # It changes nothing in the picture.
    np.testing.assert_array_equal(rendered(STILL.replace(opacity=False)).image, picture.image)


def test_a_picture_is_transparent_where_the_network_cannot_look() -> None:
    def left(images: Any, seeds: Any, step: Any) -> Any:
        return images * tf.cast(tf.range(20) < 10, tf.float32)[:, None]

    opacity = rendered(STILL.replace(transform=[left])).opacity
    assert not opacity[:, 10:].any() and (opacity[2:-2, 2:8] > 0).all()


def test_sums_are_smoothed_within_each_picture() -> None:
    sums = np.random.default_rng(0).uniform(size=(2, 70, 55)).astype(np.float32)
    found = opacity_of((None, None, None, tf.constant(sums)))
    for row, own in zip(found, sums, strict=True):
        expected = smoothed(own)
        np.testing.assert_allclose(
            row, np.clip(expected / np.percentile(expected, OPAQUE), 0, 1), atol=1e-5
        )
    nothing = opacity_of((None, None, None, tf.zeros([1, 9, 9])))
    assert not nothing.any() and opacity_of((None, None, None)) is None
