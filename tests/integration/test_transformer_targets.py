"""Targets in a transformer that Keras saved: hidden units, residuals, attention, weights."""

from __future__ import annotations

import keras
import numpy as np
import pytest

import kerasviz
from kerasviz.errors import UsageError
from kerasviz.network.positions import positions_of
from kerasviz.optvis.objectives.targets import parse_target


@pytest.fixture(scope="module")
def net(tmp_path_factory: pytest.TempPathFactory) -> kerasviz.Network:
    """Patches of 8 x 8, one empty token before them, a block, a class for every token."""
    image = keras.Input((24, 32, 3))
    x = keras.layers.Conv2D(12, 8, 8, name="patches")(image)
    x = keras.layers.Reshape((12, 12), name="rows")(x)
    x = keras.layers.ZeroPadding1D((1, 0), name="tokens")(x)
    y = keras.layers.MultiHeadAttention(3, 4, name="attention")(x, x)
    x = keras.layers.Add(name="residual")([x, y])
    y = keras.layers.LayerNormalization(name="norm")(x)
    y = keras.layers.Dense(20, activation="gelu", name="hidden")(y)
    y = keras.layers.Dense(12, name="mlp")(y)
    x = keras.layers.Add(name="block")([x, y])
    x = keras.layers.GlobalAveragePooling1D(name="pool")(x)
    keras.utils.set_random_seed(1)
    model = keras.Model(image, keras.layers.Dense(3, activation="softmax", name="probs")(x))
    path = tmp_path_factory.mktemp("transformer") / "m.keras"
    model.save(path)
    return kerasviz.load(str(path), input_spec=kerasviz.InputSpec())


def test_every_part_of_a_block_has_the_grid_of_the_patches(net: kerasviz.Network) -> None:
    for tap in ("tokens", "attention", "residual", "norm", "hidden", "mlp", "block"):
        positions = positions_of(net, tap)
        assert (positions.extent, positions.grid, positions.special) == ((13,), (3, 4), 1)
    assert positions_of(net, "rows").special == 0
    assert positions_of(net, "pool").extent == ()


@pytest.mark.parametrize(
    ("target", "number", "unit"),
    [
        ("hidden:17@class", 0, 17),
        ("residual:5@2,3", 12, 5),
        ("attention:5@-1", 12, 5),
        ("block:7@center", 1 + 1 * 4 + 2, 7),
        ("weight:mlp/kernel:4@3", 3, 4),
    ],
)
def test_scores_are_the_activations_there(
    net: kerasviz.Network, target: str, number: int, unit: int
) -> None:
    made = kerasviz.render(net, target, recipe="fast", steps=2, size=(24, 32))
    (term,) = parse_target(target, net)[0].objective.terms
    tap = net.taps[term.tap].pre_relu or term.tap
    there = np.asarray(net.activations(made.images, [tap])[tap])[0, number, unit]
    assert np.isclose(made.scores[0], there, atol=1e-4)


def test_a_part_of_the_channels_is_named_with_the_number_of_parts(net: kerasviz.Network) -> None:
    made = kerasviz.render(net, "attention:head-1/3", recipe="fast", steps=2, size=(24, 32))
    rows = np.asarray(net.activations(made.images, ["attention"])["attention"])[0]
    assert np.isclose(made.scores[0], np.mean(rows[:, 4:8] ** 2), rtol=1e-4)
    with pytest.raises(UsageError, match="give their number: norm:head-1/N"):
        parse_target("norm:head-1", net)


@pytest.mark.parametrize(
    ("target", "message"),
    [
        ("block:3@13", "block has 13 tokens in a row, 1 special and 3x4"),
        ("block:3@3,0", "y from 0 to 2 and x from 0 to 3"),
        ("rows:3@1,1", "give rows:3@5 for 1,1 of its 3x4 map"),
        ("rows:3@class", "no class token"),
        ("patches:3@3,0", "patches has 3x4 positions; give patches:3@y,x"),
    ],
)
def test_positions_that_are_not_there(net: kerasviz.Network, target: str, message: str) -> None:
    with pytest.raises(UsageError, match=message):
        parse_target(target, net)


def test_different_tokens_are_optimized_in_one_batch(net: kerasviz.Network) -> None:
    targets = ["block:2@0", "block:2@1,1", "block:2@-1", "block:2@center"]
    made = kerasviz.render(net, targets, recipe="fast", steps=4, size=(24, 32))
    assert {picture.batch for picture in made.pictures} == {4}
    rows = np.asarray(net.activations(made.images, ["block"])["block"])[:, :, 2]
    assert np.allclose(made.scores, rows[range(4), [0, 6, 12, 7]], atol=1e-4)
