"""Details of the layer before a unit: factors, positions, contributions, on the page too."""

from __future__ import annotations

import json

import keras
import numpy as np
import pytest
from PIL import Image

import kerasviz
from kerasviz.analysis.circuit import find_circuit
from kerasviz.analysis.connections import connections
from kerasviz.figures.circuits.details import DetailOptions, find_details, map_weights
from kerasviz.figures.circuits.make import make_circuits

DIRECTION = np.array([3.0, 0, -1, 2], np.float32)


@pytest.fixture(scope="module")
def net():
    """Unit 1 of ``second`` has one weight that is not zero, a direction in the right column."""
    image = keras.Input((None, None, 3))
    first = keras.layers.Conv2D(4, 3, activation="relu", name="first")(image)
    model = keras.Model(image, keras.layers.Conv2D(2, 3, name="second")(first))
    kernel = np.random.default_rng(0).normal(size=(3, 3, 4, 2)).astype(np.float32)
    kernel[..., 1] = 0
    kernel[0, 2, :, 1] = kernel[2, 2, :, 1] = DIRECTION
    kernel[2, 0, 1, 1] = 0.5
    model.get_layer("second").set_weights([kernel, np.ones(2)])
    return kerasviz.load(model, preprocess="unit")


def test_planted_positions_and_factors(net, tmp_path):
    asked = []

    def render(targets):
        asked.extend(targets)
        return {text.replace('"', ""): f"{k}.png" for k, text in enumerate(targets)}

    circuit = find_circuit(net, "second", 1, partners=2)
    photo = np.random.default_rng(1).uniform(size=(12, 12, 3)).astype(np.float32)
    options = DetailOptions(factors=2, by_position=True, photo=photo)
    found = find_details(net, circuit, options, tmp_path, render)["first"]
    strengths = np.array(found["positions"]["strengths"])
    length = float(np.linalg.norm(DIRECTION))
    expected = np.array([[0, 0, length], [0, 0, 0], [0.5, 0, length]])
    np.testing.assert_allclose(strengths, expected, rtol=1e-4)
    shown = np.array(found["positions"]["pictures"])
    np.testing.assert_array_equal(shown != "", expected > 0)
    with np.load(tmp_path / "directions" / "second-1-first.npz") as arrays:
        np.testing.assert_allclose(arrays["positions"][2], DIRECTION, rtol=1e-5)
        main = arrays["factors"][0]
    np.testing.assert_allclose(main / abs(main).max(), DIRECTION / 3, atol=1e-3)
    assert found["factors"]["units"][0][0][0] == 0  # the largest part of the direction
    assert found["factors"]["explained"] == pytest.approx(1, abs=1e-3)
    made = found["contributions"]
    total = sum(row["value"] for row in (*made["raising"], *made["lowering"]))
    assert made["exact"] and total + made["rest"] == pytest.approx(made["score"], abs=1e-3)
    assert made["rest"] == 1  # the bias
    assert any(text.endswith('npz":positions[2]') for text in asked)


def test_factors_that_are_zero_are_left_out(tmp_path):
    """The weights of a mean are the same everywhere: one factor is all."""
    image = keras.Input((12, 12, 3))
    first = keras.layers.Conv2D(4, 3, activation="relu", name="first")(image)
    pooled = keras.layers.AveragePooling2D(3, 1, name="pooled")(first)
    net = kerasviz.load(
        keras.Model(image, keras.layers.Conv2D(2, 1, name="second")(pooled)), preprocess="unit"
    )
    circuit = find_circuit(net, "second", 1, earlier=["first"], partners=1)
    found = find_details(net, circuit, DetailOptions(factors=3), tmp_path, lambda _: {})["first"]
    assert np.array(found["factors"]["patterns"]).shape == (1, 3, 3)
    assert len(found["factors"]["units"]) == len(found["factors"]["pictures"]) == 1


def test_the_page_shows_them(net, tmp_path):
    draw = np.random.default_rng(2)
    Image.fromarray(draw.integers(0, 256, (24, 24, 3), np.uint8)).save(tmp_path / "noise.png")
    made = make_circuits(
        net, ["second:1", "first:0"], factors=2, by_position=True, photo=tmp_path / "noise.png",
        partners=1, steps=2, size=24, out=tmp_path / "c", progress=False,
    )  # fmt: skip
    page = made.page.read_text()
    record = json.loads(made.page.with_suffix(".json").read_text())
    found = record["details"]["first"]
    files = [f for row in found["positions"]["pictures"] for f in row if f]
    assert len(files) == 3 and len(set(files)) == 2  # two positions have the same direction
    for file in (*files, *found["factors"]["pictures"]):
        assert (tmp_path / "c" / file).is_file() and file.replace(":", "%3A") in page
    assert 'href="first-0.html"' in page.split("Parts of the weights")[1]
    assert "the sum of activation times weight, and 1 without this layer" in page
    plain = make_circuits(
        net, "second:1", factors=0, partners=1, steps=2, size=24, out=tmp_path / "d", progress=False
    )
    assert "Parts of the weights" not in plain.page.read_text()


def test_tokens_are_laid_out_on_their_map():
    image = keras.Input((8, 12, 3))
    x = keras.layers.Conv2D(5, 4, strides=4, name="patches")(image)
    x = keras.layers.Reshape((6, 5), name="rows")(x)
    x = keras.layers.Permute((2, 1))(x)
    x = keras.layers.Dense(6, name="mixing")(x)
    x = keras.layers.Permute((2, 1), name="mixed")(x)
    net = kerasviz.load(keras.Model(image, x), preprocess="unit")
    found = connections(net, "rows", "mixed", [2], position=(4,))
    weights = map_weights(net, found)
    assert weights.shape == (2, 3, 5)
    assert np.count_nonzero(weights.any((0, 1))) == 1 and weights[..., 2].all()
