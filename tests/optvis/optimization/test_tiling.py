"""Pictures in tiles: the numbers of each tile by itself, put together again."""

from __future__ import annotations

from typing import Any

import numpy as np
import pytest
import tensorflow as tf
from support import tiny

from kerasviz.errors import UsageError
from kerasviz.network.network import Network
from kerasviz.optvis.objectives.objective import channel, diversity, layer, neuron
from kerasviz.optvis.objectives.structure import structure_of
from kerasviz.optvis.optimization.tiling import check_tiles, scores_of_tiles, tiled
from kerasviz.optvis.recipes import recipe
from kerasviz.rendering.batching import make_batches
from kerasviz.rendering.render import render
from kerasviz.rendering.request import Request

SHORT = recipe("fast").replace(steps=12, size=(48, 32), tile=16)


def score(images: Any) -> Any:
    """Something that is not linear and not the same for all pixels."""
    ramp = tf.reshape(tf.range(16.0), [1, 16, 1, 1])
    return tf.reduce_mean(images**3 * ramp, [1, 2, 3])


def test_tiles_against_each_by_itself() -> None:
    images = tf.random.stateless_uniform([2, 32, 48, 3], [0, 1])
    run = tf.function(lambda x: tiled(score, x, 16), autograph=False)
    gradient, reached = (np.asarray(t) for t in run(images))
    ramp = np.tile(np.arange(16.0), 2)[None, :, None, None]
    want = 3 * np.asarray(images) ** 2 * ramp / (16 * 16 * 3) / 6
    np.testing.assert_allclose(gradient, want, rtol=1e-5)
    parts = [score(images[:, y : y + 16, x : x + 16]) for y in (0, 16) for x in (0, 16, 32)]
    np.testing.assert_allclose(reached, np.mean(parts, 0), rtol=1e-6)
    alone = tf.function(lambda x: scores_of_tiles(score, x, 16), autograph=False)
    np.testing.assert_allclose(alone(images), reached, rtol=1e-6)


def test_a_picture_in_tiles_is_optimized_everywhere() -> None:
    net = tiny.network()
    before = render(net, "relu1:2", recipe=SHORT.replace(steps=1))
    after = render(net, "relu1:2", recipe=SHORT)
    assert after.images.shape == (1, 48, 32, 3)
    assert after.scores[0] > before.scores[0] + 0.05
    whole = render(net, "relu1:2", recipe=SHORT.replace(tile=0))
    assert after.scores[0] == pytest.approx(whole.scores[0], rel=0.1)


def test_one_tile_is_the_whole_picture() -> None:
    net = tiny.network()
    one = render(net, "relu1:2", recipe=SHORT.replace(size=(16, 16)))
    whole = render(net, "relu1:2", recipe=SHORT.replace(size=(16, 16), tile=0))
    np.testing.assert_allclose(one.images, whole.images, atol=1e-4)
    assert one.scores[0] == pytest.approx(whole.scores[0], rel=1e-5)


def test_rows_in_tiles_are_independent() -> None:
    net = tiny.network()
    wide = render(net, ["relu1:2", "relu1:4"], recipe=SHORT)
    other = render(net, ["relu1:2", "relu1:1"], recipe=SHORT)
    assert np.array_equal(wide.images[0], other.images[0])


@pytest.mark.parametrize("precision", ["bfloat16", "float16"])
def test_tiles_in_a_narrow_type(precision: str) -> None:
    found = render(tiny.network(), "relu1:2", recipe=SHORT, precision=precision)
    assert np.isfinite(found.images).all()


def test_what_needs_the_whole_image_is_refused() -> None:
    net = tiny.network()
    for objective in (neuron("relu1", 2), channel("relu1", 1) + diversity("relu1")):
        with pytest.raises(UsageError, match="needs the whole image"):
            check_tiles(structure_of(objective, net), (32, 32), 16)
    check_tiles(structure_of(layer("relu1"), net), (32, 32), 16)
    with pytest.raises(UsageError, match="give --size 48x32"):
        check_tiles(structure_of(layer("relu1"), net), (40, 32), 16)
    with pytest.raises(UsageError, match="tile -1"):
        SHORT.replace(tile=-1)
    with pytest.raises(UsageError, match="tile 16: the transform of the recipe lucid"):
        recipe("lucid").replace(tile=16)


def test_a_network_sees_tiles_only(monkeypatch: pytest.MonkeyPatch) -> None:
    """So that one with a fixed size can have pictures of any multiple of it."""
    net, sizes = tiny.network(), []
    monkeypatch.setattr(Network, "check_size", lambda _, *size: sizes.append(size))
    make_batches(net, [Request("relu1:2", channel("relu1", 2), SHORT)])
    assert sizes == [(16, 16)]
