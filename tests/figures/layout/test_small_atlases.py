"""Small atlases of photos: planted colours are islands, and counts and contributions are right."""

from __future__ import annotations

import keras
import numpy as np
import pytest
from PIL import Image

import kerasviz
from kerasviz.errors import UsageError
from kerasviz.figures.catalogue.activation_atlas import (
    ATLAS_GRIDS,
    ATLAS_OF_A_CLASS,
    ATLAS_OF_TWO_CLASSES,
)
from kerasviz.figures.layout.build import choose
from kerasviz.figures.layout.context import FigureOptions
from kerasviz.figures.layout.photo_windows import EACH, window_points
from kerasviz.optvis.recipes import recipe
from kerasviz.rendering.photos import photos_of

FAST = recipe("fast").replace(steps=2, size=(32, 32))
#: Classes are how red, green and blue a photo is.
HEAD = np.diag([5.0, 4.0, 3.0]).astype(np.float32)


@pytest.fixture(scope="module")
def net():
    """A 4x4 map of colours, before classes that are their means."""
    layers = keras.layers
    image = keras.Input((32, 32, 3))
    x = layers.AveragePooling2D(8, name="pool")(image)
    x = layers.Conv2D(3, 1, use_bias=False, activation="relu", name="colours")(x)
    x = layers.GlobalAveragePooling2D(name="mean")(x)
    x = layers.Dense(3, use_bias=False, name="logits")(x)
    model = keras.Model(image, layers.Softmax()(x))
    model.get_layer("colours").set_weights([np.eye(3, dtype=np.float32)[None, None]])
    model.get_layer("logits").set_weights([HEAD])
    return kerasviz.load(model, preprocess="unit")


@pytest.fixture(scope="module")
def photos(tmp_path_factory):
    """Three photos of one colour each, with some noise."""
    folder = tmp_path_factory.mktemp("colours")
    draw = np.random.default_rng(1)
    for k, name in enumerate(("red", "green", "blue")):
        pixels = draw.integers(0, 30, (64, 64, 3))
        pixels[..., k] += 200
        Image.fromarray(pixels.astype(np.uint8)).save(folder / f"{k}-{name}.png")
    return tuple(sorted(folder.iterdir()))


def test_points_are_those_of_the_photos(net, photos):
    found = window_points(net, "colours", photos_of(photos), 12)
    assert found.values.shape == (12 * min(EACH, 4), 3)
    np.testing.assert_array_equal(found.values.argmax(1), found.photo)
    # Linear attribution of a mean: a position of 16 gives its activations times the weights.
    wanted = found.values @ HEAD / 16
    np.testing.assert_allclose(found.shares, wanted, rtol=1e-4)
    assert found.seen.sum() == pytest.approx(1) and found.seen.argmax() == 0
    photo, (top, left, height, width) = found.example(0)
    assert photo.name == "0-red" and (height, width) == (32, 32)
    assert 0 <= top <= 64 - height and 0 <= left <= 64 - width
    assert window_points(net, "colours", photos_of(photos), 12) is found


def test_points_depend_on_the_seed_only(net, photos):
    one, same, other = (window_points(net, "pool", photos_of(photos), 6, s) for s in (1, 1, 2))
    assert one is same
    assert not np.array_equal(one.values, other.values)


def test_colours_are_islands_of_the_atlas(net, photos):
    options = FigureOptions(net, FAST, photos=photos, quick=True)
    layout = choose(ATLAS_GRIDS, options)
    assert [block.title for block in layout.blocks] == ["3 x 3 cells", "5 x 5 cells"]
    for block in layout.blocks:
        assert len(block.places) == block.columns**2
        units = [np.argmax(t.request.objective.terms[0].vector) for t in block.optimized]
        assert set(units) == {0, 1, 2}
        assert all(t.request.objective.terms[0].cosine == 2 for t in block.optimized)
        assert max(t.share for t in block.optimized) == 1
    assert any("Activations: 96 of colours" in note for note in layout.notes)


def test_cells_of_a_class_are_those_of_its_colour(net, photos):
    options = FigureOptions(net, FAST, photos=photos, quick=True)
    examples, grid = choose(ATLAS_OF_A_CLASS, options).blocks
    assert grid.title == f"Cells that speak for {net.classes.describe(0)}"
    largest = max(grid.optimized, key=lambda tile: tile.share)
    assert largest.share == 1
    assert np.argmax(largest.request.objective.terms[0].vector) == 0
    assert all(tile.photos[0].name == "0-red" for tile in examples.places[:1])
    assert all(tile.kind == "cut" for tile in examples.places)


def test_two_classes_are_left_and_right(net, photos):
    options = FigureOptions(net, FAST, photos=photos, quick=True)
    (grid,) = choose(ATLAS_OF_TWO_CLASSES, options).blocks
    names = [net.classes.describe(n) for n in (0, 1)]
    assert grid.title == f"Left: for {names[0]}. Right: for {names[1]}"
    columns = {0: [], 1: [], 2: []}
    for k, place in enumerate(grid.places):
        if place in grid.optimized:
            columns[int(np.argmax(place.request.objective.terms[0].vector))].append(
                k % grid.columns
            )
    assert columns[0] and columns[1] and max(columns[0]) < min(columns[1])


def test_without_classes_there_is_a_map_but_no_comparison(photos):
    layers = keras.layers
    maps = keras.Sequential(
        [layers.Input((16, 16, 3)), layers.Conv2D(3, 3, activation="relu", name="first")]
    )
    options = FigureOptions(kerasviz.load(maps, preprocess="unit"), FAST, photos=photos, quick=True)
    assert choose(ATLAS_GRIDS, options).blocks
    with pytest.raises(UsageError, match="no class logits"):
        choose(ATLAS_OF_TWO_CLASSES, options)
